-- SPDX-License-Identifier: MIT
--- Random values from a seed, and whether two lists of values are the same; goes into the apps
--- under test. A `values.new(seed, "json")` makes only what JSON brings back exactly.
local M = {}

local SIZES <const> = { 0, 1, 2, 39, 40, 41, 63, 64, 65, 127, 128, 255, 256, 1000, 5000 }
local INTEGERS <const> = {
  0, 1, -1, 55, 56, -8, -9, 127, 128, -128, -129, 255, 256, 32767, 32768, -32769,
  (1 << 31) - 1, 1 << 31, -1 << 31, 1 << 32, 1 << 53, -1 << 53,
}
local WIDE_INTEGERS <const> = { (1 << 53) + 1, math.maxinteger, math.mininteger, 1 << 62, -1 << 62 }
local FLOATS <const> =
  { 0.5, -0.0, 1e300, -1e-300, 5e-324, 0.1, 1 / 3, math.pi, 2.0 ^ -30, 1e15 / 3 }
local WIDE_FLOATS <const> = { 1.0, -3.0, 0 / 0, -(0 / 0), 1 / 0, -1 / 0, 2.0 ^ 53, 2.0 ^ 80 }

local Maker = {}
Maker.__index = Maker

-- A generator of its own, so that a failure can be repeated whatever else uses math.random.
local function next_number(maker, n)
  maker.state = (maker.state * 6364136223846793005 + 1442695040888963407)
  return (maker.state >> 33) % n + 1
end

local function pick(maker, list, wide)
  local n = next_number(maker, #list + (maker.json and 0 or #wide))
  return n <= #list and list[n] or wide[n - #list]
end

local function make_integer(maker)
  if next_number(maker, 3) > 1 then return pick(maker, INTEGERS, WIDE_INTEGERS) end
  return next_number(maker, 1 << 31) - next_number(maker, 1 << 31)
end

local function make_float(maker)
  if next_number(maker, 2) > 1 then return pick(maker, FLOATS, WIDE_FLOATS) end
  return next_number(maker, 1 << 30) / 7 + 0.0625
end

local function make_string(maker)
  local bytes = {}
  for i = 1, SIZES[next_number(maker, #SIZES)] do
    bytes[i] = string.char(next_number(maker, maker.json and 128 or 256) - 1)
  end
  return table.concat(bytes)
end

local function make_name(maker)
  return "key" .. next_number(maker, 50)
end

local make

local function make_key(maker, depth)
  if maker.json or next_number(maker, 2) == 1 then return make_name(maker) end
  local key = make(maker, depth)
  if key == nil or key ~= key then return false end
  return key
end

local function make_list(maker, depth)
  local list = {}
  for i = 1, next_number(maker, 6) - 1 do
    list[i] = make(maker, depth)
    if list[i] == nil and maker.json then list[i] = false end
  end
  return list
end

local function make_table(maker, depth)
  if maker.json and next_number(maker, 2) == 1 then return make_list(maker, depth) end
  local t = maker.json and {} or make_list(maker, depth) -- with holes
  maker.tables[#maker.tables + 1] = t
  for _ = 1, next_number(maker, 6) - 1 do
    t[make_key(maker, depth)] = make(maker, depth)
  end
  return t
end

-- A table from before, maybe one that is still being made.
local function make_reference(maker)
  local tables = maker.tables
  return #tables > 0 and tables[next_number(maker, #tables)] or true
end

local MAKERS <const> = {
  make_integer, make_integer, make_float, make_float, make_string, make_string, make_name,
  function() return true end,
  function() return false end,
  function(maker) return maker.null end,
  function() return nil end,
}

function make(maker, depth)
  if depth > 0 and next_number(maker, 3) == 1 then
    if not maker.json and next_number(maker, 4) == 1 then return make_reference(maker) end
    return make_table(maker, depth - 1)
  end
  return MAKERS[next_number(maker, #MAKERS)](maker)
end

--- The next list of values: up to five, nils among them.
---@return any ...
function Maker:list()
  self.tables = {}
  local n = next_number(self, 6) - 1
  local values = {}
  for i = 1, n do
    values[i] = make(self, 4)
  end
  if self.json then -- a null that is an argument is nil there
    for i = 1, n do
      if values[i] == self.null then values[i] = nil end
    end
  end
  return table.unpack(values, 1, n)
end

--- A maker of random values.
---@param seed integer
---@param codec "clone"|"json"
---@param null userdata
function M.new(seed, codec, null)
  return setmetatable({ state = seed, json = codec == "json", null = null }, Maker)
end

local is_same

-- Whether `b` has a key like that of `a`, and its value. Tables are looked for one by one.
local function find_key(a_key, b, seen)
  if type(a_key) ~= "table" then
    local value = rawget(b, a_key)
    return value ~= nil, value
  end
  for key, value in next, b do
    if seen[a_key] == key then return true, value end
  end
  for key, value in next, b do
    if type(key) == "table" and is_same(a_key, key, setmetatable({}, { __index = seen })) then
      return true, value
    end
  end
end

local function is_same_table(a, b, seen)
  if seen[a] then return seen[a] == b end
  seen[a] = b
  local count = 0
  for key, value in next, a do
    local found, other = find_key(key, b, seen)
    if not found or type(key) ~= "table" and not is_same(value, other, seen) then return false end
    count = count + 1
  end
  for _ in next, b do
    count = count - 1
  end
  return count == 0
end

function is_same(a, b, seen)
  if type(a) ~= type(b) or math.type(a) ~= math.type(b) then return false end
  if type(a) == "table" then return is_same_table(a, b, seen) end
  if math.type(a) == "float" then return string.pack("d", a) == string.pack("d", b) end
  return a == b
end

--- Whether two packed lists are the same: types, subtypes, bits, which tables are one.
function M.is_same(a, b)
  if a.n ~= b.n then return false end
  local seen = {}
  for i = 1, a.n do
    if not is_same(a[i], b[i], seen) then return false end
  end
  return true
end

return M
