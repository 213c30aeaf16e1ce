-- Handlers: questions whose answer is what the handler returns.
local lunette = require "lunette"
local ipcMain = lunette.ipcMain

-- A handler may await, and its arguments and results may be several.
ipcMain.handle("my-invokable-ipc", function(_, ...)
  lunette.sleep(1)
  return select("#", ...), ...
end)

-- Text, or a table whose fields the page can look at.
ipcMain.handle("failing", function()
  error { code = "OUT_OF_PAPER", message = "the printer has no paper" }
end)

ipcMain.handleOnce("only-once", function()
  return "the one and only"
end)

ipcMain.handle("removable", function()
  ipcMain.removeHandler "removable"
  return "my last words"
end)

-- A channel has one handler: a second one is a mistake of the program.
ipcMain.handle("second-handler", function(_, channel)
  local _, err = pcall(ipcMain.handle, channel, print)
  return err
end)
