--- `require "lunette"` in a renderer's state that has the link to main: that of a page that is not
--- isolated, or of a preload.
local import = ...
local lazy = import "core.lazy"

local M = import "common.public"

M.ipcRenderer = import("renderer.ipc_renderer").ipcRenderer

lazy.fields(M, "contextBridge", "renderer.context_bridge")
lazy.fields(M, "MessageChannel WebView webFrame", "renderer.missing")

return M
