--- `window` of a page: its listeners, and what it can ask of its window.
local import = ...
local Emitter = import "common.emitter"
local arguments = import "common.arguments"
local events = import "common.event"
local task = import "common.task"

local M = {}

--- Adds `window` to a page's globals. `ask` has close() and alert(text).
---@param globals table
---@param ask table
---@return fun(name: string) fire emits an event of the window
function M.install(globals, ask)
  local target = Emitter.new()
  target._label = "window."

  local window = {}
  globals.window = window

  --- Adds a listener, such as for "load".
  ---@param name string
  ---@param fn function
  function window.addEventListener(name, fn)
    arguments.not_colon("window.addEventListener", window, name)
    arguments.check("window.addEventListener", 1, name, "string")
    arguments.check("window.addEventListener", 2, fn, "function")
    target:on(name, fn)
  end

  --- Takes it away again.
  ---@param name string
  ---@param fn function
  function window.removeEventListener(name, fn)
    arguments.not_colon("window.removeEventListener", window, name)
    arguments.check("window.removeEventListener", 1, name, "string")
    arguments.check("window.removeEventListener", 2, fn, "function")
    target:off(name, fn)
  end

  --- Closes the window, as its user would.
  function window.close(...)
    arguments.not_colon("window.close", window, (...))
    ask.close()
  end

  --- Shows a text and awaits that it was read.
  ---@param text any
  function window.alert(text)
    arguments.not_colon("window.alert", window, text)
    ask.alert(tostring(text))
  end

  return function(name)
    local event = events.new { type = name }
    local handler = rawget(window, "on" .. name)
    if arguments.is_callable(handler) then task.start(handler, event) end
    Emitter.fire(target, name, event)
  end
end

return M
