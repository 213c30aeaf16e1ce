--- What promises have, but for `await`: their methods, and the functions of `Promise`.
local import = ...
local arguments = import "common.arguments"
local core = import "core.promise"
local core_task = import "core.task"
local dotted = import "common.dotted"
local lazy = import "core.lazy"
local loop = import "core.loop"
local settle = import "common.settle"
local task = import "common.task"

local new_pending, state_of, values = core.pending, core.state, core.values
local add_reaction, remove_reaction = core.react, core.unreact
local fields, is_promise = core.fields, core.is
local fulfil, reject, resolve, follow = settle.fulfil, settle.reject, settle.resolve, settle.follow
local resolvers, conclude = settle.resolvers, settle.conclude
local catch, start, enqueue = task.catch, task.start, task.enqueue
local unpack = table.unpack
local errors = lazy.module "common.errors"
local Promise = import("common.promise").Promise

-- As in promise.h.
local PENDING <const>, FULFILLED <const>, REJECTED <const> = 0, 1, 2
local STATUS <const> = { [PENDING] = "pending", [FULFILLED] = "fulfilled", [REJECTED] = "rejected" }

local M = {}

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
function M:andThen(on_fulfilled, on_rejected)
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
function M:catch(on_rejected)
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
function M:finally(fn)
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

---@return "pending"|"fulfilled"|"rejected"
function M:status()
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
function M:timeout(ms)
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
function M:cancel()
  check_self("cancel", self)
  if state_of(self) ~= PENDING then return end
  local on_cancel, co = core.on_cancel(self), fields(self).task
  core.handle(self)
  reject(self, errors.AbortError())
  if on_cancel then on_cancel(self) end
  if co then cancel_task(co) end
end

--- Calls executor(resolve, reject) at once; an error in it rejects.
---@param executor fun(resolve: fun(...), reject: fun(reason))
---@return Promise
function M.new(executor)
  arguments.check("Promise.new", 1, executor, "callable")
  local self = new_pending()
  start(settle.run_executor, self, executor)
  return self
end

--- A promise fulfilled with the values; a promise (or one like it) is adopted.
---@return Promise
function M.resolve(...)
  if is_promise(...) then return (...) end
  local self = new_pending()
  resolve(self, ...)
  return self
end

---@return Promise rejected with the reason
function M.reject(reason)
  local self = new_pending()
  reject(self, reason, settle.traceback_of_caller())
  return self
end

--- The promise and its two functions.
---@return Promise, fun(...), fun(reason)
function M.withResolvers()
  local self = new_pending()
  local on_fulfilled, on_rejected = resolvers(self)
  return self, on_fulfilled, on_rejected
end

--- Fulfils with the values after ms milliseconds.
---@param ms number
---@return Promise
function M.delay(ms, ...)
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

--- Whether the value is a promise of Lunette.
---@return boolean
M.is = is_promise

for _, name in ipairs { "new", "resolve", "reject", "delay", "withResolvers", "is" } do
  M[name] = dotted("Promise", name, M[name])
end

return M
