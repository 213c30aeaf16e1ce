--- Calls between the two worlds of an isolated renderer. Either world runs this module.
---
--- What crosses is a clone; functions and promises in it become proxies. A function is known by a
--- number in the world that it is from, which counts how often the number went over; the other world
--- tells when it has dropped its proxy, with the count it saw, so that a number under way is kept.
local import = ...
local core_bridge = import "core.bridge"
local errors = import "common.errors"
local promises = import "common.promise"
local task = import "common.task"

local M = {}

-- Kinds of what stands for a function or promise: from the sender's world, or of the receiver's own.
local FUNCTION <const>, OWN_FUNCTION <const>, PROMISE <const> = 0, 1, 2

local last_id = 0
local function new_id()
  last_id = last_id + 1
  return last_id
end

-- Functions of this world that the other knows: by number {fn, count}, and number by function.
local exported, numbers = {}, {}

-- Functions of the other world: proxy by number, and by proxy {id, count}, both only while used.
local proxies = setmetatable({}, { __mode = "v" })
local remote = setmetatable({}, { __mode = "k" })

-- Calls into the other world that have not returned, and its promises that have not settled.
local calls, waiting = {}, {}

local Remote = {
  __gc = function(guard)
    task.enqueue(core_bridge.send, "release", guard)
  end,
}

local function export_function(fn)
  local guard = remote[fn]
  if guard then return guard.id, OWN_FUNCTION end
  local id = numbers[fn]
  if not id then
    id = new_id()
    numbers[fn], exported[id] = id, { fn = fn, count = 0 }
  end
  exported[id].count = exported[id].count + 1
  return id, FUNCTION
end

local function tell_settled(id, promise)
  promise:andThen(function(...)
    M.send_result("settle", id, true, ...)
  end, function(reason)
    M.send_result("settle", id, false, reason)
  end)
end

--- What stands for a function, or for a table with a metatable, on the way; nil for what has nothing.
local function export(value)
  if type(value) == "function" then return export_function(value) end
  if not promises.is(value) then return nil end
  local id = new_id()
  tell_settled(id, value)
  return id, PROMISE
end

local function outcome(call, ok, ...)
  if ok then return ... end
  error((...), 0)
end

local function finish(id)
  local call = calls[id]
  if call.done then
    calls[id] = nil
    return outcome(call, table.unpack(call, 1, call.n))
  end
  call.promise = promises.pending()
  return call.promise:await()
end

local function call_other(target, ...)
  local id = new_id()
  calls[id] = { done = false }
  local ok, err = pcall(core_bridge.send, "call", id, target, ...)
  if not ok then
    calls[id] = nil
    error(err, 3)
  end
  return finish(id)
end

local function new_proxy(id)
  local guard = setmetatable({ id = id, count = 0 }, Remote)
  local function proxy(...)
    local results = table.pack(call_other(guard.id, ...))
    return table.unpack(results, 1, results.n)
  end
  proxies[id], remote[proxy] = proxy, guard
  return proxy
end

--- The value for what stood for it; nil when it is nonsense.
local function import_value(id, kind)
  if kind == OWN_FUNCTION then return exported[id] and exported[id].fn end
  if kind == PROMISE then
    waiting[id] = promises.pending()
    return waiting[id]
  end
  local proxy = proxies[id] or new_proxy(id)
  remote[proxy].count = remote[proxy].count + 1
  return proxy
end

-- An error crosses like any value; a table keeps its fields and its text.
local function to_other(err)
  if type(err) == "table" then return { error = errors.to_wire(err) } end
  return { value = errors.to_wire({ value = err }).value }
end

local BridgedError = {
  __name = "Error",
  __tostring = function(err)
    return err.text or err.message
  end,
}

local function from_other(wire)
  if wire.error then return setmetatable(wire.error, BridgedError) end
  return wire.value
end

--- Sends how something came out; results that cannot cross become the error that says so.
function M.send_result(op, id, ok, ...)
  if ok then
    local sent, err = pcall(core_bridge.send, op, id, true, ...)
    if sent then return end
    core_bridge.send(op, id, false, { value = err })
  else
    core_bridge.send(op, id, false, to_other((...)))
  end
end

local receive = {}

-- The other world calls a function of this one.
receive["call"] = function(id, target, ...)
  local entry = exported[target]
  if not entry then return M.send_result("return", id, false, "the function is gone") end
  M.send_result("return", id, xpcall(entry.fn, task.catch, ...))
end

receive["return"] = function(id, ok, ...)
  local call = calls[id]
  if not call then return end
  local reason = not ok and from_other(...) or nil
  if call.promise then
    calls[id] = nil
    if ok then return promises.settle(call.promise, "fulfilled", ...) end
    return promises.reject(call.promise, reason)
  end
  call.done = true
  local results = ok and table.pack(true, ...) or table.pack(false, reason)
  table.move(results, 1, results.n, 1, call)
  call.n = results.n
end

receive["settle"] = function(id, ok, ...)
  local promise = waiting[id]
  waiting[id] = nil
  if not promise then return end
  if ok then
    promises.settle(promise, "fulfilled", ...)
  else
    promises.reject(promise, from_other(...))
  end
end

receive["release"] = function(guard)
  local entry = exported[guard.id]
  if not entry then return end
  entry.count = entry.count - guard.count
  if entry.count > 0 then return end
  exported[guard.id], numbers[entry.fn] = nil, nil
end

--- Lets the other world say `op`: fn(...) is called with what it says.
function M.on(op, fn)
  receive[op] = fn
end

--- Says something to the other world, which hears it before this returns. Raises when a value cannot
--- cross.
M.send = core_bridge.send

core_bridge.listen(function(op, ...)
  receive[op](...)
end, export, import_value)

return M
