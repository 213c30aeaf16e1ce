-- Messages, and the three ways in which main can answer one.
local ipcRenderer = require("lunette").ipcRenderer
local heading = require "page.heading"
local next_message = require "page.next_message"
local say = require "say"

heading "ipcRenderer.sendSync, ipcMain.on, event.returnValue"
say("got '%s'", ipcRenderer.sendSync("synchronous-message", "ping"))

heading "ipcRenderer.send, ipcMain.on, event:reply"
local reply = next_message "asynchronous-reply"
ipcRenderer.send("asynchronous-message", "ping")
say("got '%s'", reply:await())

heading "ipcRenderer.send, event.sender:send"
local from_sender = next_message "sender-reply"
ipcRenderer.send("message-to-sender", "ping")
say("got '%s'", from_sender:await())
