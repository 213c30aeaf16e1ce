--- `require "lunette"` in a renderer's state that has the link to main: that of a page that is not
--- isolated, or of a preload.
local import = ...
local lazy = import "core.lazy"

local M = import "common.public"

M.ipcRenderer = import("renderer.ipc_renderer").ipcRenderer

local MISSING <const> = { webFrame = "create", WebView = "new", MessageChannel = "new" }

local function missing(name)
  return import "common.not_yet"(name, { MISSING[name] })
end

lazy.fields(M, "contextBridge", "renderer.context_bridge")
lazy.fields(M, "webFrame WebView MessageChannel", missing)

return M
