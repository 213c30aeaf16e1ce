--- Keeps watch over the bodies of specs (files, describes, hooks, tests): what they return or leave
--- behind is awaited, what goes wrong beside them is their error, and they end in time.
---
--- All of it raises inside the body's own protected call, so that it takes busted's ordinary path.
local import = ...
local core_task = import "core.task"
local coroutines = import "common.coroutines"
local deadline = import "test.worker.deadline"
local loop = import "core.loop"
local process = import "common.process"
local promises = import "common.promise"
local report = import "common.report"
local traces = import "test.worker.traces"

local raw = coroutines.raw
local gethook, sethook = debug.gethook, debug.sethook
local M = {}

local DEADLOCK <const> = "waiting for something that can no longer happen"

-- The coroutine that busted runs in.
local co

-- Whether a body runs, and the errors that came meanwhile while it was not waiting.
local in_body, errors = false, {}

-- Promises of uv.run(), innermost last, which ends when the loop has nothing to wait for.
local loop_ends = {}

-- Whoever resumes a coroutine that yielded by itself cannot make the yield raise: a hook can.
local function raise_in_yield(reason)
  local hook, mask, count = gethook(co)
  sethook(co, function()
    sethook(co, hook, mask, count)
    error(reason, 0)
  end, "", 1)
  raw.resume(co)
end

--- Raises `reason` where busted's coroutine waits. False when it does not wait.
---@param reason any
---@return boolean
function M.interrupt(reason)
  if promises.interrupt(co, reason) then return true end
  if raw.status(co) ~= "suspended" or core_task.is_waiting(co) then return false end
  raise_in_yield(reason)
  return true
end

--- Nothing is left that the loop could wait for.
function M.on_idle()
  if #loop_ends > 0 then return M.end_loop_wait() end
  if not co or not M.interrupt(DEADLOCK) then loop.stop() end
end

--- Awaits that the loop has nothing to wait for, as uv.run() does.
function M.await_loop_end()
  local promise = promises.pending()
  loop_ends[#loop_ends + 1] = promise
  promise:await()
end

--- Ends the innermost of these waits.
function M.end_loop_wait()
  local promise = table.remove(loop_ends)
  if promise then promises.fulfil(promise) end
end

--- Awaits one turn of the loop.
function M.await_turn()
  local promise = promises.pending()
  local watcher
  watcher = loop.next_turn(function()
    watcher:close()
    promises.fulfil(promise)
  end)
  promise:await()
end

-- An error of nobody: of the body that runs, which is woken should it wait.
local function collect(err, traceback)
  traces.remember(err, traceback)
  if in_body and M.interrupt(err) then return end
  errors[#errors + 1] = { err, traceback }
end

-- What a spec's own listeners hear of is theirs.
local function unless_heard(event, otherwise)
  return function(err, second, third)
    local is_heard = process.process.listenerCount(event) > 0
    if is_heard then return otherwise(err, second, third) end
    collect(err, event == "uncaughtException" and second or third)
  end
end

local function raise_collected()
  local first = table.remove(errors, 1)
  if first then error(first[1], 0) end
end

local function print_collected()
  for _, entry in ipairs(errors) do
    report.warn(("%s\n%s"):format(report.describe(entry[1]), entry[2] or ""))
  end
  errors = {}
end

-- Inside the protected call, when the body has returned. A test's late rejections come within the
-- turn.
local function settle(descriptor, first, ...)
  if promises.is(first) then first:await() end
  if descriptor == "it" then M.await_turn() end
  raise_collected()
  return first, ...
end

local function guarded(descriptor, run, limit)
  return function(...)
    in_body = true
    deadline.start(limit)
    return settle(descriptor, run(...))
  end
end

-- What comes of a body that has failed is told beside its failure, and not taken for the next
-- one's.
local function finish(status, ...)
  deadline.stop()
  in_body = false
  if not status:success() then
    pcall(M.await_turn)
    print_collected()
  end
  return status, ...
end

--- Watches over the coroutine that busted runs in, and lets it go on.
---@param coroutine thread
function M.watch(coroutine)
  co = coroutine
  deadline.watch(coroutine, M.interrupt)
  report.on_uncaught = unless_heard("uncaughtException", report.on_uncaught)
  report.on_unhandled = unless_heard("unhandledRejection", report.on_unhandled)
  raw.resume(co)
end

--- Replaces the protected call of busted's core for the bodies.
---@param core table
function M.install(core)
  local safe = core.safe
  traces.install(core, deadline.raised)
  deadline.install(core)
  function core.safe(descriptor, run, element)
    local is_body = run == element.run or descriptor == "finally"
    if not is_body then return safe(descriptor, run, element) end
    local limit = deadline.limit_of(element)
    return finish(safe(descriptor, guarded(descriptor, run, limit), element))
  end
end

return M
