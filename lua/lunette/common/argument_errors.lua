--- What `common.arguments` has beside its quick checks: closer looks, and the one maker of the
--- errors of bad arguments. `level` is as there.

local M = {}

local math_tointeger, math_type, type = math.tointeger, math.type, type

-- As long as parts of a millisecond still count: 142,000 years.
local LONGEST_TIMER <const> = 1 << 52

--- Whether a value can be called.
---@param value any
---@return boolean
function M.is_callable(value)
  if type(value) == "function" then return true end
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__call ~= nil
end

-- Whole floats count: 800 / 2 is what somebody means by a width of 400.
local function whole(value)
  return math_type(value) and math_tointeger(value)
end

local PREDICATES = {
  callable = M.is_callable,
  milliseconds = function(value)
    return math_type(value) and value >= 0 and value < LONGEST_TIMER
  end,
  integer = function(value) return whole(value) ~= nil end,
  ["positive integer"] = function(value) return (whole(value) or 0) > 0 end,
  ["non-negative integer"] = function(value) return (whole(value) or -1) >= 0 end,
}

--- The whole number of milliseconds that a timer is started with: parts of one are rounded up.
---@param ms number
---@return integer
function M.to_milliseconds(ms)
  return math.ceil(ms)
end

-- The names in "string|nil", split once for each expectation (they are literals in our sources).
local alternatives = setmetatable({}, {
  __index = function(cache, expected)
    local names = {}
    for name in expected:gmatch("[^|]+") do names[#names + 1] = name end
    cache[expected] = names
    return names
  end,
})

--- Whether a value is what is expected.
---@param value any
---@param expected string a Lua type, "integer", "positive integer", "non-negative integer",
---"milliseconds" (a number from 0), "callable", or several of them with | between
---@return boolean
function M.is(value, expected)
  local kind = type(value)
  for _, name in ipairs(alternatives[expected]) do
    local predicate = PREDICATES[name]
    if kind == name or predicate and predicate(value) then return true end
  end
  return false
end

--- What came, for an error message: the type, the value where only the value is wrong.
---@param value any
---@param expected string
---@return string
function M.describe(value, expected)
  local wants_number = expected:find("integer", 1, true) or expected:find("milliseconds", 1, true)
  if wants_number and math_type(value) then return tostring(value) end
  local metatable = getmetatable(value)
  local name = type(metatable) == "table" and rawget(metatable, "__name")
  return type(name) == "string" and name or type(value)
end

--- Raises `bad argument #INDEX to 'NAME' (TEXT)`.
---@param name string the public function, such as "ipcMain.handle" or "BrowserWindow:loadFile"
---@param index integer
---@param text string
---@param level? integer
function M.fail(name, index, text, level)
  error(("bad argument #%d to '%s' (%s)"):format(index, name, text), (level or 2) + 1)
end

--- `check` of what is not of a Lua type that is expected.
---@param name string the public function, such as "ipcMain.handle" or "BrowserWindow:loadFile"
---@param index integer
---@param value any
---@param expected string as for `is`
---@param level integer
function M.check_closely(name, index, value, expected, level)
  if M.is(value, expected) then return end
  local wanted = expected:gsub("|", " or ")
  local text = ("%s expected, got %s"):format(wanted, M.describe(value, expected))
  return M.fail(name, index, text, level)
end

--- What `not_colon` raises.
---@param name string such as "ipcMain.on"
---@param _ table
---@param _ any
---@param level integer
function M.refuse_colon(name, _, _, level)
  local owner, method = name:match("^(.*)%.(.-)$")
  local text = "%s is called with a dot: write %s(...), not %s:%s(...)"
  error(text:format(name, name, owner, method), level + 1)
end

--- What `check_self` raises.
---@param name string such as "BrowserWindow:loadFile"
---@param _ any
---@param class table
---@param level integer
function M.refuse_dot(name, _, class, level)
  local owner, method = name:match("^(.*):(.-)$")
  local example = class._example or owner:gsub("^%u", string.lower)
  local text = "%s is called with a colon: write %s:%s(...), not %s.%s(...)"
  error(text:format(name, example, method, example, method), level + 1)
end

return M
