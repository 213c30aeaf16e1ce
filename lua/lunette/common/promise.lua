--- Promises of any number of values, and awaiting them in any coroutine.
---
--- Every invoke makes a promise, so it is one table of eight fields, made at once: its value (or,
--- when there is not exactly one, the packed values in `_more`) and its first reaction. A reaction
--- is a triple (fn, a, b) that becomes the microtask fn(a, b) when the promise settles; a waiting
--- coroutine is the triple (wake, coroutine, number of the wait). Further ones are in `_others`.
local import = ...
local arguments = import "common.arguments"
local core = import "core.task"
local errors = import "common.errors"
local loop = import "core.loop"
local report = import "common.report"
local task = import "common.task"

local wait_begin, wake, is_cancelled = core.wait_begin, core.wake, core.is_cancelled
local catch, take_traceback = task.catch, task.take_traceback
local start, enqueue = task.start, task.enqueue
local traceback = debug.traceback
local unpack, yield, AWAITS = table.unpack, coroutine.yield, task.AWAITS

---@class Promise
local Promise = {}
Promise.__index = Promise
Promise.__name = "Promise"

function Promise:__tostring()
  return ("Promise (%s)"):format(self._state)
end

-- Tasks that an async function's promise can cancel: coroutine to that promise.
local task_promises = setmetatable({}, { __mode = "k" })

-- Rejected promises to judge at the end of the turn.
local rejected, rejected_count = {}, 0

local function new_pending()
  return setmetatable({
    _state = "pending",
    _value = false,
    _fn = false,
    _a = false,
    _b = false,
    _on_cancel = false,
    _channel = false,
    _id = false,
  }, Promise)
end

local function is_promise(value)
  return type(value) == "table" and getmetatable(value) == Promise
end

local function add_reaction(self, fn, a, b)
  if self._state ~= "pending" then
    self._handled = true
    enqueue(fn, a, b)
  elseif not self._fn then
    self._fn, self._a, self._b = fn, a, b
  else
    local others = self._others or {}
    self._others = others
    local n = #others
    others[n + 1], others[n + 2], others[n + 3] = fn, a, b
  end
end

