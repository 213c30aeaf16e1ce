-- The page of the second window: answers the page that writes to it.
local ipcRenderer = require("lunette").ipcRenderer

ipcRenderer.on("message-between-pages", function(event, text)
  print(("  other page: got '%s' from webContents %d"):format(text, event.senderId))
  event.sender.sendTo(event.senderId, "answer-between-pages", "pong")
end)
