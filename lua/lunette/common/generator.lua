--- `lunette.generator`: iterators whose bodies may also await.
local import = ...
local arguments = import "common.arguments"
local coroutines = import "common.coroutines"
local dotted = import "common.dotted"
local promises = import "common.promise"
local task = import "common.task"

local raw = coroutines.raw
local AWAITS = task.AWAITS

-- The body has failed: what it has to close is closed, as coroutine.wrap does.
local function fail(co, err)
  if raw.status(co) == "dead" then
    local ok, close_err = raw.close(co)
    if not ok then err = close_err end
  end
  error(err, 0)
end

-- nil and what the body came to; or, when the body awaits, a promise for that.
local function step(co, ok, ...)
  if not ok then fail(co, (...)) end
  if (...) ~= AWAITS then return nil, ... end
  local promise = promises.pending()
  task.expect(co, function(succeeded, ...)
    if not succeeded then return promises.reject(promise, ...) end
    promises.fulfil(promise, ...)
  end)
  return promise
end

--- An iterator over what fn yields. fn may also await: whoever iterates waits for it then, and
--- others who iterate have their turn afterwards.
---@param fn function
---@return function
local function generator(fn)
  arguments.check("lunette.generator", 1, fn, "function")
  local co = raw.create(fn)
  local awaited -- promise of the last step that awaited

  local function finish(promise, ...)
    if not promise then return ... end
    awaited = promise
    return promise:andThen():await() -- cancelling who iterates does not cancel the body
  end

  return function(...)
    while awaited and awaited:status() == "pending" do awaited:pawait() end
    if raw.status(co) == "dead" then return nil end
    return finish(step(co, raw.resume(co, ...)))
  end
end

return dotted("lunette", "generator", generator)
