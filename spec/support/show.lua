-- SPDX-License-Identifier: MIT
--- Values as text in which types show; goes into the apps under test.
local M = {}

local show

local function show_key(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" and key or "[" .. show(key) .. "]"
end

local function show_table(value, seen)
  if seen[value] then return "<" .. seen[value] .. ">" end
  seen.count = (seen.count or 0) + 1
  seen[value] = seen.count
  local parts, rest = {}, {}
  for index, item in ipairs(value) do
    parts[index] = show(item, seen)
  end
  for key, item in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > #parts then
      rest[#rest + 1] = show_key(key) .. " = " .. show(item, seen)
    end
  end
  table.sort(rest)
  table.move(rest, 1, #rest, #parts + 1, parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end

--- A value as Lua text; errors of the runtime's by their tostring.
function show(value, seen)
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") end
  if math.type(value) == "float" and value % 1 == 0 then return ("%.1f"):format(value) end
  if type(value) ~= "table" then return type(value) == "userdata" and "null" or tostring(value) end
  if getmetatable(value) and getmetatable(value).__tostring then return tostring(value) end
  return show_table(value, seen or {})
end

M.show = show

--- Prints the values.
function M.say(...)
  local texts = table.pack(...)
  for i = 1, texts.n do
    texts[i] = show(texts[i])
  end
  print(table.concat(texts, " "))
end

return M