-- Takes three elements out of the array, from `index` on.
local function remove_three(list, index)
  table.move(list, index + 3, #list + 3, index)
end

-- Takes the reaction fn(a, b) out and returns b, because a promise that lives long must not keep
-- those who lost interest in it. Its rejection counts as handled all the same.
local function remove_reaction(self, fn, a)
  local others, b = self._others or {}
  if self._fn == fn and self._a == a then
    b = self._b
    self._fn, self._a, self._b = others[1] or false, others[2] or false, others[3] or false
    remove_three(others, 1)
  else
    local index = 1
    while others[index] and (others[index] ~= fn or others[index + 1] ~= a) do index = index + 3 end
    b = others[index + 2]
    remove_three(others, index)
  end
  if not others[1] then self._others = nil end
  self._handled = true
  return b
end

-- What a promise of no value has as `_more`.
local NOTHING <const> = { n = 0 }

local function store(self, ...)
  local n = select("#", ...)
  if n == 1 then
    self._value = ...
  else
    self._more = n == 0 and NOTHING or table.pack(...)
  end
end

local function values(self)
  local more = self._more
  if more then return unpack(more, 1, more.n) end
  return self._value
end

-- Whoever has not handled a rejection by now is told. A report may lead to further rejections: they
-- are judged after the microtasks that it also led to.
local function judge_rejections()
  local count, batch = rejected_count, rejected
  rejected, rejected_count = {}, 0
  for i = 1, count do
    local promise = batch[i]
    if not promise._handled then
      promise._handled = true
      report.on_unhandled(promise._value, promise)
    end
  end
end

local function note_rejection(self)
  rejected_count = rejected_count + 1
  rejected[rejected_count] = self
  task.when_empty(judge_rejections)
end

-- The promise has its outcome: its reactions are due.
local function run_reactions(self)
  local fn, others = self._fn, self._others
  self._on_cancel = false
  if not fn then return end
  enqueue(fn, self._a, self._b)
  self._fn, self._a, self._b = false, false, false
  if not others then return end
  self._others = nil
  for i = 1, #others, 3 do
    enqueue(others[i], others[i + 1], others[i + 2])
  end
end

--- Settles a pending promise with exactly these values, adopting none.
local function settle(self, state, ...)
  if self._state ~= "pending" then return end
  self._state = state
  store(self, ...)
  if state == "rejected" and not self._fn and not self._handled then note_rejection(self) end
  run_reactions(self)
end

local function reject(self, reason, where)
  if self._state == "pending" then self._traceback = where end
  settle(self, "rejected", reason)
end

-- Reaction: `self` becomes what `other`, which has settled, is.
local function follow(self, other)
  self._traceback = other._traceback
  settle(self, other._state, values(other))
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
  if self._state ~= "pending" or type(value) ~= "table" and type(value) ~= "userdata" then
    return settle(self, "fulfilled", ...)
  end
  if is_promise(value) then
    if value == self then return reject(self, "a promise cannot be resolved with itself") end
    return add_reaction(value, follow, self, value)
  end
  local method = thenable_method(value)
  if not method then return settle(self, "fulfilled", ...) end
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
  if reaction.child._state ~= "pending" then return end
  local handler = reaction[parent._state]
  if handler then
    start(run_handler, reaction.child, handler, parent)
  else
    follow(reaction.child, parent)
  end
end

local function check_self(name, self)
  if not is_promise(self) then arguments.check_self("Promise:" .. name, self, Promise, 3) end
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
  local reaction = { child = child, fulfilled = on_fulfilled, rejected = on_rejected }
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
    follow(child, done._state == "rejected" and done or parent)
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

local CANNOT_AWAIT <const> = "cannot await here: a C function on the stack (table.sort, "
  .. "string.gsub, tostring and the like) cannot be suspended; await before you call it"

-- Called by a method that the user called: hence the levels here and below.
local function suspend(self)
  local co, wait = wait_begin()
  if co == false then error(CANNOT_AWAIT, 3) end
  if not co then error(errors.AbortError(), 0) end
  if self._fn then
    add_reaction(self, wake, co, wait)
  else
    self._fn, self._a, self._b = wake, co, wait
  end
  local outer = task_promises[co]
  if outer then outer._awaits = self end
  yield(AWAITS)
  if outer then outer._awaits = nil end
  -- A wake-up without an outcome: the task was cancelled, the promise goes on for others.
  if self._state == "pending" then error(errors.AbortError(), 0) end
end

-- The promise has settled; the task that asks may have been cancelled.
local function check_cancelled(self)
  if is_cancelled() then error(errors.AbortError(), 0) end
  self._handled = true
end

--- Suspends the running coroutine until the promise settles. Raises the rejection's reason as it
--- is, AbortError when the task has been cancelled, and where a C function on the stack cannot be
--- suspended.
---@return any ... the values
function Promise:await()
  if getmetatable(self) ~= Promise then check_self("await", self) end
  if self._state == "pending" then suspend(self) else check_cancelled(self) end
  if self._state == "rejected" then error(self._value, 0) end
  local more = self._more
  if more then return unpack(more, 1, more.n) end
  return self._value
end

--- `await` that does not raise the reason: true and the values, or false and the reason.
---@return boolean, any ...
function Promise:pawait()
  check_self("pawait", self)
  if self._state == "pending" then suspend(self) else check_cancelled(self) end
  return self._state == "fulfilled", values(self)
end

---@return "pending"|"fulfilled"|"rejected"
function Promise:status()
  check_self("status", self)
  return self._state
end

-- Reaction: the promise has settled in time.
local function end_timeout(child, parent)
  child._timer:close()
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
    child._timer:close()
    remove_reaction(self, end_timeout, child)
  end
  child._on_cancel = stop
  child._timer = loop.timer(arguments.to_milliseconds(ms), 0, function()
    stop()
    reject(child, errors.TimeoutError(ms))
  end)
  add_reaction(self, end_timeout, child, self)
  return child
end

-- Makes the task of an async function raise AbortError from now on. What it awaits is cancelled
-- unless somebody else waits for that too.
local function cancel_task(self, co)
  local awaited = self._awaits
  core.cancel(co)
  if not awaited then return end
  if not awaited._others then return awaited:cancel() end
  local wait = remove_reaction(awaited, wake, co)
  if wait then enqueue(wake, co, wait) end
end

--- Rejects a pending promise with an AbortError; later outcomes are ignored. For an `invoke` the
--- other side is told; for an async function, its task is cancelled.
function Promise:cancel()
  check_self("cancel", self)
  if self._state ~= "pending" then return end
  local on_cancel, co = self._on_cancel, self._task
  self._handled = true
  reject(self, errors.AbortError())
  if on_cancel then on_cancel(self) end
  if co then cancel_task(self, co) end
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
  local timer = loop.timer(arguments.to_milliseconds(ms), 0, function()
    self._timer:close()
    settle(self, "fulfilled", unpack(results, 1, results.n))
  end)
  self._timer = timer
  self._on_cancel = function()
    timer:close()
  end
  return self
end

setmetatable(Promise, {
  __call = function(_, executor)
    return Promise.new(executor)
  end,
})

-- For the runtime's own modules, which settle promises that they made.
local M = { Promise = Promise, pending = new_pending, settle = settle, resolve = resolve }
M.reject, M.conclude, M.is = reject, conclude, is_promise
M.values, M.add_reaction, M.remove_reaction = values, add_reaction, remove_reaction

--- Lets `promise:cancel()` reach the task that settles it.
function M.own_task(promise, co)
  promise._task = co
  task_promises[co] = promise
end

--- The task has ended: its coroutine may be another's from now on.
function M.disown_task(promise, co)
  promise._task = nil
  task_promises[co] = nil
end

return M
