--- The help of `lunette test`: busted's own, and what is added to it.
local M = {}

local OWN <const> = [[

LUNETTE'S OPTIONS (also keys of a task in .busted):
  --jobs=N                    how many workers run spec files at a time; auto, the
                              default, is one a processor
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
  io.stdout:write(busted_help(), "\n", OWN)
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
