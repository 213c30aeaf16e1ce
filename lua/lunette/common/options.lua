--- Tables of options: checked against a specification, with defaults filled in.
local import = ...
local arguments = import "common.arguments"

---@class OptionSpec what one option may be
---@field [1] string the type, as for `arguments.is`
---@field default? any a list is copied
---@field one_of? string[] the only values
---@field required? boolean
---@field fields? table<string, OptionSpec> the option is a table of options, there in any case

local M = {}

local ARTICLES <const> = { integer = "an integer", ["nil"] = "nil" }

local function with_article(expected)
  local texts = {}
  for name in expected:gmatch("[^|]+") do texts[#texts + 1] = ARTICLES[name] or "a " .. name end
  return table.concat(texts, " or ")
end

-- Levenshtein's: how many characters to add, drop or change.
local function edit_distance(a, b)
  local above = {}
  for column = 0, #b do above[column] = column end
  for row = 1, #a do
    local current = { [0] = row }
    for column = 1, #b do
      local change = a:byte(row) == b:byte(column) and 0 or 1
      local shorter = math.min(above[column], current[column - 1])
      current[column] = math.min(shorter + 1, above[column - 1] + change)
    end
    above = current
  end
  return above[#b]
end

--- The name that somebody may have meant, if one is near enough to be worth a guess.
---@param name string
---@param known table<string, any> the names are its keys
---@return string?
function M.nearest(name, known)
  local best, best_distance = nil, math.max(2, #name // 3) + 1
  if #name > 100 then return nil end
  for candidate in pairs(known) do
    local distance = edit_distance(name:lower(), candidate:lower())
    local wins_tie = distance == best_distance and best and candidate < best
    if distance < best_distance or wins_tie then
      best, best_distance = candidate, distance
    end
  end
  return best
end

-- Raised as a table, which tells `check` that it is one of these, and takes its position there.
local function fail(text, ...)
  error({ text:format(...) }, 0)
end

local function check_known(prefix, options, fields)
  for name in next, options do
    if type(name) ~= "string" then
      fail("an option's name must be a string, got %s", arguments.describe(name, "string"))
    elseif not fields[name] then
      local near = M.nearest(name, fields)
      local hint = near and (" (did you mean '%s'?)"):format(near) or ""
      fail("unknown option '%s%s'%s", prefix, name, hint)
    end
  end
end

local function check_choice(name, value, choices)
  local texts = {}
  for index, choice in ipairs(choices) do
    if value == choice then return end
    texts[index] = ("'%s'"):format(choice)
  end
  fail("option '%s' must be %s, got '%s'", name, table.concat(texts, " or "), tostring(value))
end

local fill

---@param name string with the names of the tables that it is in
local function check_one(name, value, spec)
  if not arguments.is(value, spec[1]) then
    local got = arguments.describe(value, spec[1])
    fail("option '%s' must be %s, got %s", name, with_article(spec[1]), got)
  elseif spec.one_of then
    check_choice(name, value, spec.one_of)
  end
  return spec.fields and fill(name .. ".", value, spec.fields) or value
end

local function default_of(name, spec)
  if spec.required then fail("option '%s' is missing", name) end
  if spec.fields then return fill(name .. ".", {}, spec.fields) end
  if type(spec.default) ~= "table" then return spec.default end
  return table.move(spec.default, 1, #spec.default, 1, {})
end

-- The names of the options that are something even when they are not given, by specification.
local expected = setmetatable({}, {
  __mode = "k",
  __index = function(cache, fields)
    local names = {}
    for name, spec in pairs(fields) do
      if spec.required or spec.fields or spec.default ~= nil then names[#names + 1] = name end
    end
    cache[fields] = names
    return names
  end,
})

function fill(prefix, options, fields)
  check_known(prefix, options, fields)
  local result = {}
  for name, value in next, options do
    result[name] = check_one(prefix .. name, value, fields[name])
  end
  for _, name in ipairs(expected[fields]) do
    if result[name] == nil then result[name] = default_of(prefix .. name, fields[name]) end
  end
  return result
end

local function check_all(options, fields)
  if type(options) ~= "table" then
    fail("options must be a table, got %s", arguments.describe(options, "table"))
  end
  return fill("", options, fields)
end

--- A new table with the given options and the defaults of the others. Raises for an unknown name
--- (and guesses the one that was meant), a wrong type, a value that is not among the choices, and a
--- missing option.
---@param owner string whose options they are, in errors
---@param options table? nil is {}
---@param fields table<string, OptionSpec>
---@param level? integer as for `error` called by the caller of this; 2 by default
---@return table
function M.check(owner, options, fields, level)
  if options == nil then options = {} end
  local ok, result = pcall(check_all, options, fields)
  if ok then return result end
  error(type(result) == "table" and owner .. ": " .. result[1] or result, (level or 2) + 1)
end

return M
