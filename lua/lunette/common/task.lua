--- Tasks and microtasks: how code gets a coroutine of its own, and what runs at the end of a turn.
local import = ...
local core = import "core.task"
local report = import "common.report"

local traceback = debug.traceback
local M = {}

--- Yielded by a coroutine that awaits, so that whoever resumed it can tell it from a real yield. A
--- function, as comparing it calls no metamethod.
function M.AWAITS() end

--- Runs fn(...) in a pooled coroutine until it ends or first suspends. Never raises: an error is
--- reported as uncaught. Returns true when it ended; false and the coroutine when it suspended; nil
--- when it failed.
M.start = core.start

--- Calls fn(a, b) at the end of this turn, after what was queued before. `fn` must not raise.
M.enqueue = core.enqueue

-- Called when the queue has run empty the next time; may queue again.
local on_empty

--- Calls fn() once the queue has run empty, and schedules that.
---@param fn fun()
function M.when_empty(fn)
  on_empty = fn
  core.tell_empty()
end

-- The traceback of the error that `catch` saw last: whoever called xpcall takes it at once.
local caught

--- A message handler for xpcall that keeps the error as it is, and its traceback for
--- `take_traceback`.
function M.catch(err)
  caught = traceback("", 2):sub(2)
  return err
end

--- The traceback of the error that the last failed xpcall with `catch` returned.
---@return string?
function M.take_traceback()
  local text = caught
  caught = nil
  return text
end

-- Generators that wait for their body: coroutine to the function that gets what it yields.
local iterators = setmetatable({}, { __mode = "k" })

--- The next time the runtime has resumed `co` and it yields, ends or fails, calls
--- on_result(ok, ...) instead of reporting.
function M.expect(co, on_result)
  iterators[co] = on_result
end

local function on_foreign(co, ok, ...)
  local on_result = iterators[co]
  if on_result then
    iterators[co] = nil
    on_result(ok, ...)
  elseif not ok then
    report.on_uncaught(...)
  end
end

core.set_hooks {
  empty = function()
    on_empty()
  end,
  uncaught = function(err, where)
    report.on_uncaught(err, where)
  end,
  foreign = on_foreign,
}

return M
