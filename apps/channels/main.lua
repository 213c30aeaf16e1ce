-- Talks to a page on four channels: a greeting, an action, and the same data asked for in two ways.
local lunette = require "lunette"
local app, BrowserWindow, ipcMain = lunette.app, lunette.BrowserWindow, lunette.ipcMain

local function load_data(key)
  return { key = key, value = #key }
end

ipcMain.on("action", function(_, name)
  print(("main: the page did '%s'"):format(name))
end)

-- The first way: the answer is a message, on a channel that both sides know.
ipcMain.on("loaddata", function(event, key)
  event:reply("data", load_data(key))
end)

-- The second way: the answer is what the handler returns.
ipcMain.handle("loaddata", function(_, key)
  return load_data(key)
end)

app.whenReady():await()
local win = BrowserWindow.new()

-- The page's script has run by then, so its listener is there.
win.webContents:on("did-finish-load", function()
  win.webContents:send("mainchannel", "hello from main")
end)

win:loadFile "page.lua"
