--- Reads JSON text: exactly, or not at all.
---
--- lua-cjson parses. A scan of the text finds what it does not tell: which tables were [] (it makes
--- the same of [] and {}), and numbers that it has rounded. Most texts have neither, and a scan
--- costs ten times the parsing, so it is kept for those that may.
local import = ...
local cjson = import "core.cjson"
local mark = import("common.json_writer").mark

local MAX_DEPTH <const> = 1000
local MAX_EXACT <const> = 1 << 53
local EMPTY_LIST <const> = "%[[ \t\r\n]*%]"
-- How a list may begin that is empty but for white space.
local SPACED_STARTS <const> = { "[ ", "[\n", "[\t", "[\r" }
-- Stands for an item in what were empty lists. No valid text contains this byte.
local NOTHING <const> = "\xFF"

local M = {}

local math_abs, math_tointeger, math_type, type = math.abs, math.tointeger, math.type, type

-- cjson reads numbers by the decimal point of the locale at the time an instance is made.
local decimal_point

local function current_decimal_point()
  return ("%.1f"):format(0.5)
end

local function renew_cjson()
  cjson = cjson.new()
  cjson.decode_invalid_numbers(false)
  cjson.decode_max_depth(MAX_DEPTH + 1)
  decimal_point = current_decimal_point()
end

local function fail(reason, ...)
  error("could not decode: " .. reason:format(...), 0)
end

-- A token is a run of what numbers consist of; one that is no number at all is left to cjson.
local function check_number(token, position)
  local value = tonumber(token)
  if token:find("%.[^%d]") or token:find("%.$") then
    fail("malformed number %s at character %d", token, position)
  elseif not value then
    return
  elseif token:find("[.eE]") then
    if value == math.huge or value == -math.huge then
      fail("%s at character %d is beyond all numbers", token, position)
    end
  elseif math_type(value) == "float" or value > MAX_EXACT or value < -MAX_EXACT then
    fail("%s at character %d is beyond 2^53, where numbers are not exact", token, position)
  end
end

-- Where the text goes on behind a string whose first character is here.
local function skip_string(text, position)
  while true do
    position = text:find('["\\]', position)
    if not position then return #text + 1 end
    if text:sub(position, position) == '"' then return position + 1 end
    position = position + 2
  end
end

-- Checks the numbers, and returns the text with something in the empty lists.
local function scan(text)
  local pieces, position = {}, 1
  while position <= #text do
    local quote = text:find('"', position, true) or #text + 1
    local plain = text:sub(position, quote - 1)
    for at, token in plain:gmatch("()(-?%d[%d.eE+-]*)") do
      check_number(token, position + at - 1)
    end
    pieces[#pieces + 1] = plain:gsub(EMPTY_LIST, '["' .. NOTHING .. '"]')
    position = skip_string(text, quote + 1)
    pieces[#pieces + 1] = text:sub(quote, position - 1)
  end
  return table.concat(pieces)
end

-- Whether a text may have an empty list, or a number that ends in a dot, which cjson lets pass.
-- Finding a plain text is a hundred times as fast as finding a pattern.
local function needs_scan(text)
  if text:find("[]", 1, true) or text:sub(-1) == "." then return true end
  if text:find(".", 1, true) and text:find("%d%.[^%d]") then return true end
  for _, start in ipairs(SPACED_STARTS) do
    if text:find(start, 1, true) then return text:find(EMPTY_LIST) ~= nil end
  end
  return false
end

local function check_text(text)
  local length, bad = utf8.len(text)
  if not length then fail("text that is not UTF-8 at character %d", bad) end
  local zero = text:find("\0", 1, true)
  if zero then fail("a zero byte at character %d", zero) end
end

---@class JsonReader what `settle` needs to know
---@field text string
---@field is_scanned boolean

---@return any value as cjson makes it
---@return JsonReader
local function parse(text)
  check_text(text)
  if decimal_point ~= current_decimal_point() then renew_cjson() end
  local reader = { text = text, is_scanned = needs_scan(text) }
  local ok, value = pcall(cjson.decode, reader.is_scanned and scan(text) or text)
  -- The second try is for the position in the message: the scan moves the text about.
  if not ok then ok, value = pcall(cjson.decode, text) end
  if not ok then fail("%s", (value:gsub("^%u", string.lower))) end
  return value, reader
end

local function settle_number(reader, number)
  if number >= MAX_EXACT or number <= -MAX_EXACT then
    if not reader.is_scanned then scan(reader.text) end
    reader.is_scanned = true
    return math_abs(number) > MAX_EXACT and number or math_tointeger(number)
  end
  if number == 0 and 1 / number < 0 then return number end
  return math_tointeger(number) or number
end

-- Turns what cjson made into what we promise: whole numbers, marked lists. Tables are kept.
local function settle(reader, value, depth)
  if type(value) == "number" then return settle_number(reader, value) end
  if type(value) ~= "table" then return value end
  if depth == MAX_DEPTH then fail("more than %d tables inside one another", MAX_DEPTH) end
  local first = value[1]
  if first ~= nil then setmetatable(value, mark) end
  if first == NOTHING then value[1] = nil end
  for key, item in next, value do
    local kind = type(item)
    if kind == "number" then
      value[key] = settle_number(reader, item)
    elseif kind == "table" then
      settle(reader, item, depth + 1)
    end
  end
  return value
end

--- The value of a JSON text. Raises, without a position, for what is not one, or is not exact.
---@param text string
---@return any value null is lua-cjson's; lists have the metatable of `json_writer`
function M.read(text)
  local value, reader = parse(text)
  return settle(reader, value, 0)
end

--- The items of a JSON list; a null among them (not inside of one) is nil. Raises like `read`.
---@param text string
---@return table items with gaps
---@return integer count
function M.read_list(text)
  local items, reader = parse(text)
  if not text:find("^[ \t\r\n]*%[") then fail("a list expected") end
  if items[1] == NOTHING then return {}, 0 end
  local count = #items
  for index = 1, count do
    local item = settle(reader, items[index], 0)
    if item == cjson.null then item = nil end
    items[index] = item
  end
  return items, count
end

return M
