-- The command line of the search.
local words_of = require "words"

local M = {}

M.USAGE = [[
Usage: lunette apps/search [OPTION...] FOLDER WORD...

Looks for the words in every file below the folder, and shows the best line of the best files. Words
are found in capitals too and at the beginning of longer ones; files that have them all, often, or
one after another as given, come first.

  --limit N    show N files at most (default: 10)
  --kill-one   kill a renderer half-way, to see that no file is lost
  --help       show this text

Folders of version control and builds, links, binary files and huge files are passed over.
]]

local DEFAULT_LIMIT <const> = 10

-- What each option does to the options; `next_value` gives the argument behind it.
local OPTIONS <const> = {
  ["--help"] = function(options)
    options.help = true
  end,
  ["--kill-one"] = function(options)
    options.kill_one = true
  end,
  ["--limit"] = function(options, next_value)
    local limit = math.tointeger(tonumber(next_value() or ""))
    if not limit or limit < 1 then error("--limit needs a whole number above 0", 0) end
    options.limit = limit
  end,
}

-- Sorts the arguments into options and the rest, which is everything behind a lone -- too.
local function read(args)
  local options, rest, index = { limit = DEFAULT_LIMIT }, {}, 0
  local function next_value()
    index = index + 1
    return args[index]
  end
  for arg in next_value do
    if arg == "--" then
      return options, table.move(args, index + 1, #args, #rest + 1, rest)
    elseif arg:find "^%-%-" then
      local name, value = arg:match "^([^=]*)=?(.*)$"
      local set = OPTIONS[name] or error(("there is no option %s"):format(name), 0)
      set(options, function()
        return value ~= "" and value or next_value()
      end)
    else
      rest[#rest + 1] = arg
    end
  end
  return options, rest
end

local function complete(options, rest)
  if options.help then return end
  if #rest < 2 then error("a folder and a word are needed", 0) end
  options.folder = rest[1]:match "^(.*[^/])/*$" or rest[1]
  options.words = words_of.split(table.concat(rest, " ", 2))
  if #options.words == 0 then error("there is no word to look for", 0) end
end

-- {folder, words, limit, kill_one} or {help}. Raises a text for the user.
function M.parse(args)
  local options, rest = read(args)
  complete(options, rest)
  return options
end

return M
