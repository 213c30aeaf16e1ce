--- `contextBridge`, and the world of an isolated page, seen from its preload.
--- https://www.electronjs.org/docs/latest/api/context-bridge
local import = ...
local arguments = import "common.arguments"
local promises = import "common.promise"

local M = { contextBridge = {} }

local bridge

--- Makes the page's world. `host` is what both worlds have of main.
function M.open(options, host)
  import("core.bridge").open "renderer.world"
  bridge = import "renderer.bridge"
  bridge.on("console", host.console)
  bridge.on("close", host.close)
  bridge.on("alert", host.alert)
  bridge.on("find-module", function(name)
    bridge.send("module", host.find_module(name))
  end)
  bridge.send("open", {
    sandbox = options.sandbox,
    appPath = options.appPath,
    argv = options.argv,
  })
end

--- Runs the page in its world. Returns true, or nil and why it does not compile.
---@return true?, string?
function M.run_page(options)
  local ok, err
  bridge.on("page", function(...)
    ok, err = ...
  end)
  bridge.send("run", options.page)
  return ok, err
end

--- Runs code in the page's world; returns its results.
function M.execute(code)
  local promise = promises.pending()
  bridge.on("executed", function(result)
    promises.resolve(promise, result)
  end)
  bridge.send("execute", code)
  return promise:await()
end

--- Gives the page a copy of `api`, whose functions run here: as `window.NAME` and as a global.
---@param name string
---@param api any
function M.contextBridge.exposeInMainWorld(name, api)
  arguments.not_colon("contextBridge.exposeInMainWorld", M.contextBridge, name)
  arguments.check("contextBridge.exposeInMainWorld", 1, name, "string")
  if not bridge then error("contextBridge API can only be used when contextIsolation is enabled", 2) end
  local is_free
  bridge.on("exposed", function(answer)
    is_free = answer
  end)
  local ok, err = pcall(bridge.send, "expose", name, api)
  if not ok then error(err, 2) end
  if not is_free then
    error("Cannot bind an API on top of an existing property on the window object", 2)
  end
end

return M
