-- A message to the page of another window, past main, and its answer.
local ipcRenderer = require("lunette").ipcRenderer
local heading = require "page.heading"
local next_message = require "page.next_message"
local say = require "say"

heading "ipcRenderer.sendTo, event.senderId"
local other_id = ipcRenderer.invoke("open-other-window"):await()
local answer = next_message "answer-between-pages"
ipcRenderer.sendTo(other_id, "message-between-pages", "ping")
say("got '%s' from webContents %d", answer:await(), other_id)
