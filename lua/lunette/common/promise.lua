--- Promises of any number of values, and awaiting them in any coroutine.
---
--- What every promise does is in C (runtime/bind/promise.h, which says what a reaction is); here is
--- what is built on it. `core.fields(promise)` has what few promises have: `traceback` of the
--- rejection, `timer`, `task` that settles it.
local import = ...
local arguments = import "common.arguments"
local core = import "core.promise"
local core_task = import "core.task"
local lazy = import "common.lazy"
local loop = import "core.loop"
local report = import "common.report"
local task = import "common.task"

local new_pending, state_of, values = core.pending, core.state, core.values
local add_reaction, remove_reaction = core.react, core.unreact
local fields, is_promise = core.fields, core.is
local catch, take_traceback = task.catch, task.take_traceback
local start, enqueue = task.start, task.enqueue
local running = coroutine.running
local traceback = debug.traceback
local unpack = table.unpack
local errors = lazy.module "common.errors"

-- As in promise.h.
local PENDING <const>, FULFILLED <const>, REJECTED <const> = 0, 1, 2
local STATUS <const> = { [PENDING] = "pending", [FULFILLED] = "fulfilled", [REJECTED] = "rejected" }

---@class Promise
local Promise = {}
Promise.__index = Promise
Promise.__name = "Promise"

function Promise:__tostring()
  return ("Promise (%s)"):format(STATUS[state_of(self)])
end

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

local function run_handler(child, handler, parent)
  conclude(child, xpcall(handler, catch, values(parent)))
end

-- Reaction of andThen: calls the handler for what happened, in a task of its own; not when its
-- promise was cancelled.
local function react(reaction, parent)
  if state_of(reaction.child) ~= PENDING then return end
  local handler = reaction[state_of(parent)]
  if handler then
    start(run_handler, reaction.child, handler, parent)
  else
    follow(reaction.child, parent)
  end
end

local function check_self(name, self)
  if not is_promise(self) then arguments.check_self("Promise:" .. name, nil, Promise, 3) end
end

--- A promise for what the callback returns. A callback never runs before the current turn's entry
--- has returned to the loop. Without a callback for what happened, the outcome is passed on.
---@param on_fulfilled function? called with the values
---@param on_rejected function? called with the reason
---@return Promise
function Promise:andThen(on_fulfilled, on_rejected)
  check_self("andThen", self)
  arguments.check("Promise:andThen", 1, on_fulfilled, "callable|nil")
  arguments.check("Promise:andThen", 2, on_rejected, "callable|nil")
  local child = new_pending()
  local reaction = { child = child, [FULFILLED] = on_fulfilled, [REJECTED] = on_rejected }
  add_reaction(self, react, reaction, self)
  return child
end

--- `andThen(nil, on_rejected)`.
---@return Promise
function Promise:catch(on_rejected)
  check_self("catch", self)
  arguments.check("Promise:catch", 1, on_rejected, "callable|nil")
  return self:andThen(nil, on_rejected)
end

local function run_finally(child, fn, parent)
  local done = new_pending()
  conclude(done, xpcall(fn, catch))
  add_reaction(done, function()
    follow(child, state_of(done) == REJECTED and done or parent)
  end, false, false)
end

local function start_finally(reaction, parent)
  start(run_finally, reaction.child, reaction.fn, parent)
end

--- Calls fn() whatever happens, waits for a promise that it returns, then has the outcome of this
--- promise, unless fn fails: its failure wins.
---@param fn function?
---@return Promise
function Promise:finally(fn)
  check_self("finally", self)
  arguments.check("Promise:finally", 1, fn, "callable|nil")
  local child = new_pending()
  if fn then
    add_reaction(self, start_finally, { child = child, fn = fn }, self)
  else
    add_reaction(self, follow, child, self)
  end
  return child
end

-- What a coroutine that was woken without an outcome raises, if not an AbortError.
local interruptions = setmetatable({}, { __mode = "k" })

local function raise_abort()
  local co = running()
  local interruption = interruptions[co]
  interruptions[co] = nil
  error(interruption and interruption.reason or errors.AbortError(), 0)
end

core.set_class(Promise, task.AWAITS, {
  raise_abort = raise_abort,
  raise_self = function(method) arguments.check_self("Promise:" .. method, nil, Promise, 3) end,
})

--- Suspends the running coroutine until the promise settles. Raises the rejection's reason as it
--- is, AbortError when the task has been cancelled, and where a C function on the stack cannot be
--- suspended.
---@type fun(self: Promise): any ... the values
Promise.await = Promise.await

