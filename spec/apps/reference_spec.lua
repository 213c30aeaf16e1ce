local launch = require("lunette.test").launch

local OUTPUT <const> = [[
ipcRenderer.sendSync, ipcMain.on, event.returnValue
  main: got 'ping'
  page: got 'pong'

ipcRenderer.send, ipcMain.on, event:reply
  main: got 'ping'
  page: got 'pong'

ipcRenderer.send, event.sender:send
  main: got 'ping' from frame 0 of webContents 1
  page: got 'pong'

ipcMain.once: the first message of three
  main: message 1

ipcMain.removeListener: gone after the second of three
  main: message 1
  main: message 2

ipcMain.removeAllListeners: heard before it, not after it
  main: the first listener heard it
  main: the second listener heard it

ipcRenderer.on: all three messages
  page: message 1
  page: message 2
  page: message 3

ipcRenderer.removeListener: nothing any more

ipcRenderer.once: the first message of three
  page: message 1

ipcRenderer.removeAllListeners: nothing, though there were two listeners

ipcRenderer.invoke, ipcMain.handle
  page: 2 results: one, two

ipcRenderer.invoke(...):andThen(...)
  page: 1 result: three

ipcMain.handle: a handler that raises
  page: fulfilled: false, code: OUT_OF_PAPER
  page: Error invoking remote method 'failing': the printer has no paper

ipcMain.handle: a second handler for a channel
  page: Attempted to register a second handler for 'failing'

ipcMain.handleOnce
  page: the one and only
  page: Error invoking remote method 'only-once': No handler registered for 'only-once'

ipcMain.removeHandler
  page: my last words
  page: Error invoking remote method 'removable': No handler registered for 'removable'

ipcRenderer.sendTo, event.senderId
  other page: got 'ping' from webContents 1
  page: got 'pong' from webContents 2
]]

describe("apps/reference", function()
  it("plays every example of the reference in its order", function()
    local result = launch("apps/reference"):wait()
    assert.equal("", result.stderr)
    assert.equal(OUTPUT, result.stdout)
    assert.equal(0, result.status)
  end)
end)
