--- The functions of a page's `window`.
local import = ...
local arguments = import "common.arguments"

--- Makes them.
---@param window table
---@param target Emitter its listeners
---@param host PageHost
---@return table<string, function>
return function(window, target, host)
  local F = {}

  --- Adds a listener, such as for "load".
  ---@param name string
  ---@param fn function
  function F.addEventListener(name, fn)
    arguments.not_colon("window.addEventListener", window, name)
    arguments.check("window.addEventListener", 1, name, "string")
    arguments.check("window.addEventListener", 2, fn, "function")
    target:on(name, fn)
  end

  --- Takes it away again.
  ---@param name string
  ---@param fn function
  function F.removeEventListener(name, fn)
    arguments.not_colon("window.removeEventListener", window, name)
    arguments.check("window.removeEventListener", 1, name, "string")
    arguments.check("window.removeEventListener", 2, fn, "function")
    target:off(name, fn)
  end

  --- Closes the window, as its user would.
  function F.close(...)
    arguments.not_colon("window.close", window, (...))
    host.close()
  end

  --- Shows a text and awaits that it was read.
  ---@param text any
  function F.alert(text)
    arguments.not_colon("window.alert", window, text)
    host.alert(tostring(text))
  end

  return F
end
