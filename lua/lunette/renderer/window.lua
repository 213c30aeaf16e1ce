--- `window` of a page: its listeners, and what it can ask of its window.
local import = ...
local Emitter = import "common.emitter"
local arguments = import "common.arguments"
local events = import "common.event"

local M = {}

--- Makes `window` global. `ask` has close() and alert(text).
---@param ask table
---@return fun(name: string) fire emits an event of the window
function M.install(ask)
  local target = Emitter.new()
  target._label = "window."

  window = {
    --- Adds a listener, such as for "load".
    addEventListener = function(name, fn)
      arguments.not_colon("window.addEventListener", window, name)
      target:on(name, fn)
    end,
    --- Takes it away again.
    removeEventListener = function(name, fn)
      arguments.not_colon("window.removeEventListener", window, name)
      target:off(name, fn)
    end,
    --- Closes the window, as its user would.
    close = function()
      ask.close()
    end,
    --- Shows a text and awaits that it was read.
    alert = function(text)
      arguments.not_colon("window.alert", window, text)
      ask.alert(tostring(text))
    end,
  }

  return function(name)
    local event = events.new { type = name }
    local handler = window["on" .. name]
    if arguments.is_callable(handler) then import("common.task").start(handler, event) end
    Emitter.fire(target, name, event)
  end
end

return M
