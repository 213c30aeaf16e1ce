--- The options that `lunette test` adds to busted's: on the command line, and as keys of .busted.
local import = ...
local core_os = import "core.os"

local M = {}

---@class TestSettings
---@field jobs integer
---@field timeout integer? milliseconds

local function to_jobs(value)
  if value == "auto" then return core_os.cpus() end
  local number = math.tointeger(tonumber(value))
  return number and number >= 1 and number
end

local function to_milliseconds(value)
  local number = math.tointeger(tonumber(value))
  return number and number >= 0 and number
end

-- By name: what makes the setting of what was given, nil or false for what does not fit; what is
-- wanted.
local VALUES <const> = {
  jobs = { to_jobs, "a number of at least 1, or auto" },
  timeout = { to_milliseconds, "a number of milliseconds" },
}

-- Switches, by what is said: the setting and its value.
local SWITCHES <const> = {
  ["no-capture"] = { "capture", false },
  capture = { "capture", true },
}

-- Takes one argument for us; returns whether it is ours and how many arguments it was.
local function take_one(own, argument, following)
  local name, equals, value = argument:match "^%-%-([%w-]+)(=?)(.*)$"
  if SWITCHES[name] and equals == "" then
    own[SWITCHES[name][1]] = SWITCHES[name][2]
    return 1
  end
  if not VALUES[name] then return 0 end
  own[name] = equals == "=" and value or following
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

--- The settings: of the command line, else of `options` (busted's, with the keys of .busted). Or
--- nil and a message.
---@param own table
---@param options table
---@return TestSettings?, string?
function M.complete(own, options)
  local result = { capture = true, jobs = core_os.cpus() }
  for name, value in pairs(VALUES) do
    local given = own[name]
    if given == nil then given = options[name] end
    if given ~= nil then result[name] = value[1](given) end
    if given ~= nil and not result[name] then
      return nil, ("--%s: %s expected, got '%s'"):format(name, value[2], tostring(given))
    end
  end
  for _, switch in pairs(SWITCHES) do
    local given = own[switch[1]]
    if given == nil then given = options[switch[1]] end
    if given ~= nil then result[switch[1]] = given end
  end
  return result
end

return M
