-- Every call of Electron's ipcMain and ipcRenderer reference, one after another. The halves of an
-- example have the same name: main/handlers.lua answers what page/handlers.lua asks.
local lunette = require "lunette"
local app, BrowserWindow = lunette.app, lunette.BrowserWindow

require "main.messages"
require "main.listeners"
require "main.handlers"
require "main.windows"

app.whenReady():await()
BrowserWindow.new({ title = "reference" }):loadFile "page.lua"
