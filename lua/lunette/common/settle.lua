--- How promises settle: what `common.promise` has for the runtime's own modules, which settle
--- promises that they made.
local import = ...
local arguments = import "common.arguments"
local core = import "core.promise"
local coroutines = import "common.coroutines"
local core_task = import "core.task"
local lazy = import "core.lazy"
local task = import "common.task"

local state_of, values, fields = core.state, core.values, core.fields
local add_reaction, remove_reaction = core.react, core.unreact
local catch, take_traceback = task.catch, task.take_traceback
local start, enqueue = task.start, task.enqueue
local is_promise, traceback = core.is, debug.traceback
local running = coroutines.raw.running
local errors, report = lazy.module "common.errors", lazy.module "common.report"

-- As in promise.h.
local PENDING <const>, FULFILLED <const>, REJECTED <const> = 0, 1, 2

-- Rejected promises to judge at the end of the turn.
local rejected, rejected_count = {}, 0

-- Whoever has not handled a rejection by now is told. A report may lead to further rejections: they
-- are judged after the microtasks that it also led to.
local function judge_rejections()
  local count, batch = rejected_count, rejected
  rejected, rejected_count = {}, 0
  for i = 1, count do
    local promise = batch[i]
    if not core.handle(promise) then
      report.on_unhandled(values(promise), promise, fields(promise).traceback)
    end
  end
end

local function note_rejection(self)
  rejected_count = rejected_count + 1
  rejected[rejected_count] = self
  task.when_empty(judge_rejections)
end

--- Settles a pending promise with exactly these values, adopting none.
local function fulfil(self, ...)
  core.settle(self, FULFILLED, ...)
end

local function reject(self, reason, where)
  if state_of(self) ~= PENDING then return end
  if where then fields(self).traceback = where end
  if not core.is_handled(self) then note_rejection(self) end
  core.settle(self, REJECTED, reason)
end

-- Reaction: `self` becomes what `other`, which has settled, is.
local function follow(self, other)
  if state_of(other) == FULFILLED then return fulfil(self, values(other)) end
  reject(self, values(other), fields(other).traceback)
end

-- A metatable may raise for a field that is not there: such a value is like any other.
local function find_method(value)
  local method = value.andThen
  if arguments.is_callable(method) then return method end
  method = value.next
  return arguments.is_callable(method) and method
end

local function thenable_method(value)
  local ok, method = pcall(find_method, value)
  return ok and method
end

local resolve

local function traceback_of_caller()
  return traceback("", 3):sub(2)
end

-- Both settle functions of one promise, and what is behind them: once(settle_with, ...) settles by
-- settle_with(promise, ...). The first call of any counts.
local function resolvers(self)
  local is_done = false
  local function once(settle_with, ...)
    if is_done then return end
    is_done = true
    settle_with(self, ...)
  end
  return function(...)
    once(resolve, ...)
  end, function(reason)
    once(reject, reason, traceback_of_caller())
  end, once
end

local function conclude_once(once, ok, err)
  if not ok then once(reject, err, take_traceback()) end
end

local function adopt_thenable(self, value, method)
  local on_fulfilled, on_rejected, once = resolvers(self)
  conclude_once(once, xpcall(method, catch, value, on_fulfilled, on_rejected))
end

--- Settles with the values, or follows the first one when it is a promise or like one.
function resolve(self, ...)
  local value = ...
  if state_of(self) ~= PENDING or type(value) ~= "table" and type(value) ~= "userdata" then
    return fulfil(self, ...)
  end
  if is_promise(value) then
    if value == self then return reject(self, "a promise cannot be resolved with itself") end
    return add_reaction(value, follow, self, value)
  end
  local method = thenable_method(value)
  if not method then return fulfil(self, ...) end
  enqueue(function()
    start(adopt_thenable, self, value, method)
  end)
end

-- What a protected call of a callback came to becomes the promise's fate.
local function conclude(self, ok, ...)
  if ok then return resolve(self, ...) end
  reject(self, (...), take_traceback())
end

local function run_executor(self, executor)
  local on_fulfilled, on_rejected, once = resolvers(self)
  conclude_once(once, xpcall(executor, catch, on_fulfilled, on_rejected))
end

-- What a coroutine that was woken without an outcome raises, if not an AbortError.
local interruptions = setmetatable({}, { __mode = "k" })

local M = {
  fulfil = fulfil, reject = reject, follow = follow, resolve = resolve, resolvers = resolvers,
  conclude = conclude, run_executor = run_executor, traceback_of_caller = traceback_of_caller,
}

--- For a coroutine that must not go on waiting.
function M.raise_abort()
  local co = running()
  local interruption = interruptions[co]
  interruptions[co] = nil
  error(interruption and interruption.reason or errors.AbortError(), 0)
end

--- For a method that was called with something else than a promise.
function M.raise_self(method)
  arguments.check_self("Promise:" .. method, nil, import("common.promise").Promise, 3)
end

--- Makes the coroutine's await raise `reason`; what it awaits goes on. False when it awaits
--- nothing.
function M.interrupt(co, reason)
  local awaited = core_task.awaited(co)
  local wait = awaited and remove_reaction(awaited, core_task.wake, co)
  if not wait then return false end
  interruptions[co] = { reason = reason }
  return core_task.wake(co, wait)
end

--- Where the promise was rejected, if that is known.
---@return string?
function M.traceback(promise)
  return fields(promise).traceback
end

--- Lets `promise:cancel()` reach the task that settles it.
function M.own_task(promise, co)
  fields(promise).task = co
end

--- The task has ended: its coroutine may be another's from now on.
function M.disown_task(promise)
  fields(promise).task = nil
end

return M
