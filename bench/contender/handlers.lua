-- SPDX-License-Identifier: MIT
-- What main answers to the pages that ask.
local ipcMain = require("lunette").ipcMain

ipcMain.handle("login", function()
  return { ok = true, id = 7 }
end)

ipcMain.handle("echo", function(_, text)
  return text
end)

ipcMain.on("log", function() end)

ipcMain.on("login-sync", function(event)
  event.returnValue = { ok = true, id = 7 }
end)
