--- `lunette.uv`: luv on this state's loop, without what would end or crash its host.
local import = ...
local arguments = import "common.arguments"
local core_os = import "core.os"
local process = import "common.process"
local refusals = import "common.uv_refusals"
local uv = import "core.luv"

local function refuse(name, why)
  uv[name] = function()
    error(("uv.%s: %s"):format(name, why), 2)
  end
end

-- The loop is the runtime's: it runs already, and its other handles are not luv's.
refuse("stop", "the loop is Lunette's: use app.quit()")
refuse("loop_close", "the loop is Lunette's: it is closed when the state ends")
refuse("walk", "the loop's other handles are Lunette's")
refuse("new_thread", "an error in such a thread would end the process: use a renderer")

for name, why in pairs(refusals) do
  refuse(name, why)
end

-- A state with an environment of its own changes that. The others change the process's, in a way
-- that lets threads read it.
local own = process.own_env

function uv.os_setenv(name, value)
  arguments.check("uv.os_setenv", 1, name, "string")
  arguments.check("uv.os_setenv", 2, value, "string")
  if not own then return core_os.setenv(name, value) end
  own[name] = value
  return true
end

function uv.os_unsetenv(name)
  arguments.check("uv.os_unsetenv", 1, name, "string")
  if not own then return core_os.setenv(name, nil) end
  own[name] = nil
  return true
end

if own then
  function uv.os_getenv(name)
    arguments.check("uv.os_getenv", 1, name, "string")
    if own[name] then return own[name] end
    return nil, "ENOENT: no such file or directory", "ENOENT"
  end

  function uv.os_environ()
    local copy = {}
    for name, value in pairs(own) do copy[name] = value end
    return copy
  end
end

local AT_TOP_LEVEL = "the loop runs already; await a promise instead (lunette.promisify)"

--- A script of plain luv ends with uv.run(); here the loop runs by itself.
function uv.run()
  if coroutine.isyieldable() then return true end
  error("uv.run: " .. AT_TOP_LEVEL, 2)
end

-- luv 1.44 hands an empty table to libuv, whose assertion ends the process.
local function refuse_empty(name)
  local fn = uv[name]
  uv[name] = function(handle, data, ...)
    if type(data) == "table" and #data == 0 then
      arguments.fail("uv." .. name, 2, "string or table of strings expected, got an empty table")
    end
    return fn(handle, data, ...)
  end
end

for _, name in ipairs { "write", "try_write", "udp_send", "udp_try_send", "write2" } do
  refuse_empty(name)
end

return uv