--- `await` that does not raise the reason: true and the values, or false and the reason.
---@type fun(self: Promise): boolean, any ...
Promise.pawait = Promise.pawait

---@return "pending"|"fulfilled"|"rejected"
function Promise:status()
  check_self("status", self)
  return STATUS[state_of(self)]
end

-- Reaction: the promise has settled in time.
local function end_timeout(child, parent)
  fields(child).timer:close()
  follow(child, parent)
end

--- A promise that rejects with a TimeoutError when this one has not settled after ms milliseconds;
--- this one goes on.
---@param ms number
---@return Promise
function Promise:timeout(ms)
  check_self("timeout", self)
  arguments.check("Promise:timeout", 1, ms, "milliseconds")
  local child = new_pending()
  local function stop()
    fields(child).timer:close()
    remove_reaction(self, end_timeout, child)
  end
  core.set_on_cancel(child, stop)
  fields(child).timer = loop.timer(arguments.to_milliseconds(ms), 0, function()
    stop()
    reject(child, errors.TimeoutError(ms))
  end)
  add_reaction(self, end_timeout, child, self)
  return child
end

-- Makes the coroutine's await raise `reason`; what it awaits goes on. False when it awaits nothing.
local function interrupt(co, reason)
  local awaited = core_task.awaited(co)
  local wait = awaited and remove_reaction(awaited, core_task.wake, co)
  if not wait then return false end
  interruptions[co] = { reason = reason }
  return core_task.wake(co, wait)
end

-- Makes the task of an async function raise AbortError from now on. What it awaits is cancelled
-- unless somebody else waits for that too.
local function cancel_task(co)
  local awaited = core_task.awaited(co)
  core_task.cancel(co)
  if not awaited then return end
  if core.reactions(awaited) <= 1 then return awaited:cancel() end
  local wait = remove_reaction(awaited, core_task.wake, co)
  if wait then enqueue(core_task.wake, co, wait) end
end

--- Rejects a pending promise with an AbortError; later outcomes are ignored. For an `invoke` the
--- other side is told; for an async function, its task is cancelled.
function Promise:cancel()
  check_self("cancel", self)
  if state_of(self) ~= PENDING then return end
  local on_cancel, co = core.on_cancel(self), fields(self).task
  core.handle(self)
  reject(self, errors.AbortError())
  if on_cancel then on_cancel(self) end
  if co then cancel_task(co) end
end

local function run_executor(self, executor)
  local on_fulfilled, on_rejected, once = resolvers(self)
  conclude_once(once, xpcall(executor, catch, on_fulfilled, on_rejected))
end

--- Calls executor(resolve, reject) at once; an error in it rejects.
---@param executor fun(resolve: fun(...), reject: fun(reason))
---@return Promise
function Promise.new(executor)
  arguments.check("Promise.new", 1, executor, "callable")
  local self = new_pending()
  start(run_executor, self, executor)
  return self
end

--- A promise fulfilled with the values; a promise (or one like it) is adopted.
---@return Promise
function Promise.resolve(...)
  if is_promise(...) then return (...) end
  local self = new_pending()
  resolve(self, ...)
  return self
end

---@return Promise rejected with the reason
function Promise.reject(reason)
  local self = new_pending()
  reject(self, reason, traceback_of_caller())
  return self
end

--- Whether the value is a promise of Lunette.
---@return boolean
Promise.is = is_promise

--- The promise and its two functions.
---@return Promise, fun(...), fun(reason)
function Promise.withResolvers()
  local self = new_pending()
  local on_fulfilled, on_rejected = resolvers(self)
  return self, on_fulfilled, on_rejected
end

--- Fulfils with the values after ms milliseconds.
---@param ms number
---@return Promise
function Promise.delay(ms, ...)
  arguments.check("Promise.delay", 1, ms, "milliseconds")
  local self = new_pending()
  local results = table.pack(...)
  local timer
  timer = loop.timer(arguments.to_milliseconds(ms), 0, function()
    timer:close()
    fulfil(self, unpack(results, 1, results.n))
  end)
  core.set_on_cancel(self, function()
    timer:close()
  end)
  return self
end

setmetatable(Promise, {
  __call = function(_, executor)
    return Promise.new(executor)
  end,
})

-- For the runtime's own modules, which settle promises that they made.
local M = { Promise = Promise, pending = new_pending, fulfil = fulfil, resolve = resolve }
M.reject, M.conclude, M.is = reject, conclude, is_promise
M.values, M.add_reaction, M.remove_reaction = values, add_reaction, remove_reaction

M.interrupt = interrupt
M.on_cancel, M.handle, M.question = core.set_on_cancel, core.handle, core.question
M.is_handled = core.is_handled

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
