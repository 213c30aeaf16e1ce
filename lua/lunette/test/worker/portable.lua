--- What of busted's elements, traces and error values crosses to the controller: all that output
--- handlers read.
local M = {}

-- An error value may be anything, of any size: so much of it crosses.
local DEPTH_MAX <const>, VALUES_MAX <const> = 8, 1000

local SCALARS <const> = { string = true, number = true, boolean = true }

-- The part of a table that is plain data; `budget` is how many values may still be copied.
local function copy_table(value, depth, budget)
  local copy = {}
  for key, inner in next, value do
    if budget.left == 0 then break end
    budget.left = budget.left - 1
    if SCALARS[type(inner)] and SCALARS[type(key)] then
      copy[key] = inner
    elseif type(inner) == "table" and SCALARS[type(key)] and depth < DEPTH_MAX then
      copy[key] = copy_table(inner, depth + 1, budget)
    end
  end
  return copy
end

--- Any value, as far as it is data: of functions and the like their names remain.
---@param value any
---@return any
function M.value(value)
  if value == nil or SCALARS[type(value)] then return value end
  if type(value) == "table" then return copy_table(value, 1, { left = VALUES_MAX }) end
  local ok, text = pcall(tostring, value)
  return ok and text or type(value)
end

--- A trace: what debug.getinfo tells, a traceback, the raw error as `message`.
---@param trace table?
---@return table?
function M.trace(trace)
  if type(trace) ~= "table" then return nil end
  local copy = {}
  for key, value in next, trace do
    if key == "message" then
      copy[key] = M.value(value)
    elseif SCALARS[type(value)] then
      copy[key] = value
    end
  end
  return copy
end

--- An element without what it runs, its environment and its children.
---@param element table
---@return table
function M.element(element)
  local copy = { trace = M.trace(element.trace), attributes = {} }
  for key, value in next, element do
    if SCALARS[type(value)] then copy[key] = value end
  end
  copy.name = M.value(element.name)
  for key, value in next, element.attributes or {} do
    if SCALARS[type(value)] then copy.attributes[key] = value end
  end
  return copy
end

return M
