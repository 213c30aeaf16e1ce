-- SPDX-License-Identifier: MIT
-- What bench/instructions.lua counts: `lunette bench/count OPERATION TIMES`. The page does it so
-- often, one after the other, and all ends.
local lunette = require "lunette"
local app, ipcMain = lunette.app, lunette.ipcMain

local argv = lunette.process.argv

app.commandLine.appendSwitch "no-zygote" -- valgrind cannot follow its fork
app.on("window-all-closed", function() end)
app.whenReady():await()

ipcMain.handle("login", function() return { ok = true, id = 7 } end)
ipcMain.on("login-sync", function(event) event.returnValue = { ok = true, id = 7 } end)
ipcMain.on("log", function() end)
ipcMain.on("done", function() os.exit(0) end)

local preferences = { additionalArguments = { argv[#argv - 1], argv[#argv] } }
lunette.BrowserWindow.new({ webPreferences = preferences }):loadFile "page.lua"
