--- Event emitters: the class that objects extend, and the dot functions of singletons.
---
--- The listeners of a name are an array that is never changed: adding and removing put a new one in
--- its place, so an emit walks the array that it found and copies nothing. `on` keeps the bare
--- function in it; `once` and `listen` keep a record, because theirs must be told from another
--- registration of the same function.
local import = ...
local arguments = import "common.arguments"
local core_link = import "core.link"
local lazy = import "core.lazy"
local task = import "common.task"

-- With more of them, it is looked whether that is a leak.
local FEW <const> = 10

local METHODS <const> =
  "addListener emit listen listenerCount off on once removeAllListeners removeListener"

--- The class. Its objects have `_listeners` (name to array), made when first needed.
---@class Emitter
---@field _label? string what precedes a method's name in errors, instead of the class and a colon
---@field _face? table what `on`, `once` and `off` return, instead of the emitter
---@field _on_listener? fun(self: Emitter, name: string) called after a name got a first listener
local base = { __name = "Emitter" }
base.__index = base

local Emitter = { class = base }

lazy.fields(base, METHODS, "common.emitter_methods")
lazy.fields(
  Emitter,
  METHODS .. " check_listener each extend warn_of_many",
  "common.emitter_methods"
)

--- How its functions' names begin in errors.
---@return string
function Emitter.label_of(self)
  return self._label or getmetatable(self).__name .. ":"
end

--- The table of arrays by name, which is the emitter's as long as it lives.
---@return table<string, table>
function Emitter.lists(self)
  local lists = self._listeners or {}
  self._listeners = lists
  return lists
end

--- Where the listeners of a name change, and nowhere else: links remember where messages go.
function Emitter.set_list(self, name, list)
  self._listeners[name] = list
  core_link.forget_routes()
end

--- Adds a function or a record to those of the name.
function Emitter.add(self, name, slot)
  local lists = Emitter.lists(self)
  local old = lists[name]
  local list = old and table.move(old, 1, #old, 1, {}) or {}
  list[#list + 1] = slot
  Emitter.set_list(self, name, list)
  if #list > FEW then Emitter.warn_of_many(self, name, #list) end
  if not old and self._on_listener then self:_on_listener(name) end
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
function Emitter:on(name, fn)
  arguments.check_self("Emitter:on", self, base)
  if type(name) ~= "string" or type(fn) ~= "function" then
    Emitter.check_listener(self, "on", name, fn)
  end
  Emitter.add(self, name, fn)
  return self._face or self
end

base.on = Emitter.on

--- A bare emitter.
---@return Emitter
function Emitter.new()
  return setmetatable({}, base)
end

--- Gives a singleton its emitter functions, called with a dot.
---@param module table gets `on`, `once` and the rest; what `on`, `once` and `off` return
---@param name string its name in errors
---@return Emitter emitter what is behind it, for `Emitter.fire`; may be given `_on_listener`
function Emitter.bind(module, name)
  local emitter = Emitter.new()
  emitter._label, emitter._face = name .. ".", module
  lazy.fields(module, METHODS, function(method)
    local call = Emitter[method] -- a program that gets at the class can change what it has
    return function(...)
      arguments.not_colon(emitter._label .. method, module, (...))
      return call(emitter, ...)
    end
  end)
  return emitter
end

return Emitter
