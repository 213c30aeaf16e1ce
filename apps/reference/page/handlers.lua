-- Questions to main, and what becomes of those that go wrong.
local ipcRenderer = require("lunette").ipcRenderer
local heading = require "page.heading"
local say = require "say"

heading "ipcRenderer.invoke, ipcMain.handle"
local count, first, second = ipcRenderer.invoke("my-invokable-ipc", "one", "two"):await()
say("%d results: %s, %s", count, first, second)

heading "ipcRenderer.invoke(...):andThen(...)"
ipcRenderer
  .invoke("my-invokable-ipc", "three")
  :andThen(function(n, value)
    say("%d result: %s", n, value)
  end)
  :await()

heading "ipcMain.handle: a handler that raises"
local ok, err = ipcRenderer.invoke("failing"):pawait()
say("fulfilled: %s, code: %s", ok, err.code)
say("%s", err)

heading "ipcMain.handle: a second handler for a channel"
say("%s", ipcRenderer.invoke("second-handler", "failing"):await())

heading "ipcMain.handleOnce"
say("%s", ipcRenderer.invoke("only-once"):await())
say("%s", select(2, ipcRenderer.invoke("only-once"):pawait()))

heading "ipcMain.removeHandler"
say("%s", ipcRenderer.invoke("removable"):await())
say("%s", select(2, ipcRenderer.invoke("removable"):pawait()))
