--- `require "lunette"` in a renderer's state that has the link to main: that of a page that is not
--- isolated, or of a preload.
local import = ...
local not_yet = import "common.not_yet"

local M = import "common.public"

M.ipcRenderer = import("renderer.ipc_renderer").ipcRenderer
M.contextBridge = import("renderer.context_bridge").contextBridge
M.webFrame = not_yet("webFrame", { "create" })
M.WebView = not_yet("WebView", { "new" })
M.MessageChannel = not_yet("MessageChannel", { "new" })

return M
