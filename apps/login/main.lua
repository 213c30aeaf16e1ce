-- Checks logins for a page that can do nothing but submit one.
--
-- `lunette apps/login --delay=100` shortens the time that a check takes, in milliseconds.
local lunette = require "lunette"
local app, BrowserWindow, ipcMain = lunette.app, lunette.BrowserWindow, lunette.ipcMain

local DELAY <const> = tonumber(app.commandLine.getSwitchValue "delay") or 2000

-- Stands for the database; a real one keeps no plain passwords.
local ACCOUNTS <const> = {
  ["ada@example.org"] = { name = "Ada", password = "analytical engine" },
}

-- What a page sends is never to be trusted: not even that it is a table.
local function account_of(credentials)
  if type(credentials) ~= "table" then return nil end
  local account = ACCOUNTS[credentials.email or ""]
  return account and account.password == credentials.password and account or nil
end

-- A handler may wait, and main goes on meanwhile. Of the table that it raises, the fields reach the
-- page.
ipcMain.handle("submit-login", function(_, credentials)
  lunette.sleep(DELAY)
  local account = account_of(credentials)
  if not account then
    error { code = "WRONG_CREDENTIALS", message = "the email or the password is wrong" }
  end
  return { name = account.name }
end)

app.whenReady():await()
local win = BrowserWindow.new { webPreferences = { preload = "preload.lua" } }
win:loadFile "page.lua"
