--- What the runtime says on standard error, and how it words errors.
local import = ...
local core_os = import "core.os"
local core_state = import "core.state"

local M = {}

--- Writes one line on standard error, or into the log of the program that hosts us.
---@param text string
---@param level "warn"|"error"|nil
function M.warn(text, level)
  if core_state.log(level or "warn", text) then return end
  core_os.write(2, "lunette: " .. text .. "\n")
end

local MOST_FIELDS <const> = 8

-- The first fields of a table that was raised, by name: {code = 5, message = "no paper"}.
local function fields_of(err)
  local texts = {}
  for key, value in next, err do
    local text = type(value) == "string" and ("%q"):format(value) or tostring(value)
    texts[#texts + 1] = ("%s = %s"):format(key, text)
  end
  table.sort(texts)
  if #texts > MOST_FIELDS then texts = table.move(texts, 1, MOST_FIELDS, 1, { [9] = "..." }) end
  return ("{%s}"):format(table.concat(texts, ", "))
end

--- The text of any error value, whatever its `tostring` does.
---@param value any
---@return string
function M.describe(value)
  local ok, text = pcall(tostring, value)
  if not ok then return "(an error whose tostring failed)" end
  if type(value) ~= "table" or getmetatable(value) then return text end
  local is_shown, fields = pcall(fields_of, value)
  return ("(error object is a table: %s)"):format(is_shown and fields or text)
end

-- The runtime's own frames.
local function is_ours(line)
  return line:find "^\tlunette/" ~= nil
end

-- What stands between frames of the runtime's, and is of no interest there.
local function is_between(line)
  return is_ours(line) or line:find "^\t%[C%]: in " ~= nil or line == "\t(...tail calls...)"
end

-- From `first` on in steps: the first line behind those that are the runtime's; `first` itself when
-- none is.
local function behind_ours(lines, first, step)
  local index, found = first, false
  while lines[index] and is_between(lines[index]) do
    found = found or is_ours(lines[index])
    index = index + step
  end
  return found and index or first
end

--- A traceback for people: without the runtime's frames above and below the program's. One that has
--- none of the program's stays as it is.
---@param traceback string
---@return string
function M.trace(traceback)
  local lines = {}
  for line in traceback:gmatch "[^\n]+" do lines[#lines + 1] = line end
  local first, last = behind_ours(lines, 2, 1), behind_ours(lines, #lines, -1)
  if first > last then return traceback end
  return lines[1] .. "\n" .. table.concat(lines, "\n", first, last)
end

return M
