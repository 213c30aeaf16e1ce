--- Event emitters: the class that objects extend, and the dot functions of singletons.
---
--- The listeners of a name are an array that is never changed: adding and removing put a new one in
--- its place, so an emit walks the array that it found and copies nothing. `on` keeps the bare
--- function in it; `once` and `listen` keep a record, because theirs must be told from another
--- registration of the same function.
local import = ...
local arguments = import "common.arguments"
local core_link = import "core.link"
local report = import "common.report"
local task = import "common.task"

local WARN_ABOVE <const> = 10
local METHODS <const> = {
  "on",
  "addListener",
  "once",
  "off",
  "removeListener",
  "removeAllListeners",
  "listenerCount",
  "emit",
  "listen",
}

--- The class. Its objects have `_listeners` (name to array), made when first needed.
---@class Emitter
---@field _label? string what precedes a method's name in errors, instead of the class and a colon
---@field _face? table what `on`, `once` and `off` return, instead of the emitter
---@field _on_listener? fun(self: Emitter, name: string) called after a name got a first listener
local base = { __name = "Emitter" }
base.__index = base

local Emitter = { class = base }

local function label_of(self)
  return self._label or getmetatable(self).__name .. ":"
end

-- Called by a method that the user called: hence the levels.
local function check_name(self, method, name, expected)
  arguments.check_self("Emitter:" .. method, self, base, 3)
  if type(name) == "string" then return end
  arguments.check(label_of(self) .. method, 1, name, expected or "string", 3)
end

local function check_listener(self, method, name, fn)
  arguments.check_self("Emitter:" .. method, self, base, 3)
  if type(name) == "string" and type(fn) == "function" then return end
  local full_name = label_of(self) .. method
  arguments.check(full_name, 1, name, "string", 3)
  arguments.check(full_name, 2, fn, "function", 3)
end

local function warn_of_many(self, name, count)
  local warned = self._warned or {}
  self._warned = warned
  if warned[name] then return end
  warned[name] = true
  local text = "%d listeners for '%s' on %s: a leak, if they are added again and again"
  report.warn(text:format(count, name, label_of(self):sub(1, -2)))
end

--- The table of arrays by name, which is the emitter's as long as it lives.
---@return table<string, table>
function Emitter.lists(self)
  local lists = self._listeners or {}
  self._listeners = lists
  return lists
end

-- Where the listeners of a name change, and nowhere else: links remember where messages go.
local function set_list(self, name, list)
  self._listeners[name] = list
  core_link.forget_routes()
end

local function add(self, name, slot)
  local lists = Emitter.lists(self)
  local old = lists[name]
  local list = old and table.move(old, 1, #old, 1, {}) or {}
  list[#list + 1] = slot
  set_list(self, name, list)
  if #list > WARN_ABOVE then warn_of_many(self, name, #list) end
  if not old and self._on_listener then self:_on_listener(name) end
end

local function remove_at(self, name, index)
  local list = self._listeners[name]
  if #list == 1 then return set_list(self, name, nil) end
  local rest = table.move(list, 1, index - 1, 1, {})
  set_list(self, name, table.move(list, index + 1, #list, index, rest))
end

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
function Emitter.each(run, self, name, ...)
  local list = self._listeners and self._listeners[name]
  if not list then return false end
  for index = 1, #list do
    local fn = take(self, name, list[index])
    if fn then run(fn, ...) end
  end
  return true
end

--- `emit` without its checks, for the runtime's own use.
---@param self Emitter
---@param name string
---@param ... any
---@return boolean had_listeners
function Emitter.fire(self, name, ...)
  local lists = self._listeners
  local list = lists and lists[name]
  if not list then return false end
  local first = list[1]
  if list[2] ~= nil or type(first) ~= "function" then
    return Emitter.each(task.start, self, name, ...)
  end
  task.start(first, ...)
  return true
end

--- Adds a listener after the others of that name. Raises for wrong arguments, as all of these do.
---@param name string
---@param fn function each call of it runs in a coroutine of its own
---@return Emitter
function base:on(name, fn)
  check_listener(self, "on", name, fn)
  add(self, name, fn)
  return self._face or self
end

--- The same as `on`.
---@param name string
---@param fn function
---@return Emitter
function base:addListener(name, fn)
  check_listener(self, "addListener", name, fn)
  add(self, name, fn)
  return self._face or self
end

--- Adds a listener that is removed before it runs.
---@param name string
---@param fn function
---@return Emitter
function base:once(name, fn)
  check_listener(self, "once", name, fn)
  add(self, name, { fn = fn, once = true })
  return self._face or self
end

--- Removes the latest registration of a listener; nothing happens when there is none.
---@param name string
---@param fn function
---@return Emitter
function base:off(name, fn)
  check_listener(self, "off", name, fn)
  remove(self, name, fn)
  return self._face or self
end

--- The same as `off`.
---@param name string
---@param fn function
---@return Emitter
function base:removeListener(name, fn)
  check_listener(self, "removeListener", name, fn)
  remove(self, name, fn)
  return self._face or self
end

--- Removes every listener of a name, or of all names.
---@param name? string
---@return Emitter
function base:removeAllListeners(name)
  check_name(self, "removeAllListeners", name, "string|nil")
  local lists = Emitter.lists(self)
  for each in pairs(lists) do
    if name == nil or name == each then set_list(self, each, nil) end
  end
  return self._face or self
end

---@param name string
---@return integer
function base:listenerCount(name)
  check_name(self, "listenerCount", name)
  local list = self._listeners and self._listeners[name]
  return list and #list or 0
end

--- Calls the listeners of a name in order, with these arguments as they are.
---@param name string
---@param ... any
---@return boolean had_listeners
function base:emit(name, ...)
  check_name(self, "emit", name)
  return Emitter.fire(self, name, ...)
end

--- `on` that returns how to stop: a function that removes this very registration, once.
---@param name string
---@param fn function
---@return fun() stop
function base:listen(name, fn)
  check_listener(self, "listen", name, fn)
  local record = { fn = fn }
  add(self, name, record)
  return function() remove(self, name, record) end
end

--- A bare emitter.
---@return Emitter
function Emitter.new()
  return setmetatable({}, base)
end

--- A class whose objects (`setmetatable({}, class)`, nothing to initialise) are emitters.
---@param name string its name in errors
---@param super? table a class made by this, to extend instead of the bare emitter
---@return table class
function Emitter.extend(name, super)
  super = super or base
  local class = setmetatable({ __name = name, _super = super }, { __index = super })
  class.__index = class
  return class
end

--- Gives a singleton its emitter functions, called with a dot.
---@param module table gets `on`, `once` and the rest; what `on`, `once` and `off` return
---@param name string its name in errors
---@return Emitter emitter what is behind it, for `Emitter.fire`; may be given `_on_listener`
function Emitter.bind(module, name)
  local emitter = Emitter.new()
  emitter._label, emitter._face = name .. ".", module
  for _, method in ipairs(METHODS) do
    local call, full_name = base[method], name .. "." .. method
    module[method] = function(...)
      arguments.not_colon(full_name, module, (...))
      return call(emitter, ...)
    end
  end
  return emitter
end

return Emitter
