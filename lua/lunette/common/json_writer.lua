--- Writes values as JSON text: exactly, or not at all, with an error that names the place.
---
--- lua-cjson escapes strings. The rest is here, because it prints 14 digits of a number and changes
--- in silence what JSON does not have (keys that are no strings, lists with holes).
---
--- A writer holds the pieces of text, the keys that lead to where it is, and the tables that it is
--- inside of; `depth` is how many keys, and tables, those are.
local import = ...
local cjson = import("core.cjson").new()

local MAX_DEPTH <const> = 1000
local MAX_EXACT <const> = 1 << 53
local KEY_SHOWN <const> = 64
local PATH_SHOWN <const> = 512

-- The buffer has room for six times the string's length: not one to keep.
cjson.encode_keep_buffer(false)

local M = {
  --- The metatable of a table that is a list also when it is empty.
  mark = { __name = "lunette.json.array" },
}

local math_type, type = math.type, type
local null, mark = cjson.null, M.mark

-- The place of an error is written as the clone codec does it.

local function quote(key)
  local shown = key:sub(1, KEY_SHOWN):gsub(utf8.len(key) and '[%c"\\]' or '[^ -~]', function(char)
    if char:find('["\\]') then return "\\" .. char end
    return ("\\%03d"):format(char:byte())
  end)
  return '"' .. shown .. (#key > KEY_SHOWN and "..." or "") .. '"'
end

local function step(key)
  local kind = type(key)
  if kind == "string" then
    local is_name = key:find("^[A-Za-z_][A-Za-z0-9_]*$") and #key <= KEY_SHOWN
    return is_name and "." .. key or "[" .. quote(key) .. "]"
  elseif kind == "number" or kind == "boolean" then
    return "[" .. tostring(key) .. "]"
  end
  return key == null and "[null]" or "[a " .. kind .. " key]"
end

local function fail(writer, depth, reason, ...)
  local steps = {}
  for index = 1, depth do
    steps[index] = step(writer.keys[index])
  end
  local path = table.concat(steps)
  if #path > PATH_SHOWN then path = path:sub(1, PATH_SHOWN) .. "..." end
  error(("could not encode %s%s: %s"):format(writer.root, path, reason:format(...)), 0)
end

local function fail_at_key(writer, depth, key, reason)
  writer.keys[depth + 1] = key
  fail(writer, depth + 1, reason)
end

local function put(writer, text)
  local count = writer.count + 1
  writer.count = count
  writer.pieces[count] = text
end

-- The fewest digits that read as the same number; the locale may have put another decimal point.
local function shortest(value)
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if digits == 17 or tonumber(text) == value then return (text:gsub("[^%w+-]+", ".")) end
  end
end

local function float_text(value)
  if value == 0 then return 1 / value < 0 and "-0.0" or "0" end
  local is_small = value >= -MAX_EXACT and value <= MAX_EXACT
  if is_small and value % 1 == 0 then return ("%d"):format(value) end
  local text = shortest(value)
  -- Digits alone would read as a whole number, of which so large ones are refused.
  return text:find("[.e]") and text or text .. ".0"
end

local function write_number(writer, value, depth)
  if math_type(value) == "integer" then
    if value > MAX_EXACT or value < -MAX_EXACT then
      fail(writer, depth, "%d is beyond 2^53, where JSON's numbers are not exact", value)
    end
    put(writer, ("%d"):format(value))
  elseif value ~= value then
    fail(writer, depth, "JSON has no NaN")
  elseif value == math.huge or value == -math.huge then
    fail(writer, depth, "JSON has no infinity")
  else
    put(writer, float_text(value))
  end
end

local function write_string(writer, value, depth)
  local length, bad = utf8.len(value)
  if not length then fail(writer, depth, "text that is not UTF-8 at byte %d", bad) end
  put(writer, cjson.encode(value))
end

local write_value

local function write_item(writer, key, value, depth)
  writer.keys[depth + 1] = key
  return write_value(writer, value, depth + 1)
end

-- Why a table is neither a list nor an object: raises.
local function fail_at_keys(writer, value, depth)
  local name, hole = nil, 1
  for key in next, value do
    if type(key) == "string" then
      name = key
    elseif math_type(key) ~= "integer" or key < 1 then
      fail_at_key(writer, depth, key, "a key that is not a string")
    end
  end
  if name then fail(writer, depth, "a list with the key %s", quote(name)) end
  while rawget(value, hole) ~= nil do
    hole = hole + 1
  end
  fail_at_key(writer, depth, hole, "a hole in a list")
end

local function write_sequence(writer, list, depth)
  local count, largest = 0, 0
  for key in next, list do
    if math_type(key) ~= "integer" or key < 1 then fail_at_keys(writer, list, depth) end
    count, largest = count + 1, key > largest and key or largest
  end
  if count ~= largest then fail_at_keys(writer, list, depth) end
  put(writer, "[")
  for index = 1, count do
    if index > 1 then put(writer, ",") end
    write_item(writer, index, rawget(list, index), depth)
  end
  put(writer, "]")
end

local function write_object(writer, object, depth)
  local before = "{"
  for key, value in next, object do
    if type(key) ~= "string" then fail_at_keys(writer, object, depth) end
    put(writer, before)
    writer.keys[depth + 1] = key
    write_string(writer, key, depth + 1)
    put(writer, ":")
    write_item(writer, key, value, depth)
    before = ","
  end
  put(writer, before == "{" and "{}" or "}")
end

local function write_table(writer, value, depth)
  if writer.open[value] then fail(writer, depth, "a table that is inside itself") end
  if depth == MAX_DEPTH then
    fail(writer, 0, "nested deeper than %d tables (limit depth)", MAX_DEPTH)
  end
  writer.open[value] = true
  local is_list = type(next(value)) == "number" or getmetatable(value) == mark
  local write = is_list and write_sequence or write_object
  write(writer, value, depth)
  writer.open[value] = nil
end

local WRITERS = {
  ["nil"] = function(writer) put(writer, "null") end,
  boolean = function(writer, value) put(writer, tostring(value)) end,
  number = write_number,
  string = write_string,
  table = write_table,
}

function write_value(writer, value, depth)
  local write = WRITERS[type(value)]
  if write then return write(writer, value, depth) end
  if value == null then return put(writer, "null") end
  fail(writer, depth, "a %s cannot be sent", type(value))
end

local function new_writer(root)
  return { pieces = {}, count = 0, keys = {}, open = {}, root = root }
end

--- The JSON text of a value. Raises, without a position, for what JSON does not have.
---@param value any
---@return string
function M.write(value)
  local writer = new_writer("argument 1")
  write_value(writer, value, 0)
  return table.concat(writer.pieces)
end

--- The JSON list of some values, nil as null. Raises like `write`.
---@param what "argument"|"result" what an error calls the values, as in "argument 2.name"
---@param ... any
---@return string
function M.write_list(what, ...)
  local writer, values = new_writer(), table.pack(...)
  for index = 1, values.n do
    put(writer, index == 1 and "[" or ",")
    writer.root = what .. " " .. index
    write_value(writer, values[index], 0)
  end
  put(writer, writer.count == 0 and "[]" or "]")
  return table.concat(writer.pieces)
end

return M
