-- Messages, and the three ways to answer one.
local ipcMain = require("lunette").ipcMain
local say = require "say"

ipcMain.on("synchronous-message", function(event, text)
  say("got '%s'", text)
  event.returnValue = "pong"
end)

-- To the frame that sent it.
ipcMain.on("asynchronous-message", function(event, text)
  say("got '%s'", text)
  event:reply("asynchronous-reply", "pong")
end)

-- To the main frame of the page that sent it, which is the same as long as there is but one frame.
ipcMain.on("message-to-sender", function(event, text)
  say("got '%s' from frame %d of webContents %d", text, event.frameId, event.sender.id)
  event.sender:send("sender-reply", "pong")
end)
