-- Answers one synchronous and one asynchronous message of a page.
local lunette = require "lunette"
local app, BrowserWindow, ipcMain = lunette.app, lunette.BrowserWindow, lunette.ipcMain

-- The page stands still in sendSync until returnValue is set, so this answer comes first.
ipcMain.on("synchronous-message", function(event, message)
  print(message)
  event.returnValue = "sync pong"
end)

-- A message has no answer of its own: it goes back as another message.
ipcMain.on("asynchronous-message", function(event, message)
  print(message)
  event.sender:send("asynchronous-reply", "async pong")
end)

app.whenReady():await()
BrowserWindow.new({ width = 800, height = 600 }):loadFile "page.lua"
