-- Opens a second window for the page that asks, and says how to reach it.
local lunette = require "lunette"
local BrowserWindow, ipcMain = lunette.BrowserWindow, lunette.ipcMain

ipcMain.handle("open-other-window", function(event)
  local other = BrowserWindow.new { parent = BrowserWindow.fromWebContents(event.sender) }
  other:loadFile("other.lua"):await()
  return other.webContents.id
end)
