--- `window` of a page: its listeners, and what it can ask of its window.
local import = ...
local Emitter = import "common.emitter"

local M = {}

-- Their names; the functions themselves are loaded when the first one is called. They are there at
-- once, as the table is the program's: it may give it a metatable, or a field of such a name.
local FUNCTIONS <const> = { "addEventListener", "alert", "close", "removeEventListener" }

-- An event of the window that somebody may listen to.
local function fire(window, target, name)
  local event = import("common.event").new { type = name }
  local handler = rawget(window, "on" .. name)
  if import("common.arguments").is_callable(handler) then
    import("common.task").start(handler, event)
  end
  Emitter.fire(target, name, event)
end

--- Adds `window` to a page's globals.
---@param globals table
---@param host PageHost
---@return fun(name: string) fire emits an event of the window
function M.install(globals, host)
  local target, window = Emitter.new(), {}
  target._label = "window."
  globals.window = window
  local functions
  for _, name in ipairs(FUNCTIONS) do
    window[name] = function(...)
      functions = functions or import "renderer.window_functions"(window, target, host)
      return functions[name](...)
    end
  end

  return function(name)
    if target._listeners or rawget(window, "on" .. name) ~= nil then fire(window, target, name) end
  end
end

return M
