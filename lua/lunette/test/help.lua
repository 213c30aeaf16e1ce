--- The help of `lunette test`: busted's own, and what is added to it.
local M = {}

local OWN <const> = [[

LUNETTE'S OPTIONS (also keys of a task in .busted, without the dashes):
  --jobs=N|auto               how many workers run files at a time
                              (default: auto, one a processor)
  --timeout=MS                how long a test, a hook or the body of a
                              block may take (default: no limit)
  --slow=MS                   say on standard error what takes longer
                              (default: 30000; 0: never)
  --isolate=file|none         a worker for each file, or for each run of
                              neighbours (default: none with
                              --no-auto-insulate, else file)
  --serial=PATTERN            files that run when no other does; may be
                              given several times
  --split=PATTERN             deal the tests of these files to all workers;
                              may be given several times
  --no-capture                let specs print at once, to the terminal
  --detect-open-handles       name what files leave open
  --shard=I/N                 run the I-th of N parts of the files
  --shard-times=FILE          balance the parts by this table of times,
                              which a run without --shard writes
  --record=FILE               keep what happens, for --replay
  --replay                    report the recordings, those of all parts,
                              that are given in place of paths
]]

local HELP_BEFORE <const>, HELP_BEHIND <const> =
  "^busted: error: ", "; re%-run with %-%-help for usage%.%s*$"

--- Whether the arguments ask for help.
---@param arguments string[]
function M.is_wanted(arguments)
  for _, argument in ipairs(arguments) do
    if argument == "--help" or argument == "-h" then return true end
    if argument == "--" then return false end
  end
  return false
end

-- 2.1 gives the help as an error, later versions as a field.
local function busted_help()
  local cli = require "busted.modules.cli" { standalone = false, output = "utfTerminal" }
  cli:set_name "busted"
  local options, err = cli:parse { "--help" }
  local text = (options and options.helpText or err):gsub(HELP_BEFORE, ""):gsub(HELP_BEHIND, "")
  return (text:gsub("^Usage: busted", "Usage: lunette test"))
end

--- Prints it. Returns the exit status.
---@return integer
function M.print()
  local text = busted_help():gsub("\n+$", "\n")
  io.stdout:write(text, OWN)
  return 0
end

--- Whether the arguments themselves say in which Lua to run.
---@param arguments string[]
function M.names_lua(arguments)
  for _, argument in ipairs(arguments) do
    if argument:find "^%-%-lua=" or argument == "--lua" then return true end
  end
  return false
end

--- Says that it makes no difference.
function M.warn_of_lua()
  io.stderr:write "lunette test: --lua is ignored: the specs run in Lunette's own Lua\n"
end

return M
