--- `contextBridge`, and the world of an isolated page, seen from its preload.
--- https://www.electronjs.org/docs/latest/api/context-bridge
local import = ...
local arguments = import "common.arguments"
local core_bridge = import "core.bridge"
local lazy = import "core.lazy"

local M = { contextBridge = {} }

local bridge

--- Makes the page's world. `host` is what both worlds have of main.
---@param options table
---@param host PageHost
function M.open(options, host)
  core_bridge.open "renderer.world"
  bridge = import "renderer.bridge"
  bridge.on("console", host.console)
  bridge.on("close", host.close)
  bridge.on("alert", host.alert)
  bridge.on("exit", host.exit)
  bridge.on("find-module", host.find_module)
  bridge.on("memory", host.memory)
  bridge.ask("open", {
    sandbox = options.sandbox,
    sandboxed = options.sandboxed,
    appPath = options.appPath,
    argv = options.argv,
    env = options.env,
    embedded = options.embedded,
  })
end

--- Runs the page in its world. Returns true, or nil and why it does not compile.
---@return true?, string?
function M.run_page(options)
  return bridge.ask("run", options.page)
end

--- Runs code in the page's world; returns its results.
---@param code string
---@return any ...
function M.execute(code)
  return bridge.ask("execute", code):await()
end

-- Makes all fields of the runtime's own tables in it: those that nobody has read would not cross.
local function complete(value, seen)
  if type(value) ~= "table" or seen[value] then return end
  seen[value] = true
  lazy.load(value)
  for _, field in next, value do
    complete(field, seen)
  end
end

--- Gives the page a copy of `api`, whose functions run here: as `window.NAME` and as a global.
---@param name string
---@param api any
function M.contextBridge.exposeInMainWorld(name, api)
  arguments.not_colon("contextBridge.exposeInMainWorld", M.contextBridge, name)
  arguments.check("contextBridge.exposeInMainWorld", 1, name, "string")
  if not bridge then
    error("contextBridge API can only be used when contextIsolation is enabled", 2)
  end
  complete(api, {})
  local status, result = core_bridge.ask("expose", 0, name, api)
  if status == core_bridge.UNSENT then error(result, 2) end
  if not result then
    error("Cannot bind an API on top of an existing property on the window object", 2)
  end
end

return M
