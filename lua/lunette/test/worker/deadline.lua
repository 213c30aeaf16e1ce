--- Time limits of bodies: raised where the body waits, or, by a hook, where it computes. What can
--- be stopped by neither, C code, is left to the controller, which is told of each limit.
local import = ...
local core_os = import "core.os"
local loop = import "core.loop"

local M = {}

-- How many instructions go by between two looks at the clock.
local INSTRUCTIONS <const> = 10000

local co, interrupt
local core, default_limit
local timer, due, message
local on_limit

-- Limits that timeout() set, by element: of a describe or a file for all within it.
local limits = setmetatable({}, { __mode = "k" })

--- The coroutine whose time is limited, and what raises in it where it waits.
---@param coroutine thread
---@param raise fun(reason: any): boolean
function M.watch(coroutine, raise)
  co, interrupt = coroutine, raise
end

--- The run's busted and its limit; nil for none.
---@param busted_core table
---@param ms integer?
function M.install(busted_core, ms)
  core, default_limit = busted_core, ms
end

--- Calls fn(ms) at the start of every limited time, and fn(nil) at its end.
---@param fn fun(ms: integer?)
function M.on_limit(fn)
  on_limit = fn
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

local function on_count()
  if core_os.hrtime() > due then error(message, 0) end
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
  if not debug.gethook(co) then debug.sethook(co, on_count, "", INSTRUCTIONS) end
  on_limit(ms)
end

--- The time is not limited any more.
function M.stop()
  if not timer then return end
  timer:close()
  timer = nil
  if debug.gethook(co) == on_count then debug.sethook(co) end
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
