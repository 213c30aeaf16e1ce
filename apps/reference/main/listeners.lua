-- Listeners of ipcMain that come and go, and what the page's listeners are tried with.
local ipcMain = require("lunette").ipcMain
local say = require "say"

ipcMain.once("once", function(_, number)
  say("message %d", number)
end)

-- Goes after its second message.
local function on_number(_, number)
  say("message %d", number)
  if number == 2 then ipcMain.removeListener("number", on_number) end
end
ipcMain.on("number", on_number)

ipcMain.on("news", function()
  say "the first listener heard it"
end)
ipcMain.on("news", function()
  say "the second listener heard it"
end)
ipcMain.on("no-more-news", function()
  ipcMain.removeAllListeners "news"
end)

-- Sends three messages, and says when that is done: messages arrive in the order sent.
ipcMain.on("count", function(event, channel)
  for number = 1, 3 do
    event:reply(channel, number)
  end
  event:reply "counted"
end)
