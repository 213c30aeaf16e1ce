--- `require "lunette"` in main.
local import = ...
local not_yet = import "common.not_yet"

local M = import "common.public"
import "common.add_uv"(M)

M.app = import "main.app"
M.BrowserWindow = import "main.browser_window"
M.ipcMain = import("main.ipc_main").ipcMain
M.webContents = import("main.web_contents").webContents
M.MessageChannelMain = not_yet("MessageChannelMain", { "new" })
M.utilityProcess = not_yet("utilityProcess", { "fork" })

-- What is there only inside another program.
if import("common.process").is_embedded then M.host = import("main.engine").host end

return M
