--- The registry behind handle, handleOnce and removeHandler: at most one handler a channel.
---
--- The entries are by channel: the function, or, for one call, a table of it. A link looks into
--- them by itself (runtime/bind/link_receive.c).
---
--- An error carries the position of the caller of the function that called the registry: of the
--- user, when that is the public function and did not do it in a tail call.
local import = ...
local arguments = import "common.arguments"
local core_link = import "core.link"

---@class Handlers
---@field _owner string
---@field entries table<string, function | { [1]: function }>
local Handlers = { __name = "Handlers" }
Handlers.__index = Handlers

-- The public names, and what each does.
local PUBLIC <const> = { handle = "handle", handleOnce = "handle_once", removeHandler = "remove" }

--- An empty registry.
---@param owner string how its functions' names begin in errors, such as "ipcMain." or "IpcMain:"
---@param entries table?
---@return Handlers
function Handlers.new(owner, entries)
  return setmetatable({ _owner = owner, entries = entries or {} }, Handlers)
end

--- The functions `handle`, `handleOnce` and `removeHandler` of a singleton, called with a dot.
---@param module table
---@param name string its name in errors
---@param entries table of the registry behind it
---@return table<string, function>
function Handlers.functions(module, name, entries)
  local handlers, functions = Handlers.new(name .. ".", entries), {}
  for public, private in pairs(PUBLIC) do
    local call, full_name = Handlers[private], name .. "." .. public
    functions[public] = function(channel, fn)
      arguments.not_colon(full_name, module, channel)
      call(handlers, channel, fn)
    end
  end
  return functions
end

--- Gives them to a singleton.
---@param module table
---@param name string its name in errors
---@return Handlers handlers the registry behind it
function Handlers.bind(module, name)
  local handlers = Handlers.new(name .. ".")
  for public, fn in pairs(Handlers.functions(module, name, handlers.entries)) do
    module[public] = fn
  end
  return handlers
end

--- Gives a class `handle`, `handleOnce` and `removeHandler`, called with a colon. Its objects have
--- a registry in `_handlers`.
---@param class table
function Handlers.extend(class)
  for public, private in pairs(PUBLIC) do
    local call, full_name = Handlers[private], class.__name .. ":" .. public
    class[public] = function(self, channel, fn)
      arguments.check_self(full_name, self, class)
      call(self._handlers, channel, fn)
    end
  end
end

-- Electron looks for a handler that is there first, then at the new one; the texts are its own.
-- Called in tail calls, so that level 3 is the caller of the method's caller.
local function add(self, method, channel, fn, once)
  arguments.check(self._owner .. method, 1, channel, "string", 3)
  if self.entries[channel] then
    error(("Attempted to register a second handler for '%s'"):format(channel), 3)
  end
  if type(fn) ~= "function" then
    error(("Expected handler to be a function, but found type '%s'"):format(type(fn)), 3)
  end
  self.entries[channel] = once and { fn } or fn
  core_link.forget_routes()
end

--- Registers a handler. Raises when the channel has one.
---@param channel string
---@param fn function
function Handlers:handle(channel, fn)
  return add(self, "handle", channel, fn, false)
end

--- Registers a handler for one call.
---@param channel string
---@param fn function
function Handlers:handle_once(channel, fn)
  return add(self, "handleOnce", channel, fn, true)
end

--- Removes a channel's handler, if there is one. Calls under way go on.
---@param channel string
function Handlers:remove(channel)
  arguments.check(self._owner .. "removeHandler", 1, channel, "string", 3)
  self.entries[channel] = nil
  core_link.forget_routes()
end

--- Whether a channel has a handler.
---@param channel string
---@return boolean
function Handlers:has(channel)
  return self.entries[channel] ~= nil
end

return Handlers
