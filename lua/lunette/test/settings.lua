--- The options that `lunette test` adds to busted's: on the command line, and as keys of .busted.
local import = ...
local core_os = import "core.os"
local shard = import "test.shard"

local M = {}

-- So long in one place is worth a note.
local SLOW_MS <const> = 30000

---@class TestSettings
---@field jobs integer
---@field timeout integer? milliseconds
---@field slow integer milliseconds
---@field shard {index: integer, count: integer}?
---@field isolate "file"|"none"
---@field serial string[] patterns
---@field split string[] patterns
---@field capture boolean

local function to_jobs(value)
  if value == "auto" then return core_os.cpus() end
  local number = math.tointeger(tonumber(value))
  return number and number >= 1 and number
end

local function to_milliseconds(value)
  local number = math.tointeger(tonumber(value))
  return number and number >= 0 and number
end

local function to_isolation(value)
  return (value == "file" or value == "none") and value
end

local function to_path(value)
  return type(value) == "string" and value ~= "" and value
end

local function to_patterns(value)
  local list = type(value) == "table" and value or { value }
  for _, pattern in ipairs(list) do
    if type(pattern) ~= "string" or not pcall(string.find, "", pattern) then return nil end
  end
  return list
end

-- By name: what makes the setting of what was given, nil or false for what does not fit; what is
-- wanted; whether it may be given several times.
local VALUES <const> = {
  jobs = { to_jobs, "a number of at least 1, or auto" },
  timeout = { to_milliseconds, "a number of milliseconds" },
  slow = { to_milliseconds, "a number of milliseconds" },
  isolate = { to_isolation, "file or none" },
  shard = { shard.parse, "I/N, with I from 1 to N" },
  ["shard-times"] = { to_path, "the name of a file" },
  record = { to_path, "the name of a file" },
  serial = { to_patterns, "a Lua pattern", true },
  split = { to_patterns, "a Lua pattern", true },
}

-- Switches, by what is said: the setting and its value.
local SWITCHES <const> = {
  ["no-capture"] = { "capture", false },
  capture = { "capture", true },
  replay = { "replay", true },
  ["detect-open-handles"] = { "detect-open-handles", true },
}

-- Takes one argument for us; returns how many arguments it was, 0 for one of busted's.
local function take_one(own, argument, following)
  local name, equals, value = argument:match "^%-%-([%w-]+)(=?)(.*)$"
  if SWITCHES[name] and equals == "" then
    own[SWITCHES[name][1]] = SWITCHES[name][2]
    return 1
  end
  if not VALUES[name] then return 0 end
  if equals == "" then value = following end
  if VALUES[name][3] then
    own[name] = own[name] or {}
    table.insert(own[name], value)
  else
    own[name] = value
  end
  return equals == "=" and 1 or 2
end

--- Splits a command line: our options, by name, and all that is busted's. Returns nil and a message
--- when a value is missing.
---@param argv table 0 the executable, 1 "test"
---@return table?, string[]|string
function M.take(argv)
  local own, rest, index = {}, {}, 2
  while index <= #argv and argv[index] ~= "--" do
    local count = take_one(own, argv[index], argv[index + 1])
    if count == 2 and index == #argv then return nil, argv[index] .. " needs a value" end
    if count == 0 then rest[#rest + 1] = argv[index] end
    index = index + math.max(count, 1)
  end
  return own, table.move(argv, index, #argv, #rest + 1, rest)
end

-- What was given for a setting: on the command line, else in .busted.
local function given(own, options, name)
  if own[name] ~= nil then return own[name] end
  return options[name]
end

local function describe(value)
  return type(value) == "table" and table.concat(value, "', '") or tostring(value)
end

--- The settings: of the command line, else of `options` (busted's, with the keys of .busted). Or
--- nil and a message.
---@param own table
---@param options table
---@return TestSettings?, string?
function M.complete(own, options)
  local result = { capture = true, jobs = core_os.cpus(), slow = SLOW_MS }
  result.serial, result.split = {}, {}
  result.isolate = options["auto-insulate"] and "file" or "none"
  for name, value in pairs(VALUES) do
    local text = given(own, options, name)
    if text ~= nil then result[name] = value[1](text) end
    if text ~= nil and not result[name] then
      return nil, ("--%s: %s expected, got '%s'"):format(name, value[2], describe(text))
    end
  end
  for _, switch in pairs(SWITCHES) do
    local value = given(own, options, switch[1])
    if value ~= nil then result[switch[1]] = value end
  end
  if not options["keep-going"] then result.split = {} end -- which tests come first matters
  return result
end

return M
