--- `setTimeout`, `setInterval`, `setImmediate` and what clears them.
local import = ...
local arguments = import "common.arguments"
local dotted = import "common.dotted"
local loop = import "core.loop"

local check = arguments.check
local M = {}

-- Those that are under way, by id.
local active, last_id = {}, 0

-- What the timer calls: as a rule, when it repeats, the function itself.
local function make_callback(id, is_repeating, fn, ...)
  if is_repeating and select("#", ...) == 0 then return fn end
  local args = table.pack(...)
  return function()
    if not is_repeating then M.clearTimeout(id) end
    fn(table.unpack(args, 1, args.n))
  end
end

local function start(ms, is_repeating, fn, ...)
  local id = last_id + 1
  last_id = id
  local delay = arguments.to_milliseconds(ms)
  local interval = is_repeating and math.max(delay, 1) or 0
  active[id] = loop.timer(delay, interval, make_callback(id, is_repeating, fn, ...))
  return id
end

--- Calls fn(...) once, after ms milliseconds.
---@param fn function
---@param ms number?
---@return integer id for clearTimeout
function M.setTimeout(fn, ms, ...)
  check("lunette.setTimeout", 1, fn, "callable")
  check("lunette.setTimeout", 2, ms, "milliseconds|nil")
  return start(ms or 0, false, fn, ...)
end

--- Calls fn(...) every ms milliseconds.
---@param fn function
---@param ms number?
---@return integer id for clearInterval
function M.setInterval(fn, ms, ...)
  check("lunette.setInterval", 1, fn, "callable")
  check("lunette.setInterval", 2, ms, "milliseconds|nil")
  return start(ms or 0, true, fn, ...)
end

--- Calls fn(...) once, as soon as the loop has seen to what is waiting.
---@param fn function
---@return integer id for clearTimeout
function M.setImmediate(fn, ...)
  check("lunette.setImmediate", 1, fn, "callable")
  return start(0, false, fn, ...)
end

--- Stops the timer; an id that is not active, or nil, is ignored.
---@param id integer?
function M.clearTimeout(id)
  local timer = id ~= nil and active[id]
  if not timer then return end
  active[id] = nil
  timer:close()
end

M.clearInterval = M.clearTimeout

for name, fn in pairs(M) do
  M[name] = dotted("lunette", name, fn)
end

return M
