--- `lunette.async`, `spawn`, `sleep`, `generator` and `promisify`.
local import = ...
local arguments = import "common.arguments"
local coroutines = import "common.coroutines"
local promises = import "common.promise"
local task = import "common.task"

local raw = coroutines.raw
local check = arguments.check
local M = {}

local function run_async(promise, fn, ...)
  promises.own_task(promise, raw.running())
  promises.conclude(promise, xpcall(fn, task.catch, ...))
end

local function spawn(fn, ...)
  local promise = promises.pending()
  task.start(run_async, promise, fn, ...)
  return promise
end

--- Calls fn(...) in a coroutine, until its first await at once; the promise for its results.
---@param fn function
---@return Promise
function M.spawn(fn, ...)
  check("lunette.spawn", 1, fn, "callable")
  local promise = spawn(fn, ...)
  return promise
end

--- A function that runs fn in a coroutine and returns its promise.
---@param fn function
---@return fun(...): Promise
function M.async(fn)
  check("lunette.async", 1, fn, "callable")
  return function(...)
    return spawn(fn, ...)
  end
end

--- Awaits for ms milliseconds.
---@param ms number
function M.sleep(ms)
  check("lunette.sleep", 1, ms, "milliseconds")
  promises.Promise.delay(ms):await()
end

-- What the generator's body came to, handed to the iterating coroutine.
local function step(co, ok, ...)
  if not ok then error((...), 0) end
  if (...) ~= task.AWAITS then return ... end
  local promise = promises.pending()
  task.expect(co, function(succeeded, ...)
    if succeeded then
      promises.settle(promise, "fulfilled", ...)
    else
      promises.reject(promise, ...) -- the error and its traceback
    end
  end)
  return promise:await()
end

--- An iterator over what fn yields; fn may also await, and whoever iterates waits for it then.
---@param fn function
---@return function
function M.generator(fn)
  check("lunette.generator", 1, fn, "function")
  local co = raw.create(fn)
  return function(...)
    if raw.status(co) == "dead" then return nil end
    local core = import "core.task"
    if core.is_waiting(co) then
      error("the generator's body awaits already for another caller", 2)
    end
    return step(co, raw.resume(co, ...))
  end
end

local function settle_callback(promise, err, ...)
  if err == nil then
    promises.settle(promise, "fulfilled", ...)
  else
    promises.reject(promise, err)
  end
end

-- luv's functions answer nil, message, name when they could not even start.
local function check_start(promise, first, message)
  if first == nil and message ~= nil then promises.reject(promise, message) end
end

--- For a function whose last argument is a callback (err, ...): the same function, returning a
--- promise for what comes behind err.
---@param fn function
---@return fun(...): Promise
function M.promisify(fn)
  check("lunette.promisify", 1, fn, "callable")
  return function(...)
    local promise = promises.pending()
    local args = table.pack(...)
    args[args.n + 1] = function(...)
      settle_callback(promise, ...)
    end
    check_start(promise, fn(table.unpack(args, 1, args.n + 1)))
    return promise
  end
end

return M
