--- `lunette.async`, `spawn`, `sleep` and `promisify`.
local import = ...
local arguments = import "common.arguments"
local coroutines = import "common.coroutines"
local dotted = import "common.dotted"
local promises = import "common.promise"
local task = import "common.task"

local running = coroutines.raw.running
local check = arguments.check
local M = {}

local function conclude(promise, ...)
  promises.disown_task(promise)
  promises.conclude(promise, ...)
end

local function run_async(promise, fn, ...)
  local co = running()
  promises.own_task(promise, co)
  conclude(promise, xpcall(fn, task.catch, ...))
end

local function spawn(fn, ...)
  local promise = promises.pending()
  task.start(run_async, promise, fn, ...)
  return promise
end

--- Calls fn(...) in a coroutine; the promise for its results. It runs at once until it awaits.
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
  return promises.Promise.delay(ms):await()
end

local function settle_callback(promise, err, ...)
  if err then
    promises.reject(promise, err)
  else
    promises.fulfil(promise, ...)
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

for name, fn in pairs(M) do
  M[name] = dotted("lunette", name, fn)
end

return M
