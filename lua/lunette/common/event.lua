--- The event objects that listeners get first.
local import = ...
local Emitter = import "common.emitter"
local arguments = import "common.arguments"

local M = {}

---@class Event
local Event = { __name = "Event", _example = "event" }
Event.__index = Event

--- Keeps what the event announces from happening.
function Event:preventDefault()
  arguments.check_self("Event:preventDefault", self, Event)
  self.defaultPrevented = true
end

--- An event without a message: what it announces can be prevented where that means something.
---@param fields table?
---@return Event
function M.new(fields)
  local event = fields or {}
  event.defaultPrevented = false
  return setmetatable(event, Event)
end

-- The class of signals.
local Signal

-- The signal of a question: whether its asker still waits for the answer.
local function new_signal(aborted)
  Signal = Signal or Emitter.extend "AbortSignal"
  return setmetatable({ aborted = aborted }, Signal)
end

--- The asker has cancelled, or went away.
local function abort(event)
  rawset(event, "_aborted", true)
  local signal = rawget(event, "signal")
  if not signal or signal.aborted then return end
  signal.aborted = true
  Emitter.fire(signal, "abort", M.new())
end

--- Makes a kind of events with lazy fields: `fields[name](event, owner)` is called when a field
--- that is not there is read, and what it returns is kept. The result makes the class, a metatable,
--- of the events of one owner: so an event costs an empty table.
---@param fields table<string, fun(event, owner): any>
---@param methods table<string, function>
---@param on_assign (fun(event, key, value))? gets assignments of new fields
---@return fun(owner): table class
function M.kind(fields, methods, on_assign)
  fields.signal = function(event)
    return new_signal(rawget(event, "_aborted") or false)
  end
  methods._abort = abort
  local function find(event, key, owner)
    local method = methods[key]
    if method then return method end
    local compute = fields[key]
    if not compute then return nil end
    local value = compute(event, owner)
    rawset(event, key, value)
    return value
  end
  return function(owner)
    local class = { __name = "Event", __newindex = on_assign }
    function class.__index(event, key) return find(event, key, owner) end
    return class
  end
end

return M
