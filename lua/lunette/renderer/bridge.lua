--- Calls between the two worlds of an isolated renderer. Either world runs this module.
---
--- What crosses is a clone; functions and promises in it become proxies. A function is known by a
--- number in the world that it is from, until the other world tells that it has dropped its proxy.
local import = ...
local core_bridge = import "core.bridge"
local errors = import "common.errors"
local promises = import "common.promise"
local report = import "common.report"
local task = import "common.task"

local ask = core_bridge.ask
local DONE <const>, FAILED <const> = core_bridge.DONE, core_bridge.FAILED
local PENDING <const>, UNSENT <const> = core_bridge.PENDING, core_bridge.UNSENT

local M = {}

-- Functions of this world that the other knows, both ways; promises while a message carries them.
local exported, numbers = {}, {}

-- Functions of the other world: proxy by number, and number by proxy, both only while used.
local proxies = setmetatable({}, { __mode = "v" })
local remote = setmetatable({}, { __mode = "k" })

-- Promises of the other world that have not settled, by number.
local waiting = {}

-- Errors ------------------------------------------------------------------------------------------

-- A table crosses with the fields that can, and with its text; any other error as it is, or as the
-- text that says what it was.
local function to_wire(err)
  if type(err) ~= "table" then
    local value = errors.to_wire({ value = err }).value
    return value == nil and err ~= nil and tostring(err) or value
  end
  local fields, metatable = errors.to_wire(err), getmetatable(err)
  local has_text = type(metatable) == "table" and rawget(metatable, "__tostring")
  return { fields = fields, text = has_text and report.describe(err) or fields.message }
end

local function from_wire(wire)
  if type(wire) ~= "table" then return wire end
  local text = wire.text
  return setmetatable(wire.fields, {
    __name = "Error",
    __tostring = function()
      return text
    end,
  })
end

--- The values that the other world answered; awaits what it awaits, raises its error, and why it
--- could not be asked. Call it in a tail call: that error has the position of the caller's caller.
function M.conclude(status, ...)
  if status == DONE then return ... end
  if status == PENDING then return (...):await() end
  if status == UNSENT then error((...), 2) end
  error(from_wire(...), 0)
end

-- Functions ---------------------------------------------------------------------------------------

local function release(id)
  if not proxies[id] then ask("release", id) end
end

-- Lives as long as a proxy.
local Guard = {
  __gc = function(guard)
    task.enqueue(release, guard.id)
  end,
}

local function new_proxy(id)
  local guard = setmetatable({ id = id }, Guard)
  local function proxy(...)
    return M.conclude(ask("call", guard.id, ...))
  end
  proxies[id], remote[proxy] = proxy, id
  return proxy
end

local function gone()
  error("the function is gone", 0)
end

-- What stands for a number in a message.
local function import_value(id, kind)
  if kind == core_bridge.OWN then return exported[id] or gone end
  if kind == core_bridge.PROMISE then
    waiting[id] = waiting[id] or promises.pending()
    return waiting[id]
  end
  return proxies[id] or new_proxy(id)
end

local function forget(id)
  local value = exported[id]
  if value == nil then return end
  exported[id], numbers[value] = nil, nil
end

local function follow(id, promise)
  promise:andThen(function(...)
    local status, err = ask("fulfil", id, ...)
    if status == UNSENT then ask("reject", id, err) end
  end, function(reason)
    ask("reject", id, to_wire(reason))
  end)
end

-- A message with these numbers was sent, or was not.
local function on_sent(first, last, sent)
  for id = first, last do
    local value = exported[id]
    if promises.is(value) then
      forget(id)
      if sent then follow(id, value) end
    elseif not sent then
      forget(id)
    end
  end
end

-- Questions of the other world --------------------------------------------------------------------

local receive = {}

local function outcome(ok, ...)
  if ok then return DONE, ... end
  return FAILED, to_wire((...))
end

-- The function has ended: within the question, or later.
local function finish(call, ok, ...)
  local promise = call.promise
  if not promise then
    call.results = table.pack(outcome(ok, ...))
  elseif ok then
    promises.fulfil(promise, ...)
  else
    promises.reject(promise, (...), task.take_traceback())
  end
end

local function run(call, fn, ...)
  finish(call, xpcall(fn, task.catch, ...))
end

function receive.call(id, ...)
  local call = {}
  local has_ended = task.start(run, call, exported[id] or gone, ...)
  local results = call.results
  if results then return table.unpack(results, 1, results.n) end
  if has_ended == nil then return outcome(false, "the call failed") end
  call.promise = promises.pending()
  return PENDING, call.promise
end

local function take_waiting(id)
  local promise = waiting[id]
  waiting[id] = nil
  return promise
end

function receive.fulfil(id, ...)
  promises.fulfil(take_waiting(id), ...)
  return DONE
end

function receive.reject(id, wire)
  promises.reject(take_waiting(id), from_wire(wire))
  return DONE
end

function receive.release(id)
  forget(id)
  return DONE
end

--- Answers the question `op` with what fn(...) returns.
---@param op string
---@param fn function must not await
function M.on(op, fn)
  receive[op] = function(_, ...)
    return outcome(xpcall(fn, task.catch, ...))
  end
end

--- Asks the other world; returns what the function for `op` returned there, or raises its error.
---@param op string
function M.ask(op, ...)
  return M.conclude(ask(op, 0, ...))
end

core_bridge.listen {
  receive = function(op, id, ...)
    return receive[op](id, ...)
  end,
  import = import_value,
  sent = on_sent,
  numbers = numbers,
  exported = exported,
  remote = remote,
  promise = promises.Promise,
}

return M
