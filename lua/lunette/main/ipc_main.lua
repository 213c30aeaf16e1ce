--- `ipcMain`, and `webContents.ipc`, which is the same for one sender.
local import = ...
local Emitter = import "common.emitter"
local Handlers = import "common.handlers"

local M = {}

--- The class of `webContents.ipc`.
local IpcMain = Emitter.extend "IpcMain"
IpcMain._example = "ipc"
Handlers.extend(IpcMain)

--- An IpcMain for one sender.
function M.new_scope()
  return setmetatable({ _handlers = Handlers.new "IpcMain:" }, IpcMain)
end

--- The singleton, called with a dot, and what is behind it.
M.ipcMain = {}
M.emitter = Emitter.bind(M.ipcMain, "ipcMain")
M.handlers = Handlers.bind(M.ipcMain, "ipcMain")

return M
