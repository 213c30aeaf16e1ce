-- Listeners that come and go, of ipcMain and then of ipcRenderer.
local ipcRenderer = require("lunette").ipcRenderer
local heading = require "page.heading"
local next_message = require "page.next_message"
local say = require "say"

local function send_three(channel)
  for number = 1, 3 do
    ipcRenderer.send(channel, number)
  end
end

-- Awaits that main has sent three messages on the channel.
local function receive_three(channel)
  local counted = next_message "counted"
  ipcRenderer.send("count", channel)
  counted:await()
end

local function show(_, number)
  say("message %d", number)
end

heading "ipcMain.once: the first message of three"
send_three "once"

heading "ipcMain.removeListener: gone after the second of three"
send_three "number"

heading "ipcMain.removeAllListeners: heard before it, not after it"
ipcRenderer.send "news"
ipcRenderer.send "no-more-news"
ipcRenderer.send "news"

heading "ipcRenderer.on: all three messages"
ipcRenderer.on("numbers", show)
receive_three "numbers"

heading "ipcRenderer.removeListener: nothing any more"
ipcRenderer.removeListener("numbers", show)
receive_three "numbers"

heading "ipcRenderer.once: the first message of three"
ipcRenderer.once("numbers", show)
receive_three "numbers"

heading "ipcRenderer.removeAllListeners: nothing, though there were two listeners"
ipcRenderer.on("numbers", show)
ipcRenderer.on("numbers", show)
ipcRenderer.removeAllListeners "numbers"
receive_three "numbers"
