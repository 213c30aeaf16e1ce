--- The methods of emitters that an idle page does not need, and `extend` and `each` of the module.
local import = ...
local Emitter = import "common.emitter"
local arguments = import "common.arguments"
local report = import "common.report"

local add, base, label_of = Emitter.add, Emitter.class, Emitter.label_of
local M = {}

-- Called by a method that the user called: hence the levels.
local function check_name(self, method, name, expected)
  arguments.check_self("Emitter:" .. method, self, base, 3)
  if type(name) == "string" then return end
  arguments.check(label_of(self) .. method, 1, name, expected or "string", 3)
end

--- Checks what a method that adds or removes a listener got, which asks for that itself.
function M.check_listener(self, method, name, fn)
  arguments.check_self("Emitter:" .. method, self, base, 3)
  if type(name) == "string" and type(fn) == "function" then return end
  local full_name = label_of(self) .. method
  arguments.check(full_name, 1, name, "string", 3)
  arguments.check(full_name, 2, fn, "function", 3)
end

--- There are many listeners for a name: a leak, perhaps, which is told once.
---@param name string
---@param count integer
function M.warn_of_many(self, name, count)
  local warned = self._warned or {}
  self._warned = warned
  if warned[name] then return end
  warned[name] = true
  local text = "%d listeners for '%s' on %s: a leak, if they are added again and again"
  report.warn(text:format(count, name, label_of(self):sub(1, -2)))
end

local function remove_at(self, name, index)
  local list = self._listeners[name]
  if #list == 1 then return Emitter.set_list(self, name, nil) end
  local rest = table.move(list, 1, index - 1, 1, {})
  Emitter.set_list(self, name, table.move(list, index + 1, #list, index, rest))
end

local check_listener = M.check_listener

-- The latest registration that is this record or has this function, if any.
local function remove(self, name, wanted)
  local list = self._listeners and self._listeners[name] or {}
  for index = #list, 1, -1 do
    local slot = list[index]
    if slot == wanted or type(slot) == "table" and slot.fn == wanted then
      return remove_at(self, name, index)
    end
  end
end

-- The function to run for a slot; nil for a `once` listener that has run, whose record the array of
-- an emit under way may still hold.
local function take(self, name, slot)
  if type(slot) == "function" then return slot end
  if slot.once then
    if slot.done then return nil end
    slot.done = true
    remove(self, name, slot)
  end
  return slot.fn
end

--- An emit that calls run(listener, ...) for each listener, instead of starting a task for it.
---@param run fun(fn: function, ...)
---@param self Emitter
---@param name string
---@param ... any
---@return boolean had_listeners
function M.each(run, self, name, ...)
  local list = self._listeners and self._listeners[name]
  if not list then return false end
  for index = 1, #list do
    local fn = take(self, name, list[index])
    if fn then run(fn, ...) end
  end
  return true
end

--- The same as `on`.
---@param name string
---@param fn function
---@return Emitter
function M:addListener(name, fn)
  check_listener(self, "addListener", name, fn)
  add(self, name, fn)
  return self._face or self
end

--- Adds a listener that is removed before it runs.
---@param name string
---@param fn function
---@return Emitter
function M:once(name, fn)
  check_listener(self, "once", name, fn)
  add(self, name, { fn = fn, once = true })
  return self._face or self
end

--- Removes the latest registration of a listener; nothing happens when there is none.
---@param name string
---@param fn function
---@return Emitter
function M:off(name, fn)
  check_listener(self, "off", name, fn)
  remove(self, name, fn)
  return self._face or self
end

--- The same as `off`.
---@param name string
---@param fn function
---@return Emitter
function M:removeListener(name, fn)
  check_listener(self, "removeListener", name, fn)
  remove(self, name, fn)
  return self._face or self
end

--- Removes every listener of a name, or of all names.
---@param name? string
---@return Emitter
function M:removeAllListeners(name)
  check_name(self, "removeAllListeners", name, "string|nil")
  local lists = Emitter.lists(self)
  for each in pairs(lists) do
    if name == nil or name == each then Emitter.set_list(self, each, nil) end
  end
  return self._face or self
end

---@param name string
---@return integer
function M:listenerCount(name)
  check_name(self, "listenerCount", name)
  local list = self._listeners and self._listeners[name]
  return list and #list or 0
end

--- Calls the listeners of a name in order, with these arguments as they are.
---@param name string
---@param ... any
---@return boolean had_listeners
function M:emit(name, ...)
  check_name(self, "emit", name)
  return Emitter.fire(self, name, ...)
end

--- `on` that returns how to stop: a function that removes this very registration, once.
---@param name string
---@param fn function
---@return fun() stop
function M:listen(name, fn)
  check_listener(self, "listen", name, fn)
  local record = { fn = fn }
  add(self, name, record)
  return function() remove(self, name, record) end
end

--- A class whose objects (`setmetatable({}, class)`, nothing to initialise) are emitters.
---@param name string its name in errors
---@param super? table a class made by this, to extend instead of the bare emitter
---@return table class
function M.extend(name, super)
  super = super or base
  local class = setmetatable({ __name = name, _super = super }, { __index = super })
  class.__index = class
  return class
end

return M
