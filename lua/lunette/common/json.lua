--- JSON for users (`lunette.json`), and argument lists for the links whose codec is "json".
---
--- What JSON text would not bring back exactly is an error. One thing changes all the same: a whole
--- float comes back as an integer, since JSON's 3 and 3.0 are one number.
local import = ...
local arguments = import "common.arguments"
local null = import("core.cjson").null

-- Loaded when they are first needed: most renderers never do.
local function reader()
  return import "common.json_reader"
end

local function writer()
  return import "common.json_writer"
end

-- What the runtime calls of this module, out of the sight of users.
local internal = {}

local json = setmetatable({
  --- JSON's null, and `lunette.null`.
  null = null,
}, { __index = internal })

--- The JSON text of a value. Raises for what JSON does not have, and names its place.
---@param value any a table with the keys 1 to n is a list, one with string keys an object; an empty
---one is an object unless `array` has marked it
---@return string
function json.encode(value)
  arguments.not_colon("json.encode", json, value)
  local ok, result = pcall(writer().write, value)
  if not ok then error(result, 2) end
  return result
end

--- The value of a JSON text. Raises for malformed text and for numbers that would not be exact.
---@param text string
---@return any value null is `lunette.null`, lists are marked as by `array`, and whole numbers are
---integers up to 2^53 (beyond, only those with a dot or an exponent are read, as floats)
function json.decode(text)
  arguments.not_colon("json.decode", json, text)
  arguments.check("json.decode", 1, text, "string")
  local ok, result = pcall(reader().read, text)
  if not ok then error(result, 2) end
  return result
end

--- Marks a table as a list, so that it is written as [] when it is empty.
---@param list? table changed and returned; a new one by default
---@return table
function json.array(list)
  arguments.not_colon("json.array", json, list)
  arguments.check("json.array", 1, list, "table|nil")
  local metatable, mark = getmetatable(list), writer().mark
  if metatable ~= nil and metatable ~= mark then
    arguments.fail("json.array", 1, "table without a metatable expected, got one with its own")
  end
  return setmetatable(list or {}, mark)
end

--- The JSON list of some values, nil as null.
---@param what "argument"|"result" what the reason calls the values, as in "argument 2.name"
---@param ... any
---@return string? text nil for what `encode` would raise for
---@return string? reason
function internal.encode_list(what, ...)
  local ok, result = pcall(writer().write_list, what, ...)
  if not ok then return nil, result end
  return result
end

--- The values of a JSON list: null is nil, and counts at the end too; a null inside of them is
--- `lunette.null`. Raises, without a position, for text that is no such list.
---@param text string
---@return any ...
function internal.decode_list(text)
  local items, count = reader().read_list(text)
  return table.unpack(items, 1, count)
end

return json
