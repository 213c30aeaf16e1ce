-- Sends main one synchronous and one asynchronous message, prints both answers, and closes.
local ipcRenderer = require("lunette").ipcRenderer

print(ipcRenderer.sendSync("synchronous-message", "sync ping"))

ipcRenderer.on("asynchronous-reply", function(_, answer)
  print(answer)
  window.close()
end)

ipcRenderer.send("asynchronous-message", "async ping")
