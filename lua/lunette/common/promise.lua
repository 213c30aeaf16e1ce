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
    others[n + 1], others[n + 2], others[n + 3] = fn, a or false, b or false -- no holes: #others
  end
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

local function thenable_method(value)
  if type(value) ~= "table" and type(value) ~= "userdata" then return nil end
  local ok, method = pcall(function()
    return arguments.is_callable(value.andThen) and value.andThen or value.next
  end)
  return ok and arguments.is_callable(method) and method or nil
end

local resolve

-- Both settle functions of one promise: the first call of either counts.
local function resolvers(self)
  local done = false
  return function(...)
    if done then return end
    done = true
    resolve(self, ...)
  end, function(reason)
    if done then return end
    done = true
    reject(self, reason, debug.traceback("", 2):sub(2))
  end
end

local function adopt_thenable(self, value, method)
  local on_fulfilled, on_rejected = resolvers(self)
  local ok, err = xpcall(method, catch, value, on_fulfilled, on_rejected)
  if not ok then on_rejected(err) end
end

--- Settles with the values, or follows the first one when it is a promise or like one.
function resolve(self, ...)
  local value = ...
  if self._state ~= "pending" or type(value) ~= "table" and type(value) ~= "userdata" then
    return settle(self, "fulfilled", ...)
  end
  if value == self and is_promise(value) then
    return reject(self, "a promise cannot be resolved with itself")
  end
  if is_promise(value) then return add_reaction(value, follow, self, value) end
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

-- Reaction of andThen: calls the handler for what happened, in a task of its own.
local function react(reaction, parent)
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
  local ok, value = xpcall(fn, catch)
  if ok and is_promise(value) then
    ok, value = value:pawait()
  end
  if not ok then return reject(child, value, take_traceback()) end
  follow(child, parent)
end

--- Calls fn() whatever happens, waits for a promise that it returns, then has the outcome of this
--- promise, unless fn fails: its failure wins.
---@param fn function?
---@return Promise
function Promise:finally(fn)
  check_self("finally", self)
  arguments.check("Promise:finally", 1, fn, "callable|nil")
  local child = new_pending()
  if not fn then
    add_reaction(self, follow, child, self)
    return child
  end
  add_reaction(self, function()
    start(run_finally, child, fn, self)
  end)
  return child
end

local function suspend(self)
  local co, wait = wait_begin()
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

-- Waits in the running coroutine until the promise has settled.
local function wait_for(self)
  if self._state == "pending" then return suspend(self) end
  if is_cancelled() then error(errors.AbortError(), 0) end
  self._handled = true
end

--- Suspends the running coroutine until the promise settles. Raises the rejection's reason as it
--- is, and AbortError when the task has been cancelled.
---@return any ... the values
function Promise:await()
  if getmetatable(self) ~= Promise then check_self("await", self) end
  wait_for(self)
  if self._state == "rejected" then error(self._value, 0) end
  local more = self._more
  if more then return unpack(more, 1, more.n) end
  return self._value
end

--- `await` that does not raise: true and the values, or false and the reason.
---@return boolean, any ...
function Promise:pawait()
  check_self("pawait", self)
  wait_for(self)
  return self._state == "fulfilled", values(self)
end

---@return "pending"|"fulfilled"|"rejected"
function Promise:status()
  check_self("status", self)
  return self._state
end

--- A promise that rejects with a TimeoutError when this one has not settled after ms milliseconds;
--- this one goes on.
---@param ms number
---@return Promise
function Promise:timeout(ms)
  check_self("timeout", self)
  arguments.check("Promise:timeout", 1, ms, "milliseconds")
  local child = new_pending()
  local timer = loop.timer(arguments.to_milliseconds(ms), 0, function()
    reject(child, errors.TimeoutError(ms))
  end)
  add_reaction(self, function()
    timer:close()
    follow(child, self)
  end)
  child._on_cancel = function()
    timer:close()
  end
  return child
end

-- The number of the wait of a coroutine for a promise.
local function find_wait(self, co)
  if self._a == co then return self._b end
  local others = self._others or {}
  for i = 2, #others, 3 do
    if others[i] == co then return others[i + 1] end
  end
end

-- Makes the task of an async function raise AbortError from now on. What it awaits is cancelled
-- unless somebody else waits for that too.
local function cancel_task(self, co)
  local awaited = self._awaits
  core.cancel(co)
  if not awaited then return end
  if not awaited._others then return awaited:cancel() end
  local wait = find_wait(awaited, co)
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
  local on_fulfilled, on_rejected = resolvers(self)
  local ok, err = xpcall(executor, catch, on_fulfilled, on_rejected)
  if not ok then reject(self, err, take_traceback()) end
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
  reject(self, reason, debug.traceback("", 2):sub(2))
  return self
end

--- Whether the value is a promise of Lunette.
---@return boolean
Promise.is = is_promise

--- The promise and its two functions.
---@return Promise, fun(...), fun(reason)
function Promise.withResolvers()
  local self = new_pending()
  return self, resolvers(self)
end

--- Fulfils with the values after ms milliseconds.
---@param ms number
---@return Promise
function Promise.delay(ms, ...)
  arguments.check("Promise.delay", 1, ms, "milliseconds")
  local self = new_pending()
  local packed = table.pack(...)
  local timer = loop.timer(arguments.to_milliseconds(ms), 0, function()
    self._timer:close()
    settle(self, "fulfilled", unpack(packed, 1, packed.n))
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

--- Lets `promise:cancel()` reach the task that settles it.
function M.own_task(promise, co)
  promise._task = co
  task_promises[co] = promise
end

return M
