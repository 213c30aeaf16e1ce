--- Time limits of bodies: raised where the body waits, or, by a hook, where it computes. What can
--- be stopped by neither, C code, is left to the controller, which is told of each limit.
local import = ...
local core_os = import "core.os"
local loop = import "core.loop"

local gethook, sethook = debug.gethook, debug.sethook
local M = {}

-- How many instructions go by between two looks at the clock.
local INSTRUCTIONS <const> = 10000

local co, interrupt
local core, default_limit
local timer, due, message, is_past
local on_limit

-- Limits that timeout() set, by element: of a describe or a file for all within it.
local limits = setmetatable({}, { __mode = "k" })

--- The coroutine whose time is limited, and what raises in it where it waits.
---@param coroutine thread
---@param raise fun(reason: any): boolean
function M.watch(coroutine, raise)
  co, interrupt = coroutine, raise
end

--- The busted whose elements have the limits.
---@param busted_core table
function M.install(busted_core)
  core = busted_core
end

--- The run's limit, nil for none; fn(ms) is called at the start of every limited time, and fn(nil)
--- at its end.
---@param ms integer?
---@param fn fun(ms: integer?)
function M.set_default(ms, fn)
  default_limit, on_limit = ms, fn
end

--- The limit of an element's body: its own, that of the nearest block around it, or the run's.
---@return integer?
function M.limit_of(element)
  while element do
    if limits[element] then return limits[element] end
    element = core.context.parent(element)
  end
  return default_limit
end

local on_count

-- From then on each instruction raises, so that no protected call of the spec's holds it up. (The
-- handler of an error that a hook has raised is not hooked.)
function on_count()
  if core_os.hrtime() < due then return end
  is_past = true
  sethook(co, on_count, "", 1)
  error(message, 0)
end

--- An error has left a body: if it was for its time, that is not limited any more.
function M.raised()
  if is_past then M.stop() end
end

--- Limits what follows, until `stop`, to that time from now.
---@param ms integer?
function M.start(ms)
  M.stop()
  if not ms or ms == 0 then return end
  due, message = core_os.hrtime() + ms * 1000000, ("timeout of %d ms exceeded"):format(ms)
  timer = loop.timer(ms, 0, function()
    interrupt(message)
  end)
  timer:ref(false)
  is_past = false
  if not gethook(co) then sethook(co, on_count, "", INSTRUCTIONS) end
  on_limit(ms)
end

--- The time is not limited any more.
function M.stop()
  if not timer then return end
  timer:close()
  timer = nil
  if gethook(co) == on_count then sethook(co) end
  on_limit(nil)
end

--- Limits the running body, and with a file's or a describe's all that is within it.
---@param ms integer 0 for no limit
function M.set(ms)
  local element = core.context.get()
  if element.descriptor ~= "it" then limits[element] = ms end
  M.start(ms)
end

return M
