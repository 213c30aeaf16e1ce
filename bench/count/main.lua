-- SPDX-License-Identifier: MIT
-- What bench/instructions.lua counts: `lunette bench/count OPERATION TIMES`. The page does it so
-- often, one after the other, and all ends.
local lunette = require "lunette"
local app, ipcMain = lunette.app, lunette.ipcMain

local argv = lunette.process.argv
local PATIENCE_MS <const>, WAIT_MS <const> = 60000, 50

app.commandLine.appendSwitch "no-zygote" -- valgrind cannot follow its fork
app.on("window-all-closed", function() end)
app.whenReady():await()

ipcMain.handle("login", function() return { ok = true, id = 7 } end)
ipcMain.on("login-sync", function(event) event.returnValue = { ok = true, id = 7 } end)
ipcMain.on("log", function() end)
local function has_ended(pid)
  local file <close> = io.open(("/proc/%d/stat"):format(pid))
  return not file or file:read("a"):find(") Z ", 1, true)
end

app.on("render-process-gone", function(_, _, details) error(details.reason) end)

local preferences = { additionalArguments = { argv[#argv - 1], argv[#argv] } }
local win = lunette.BrowserWindow.new({ webPreferences = preferences })
win:loadFile "page.lua"

-- Valgrind has no pidfds, so the runtime does not see the page's end; its count is written by then.
ipcMain.on("done", function(event)
  local pid = event.sender:getOSProcessId()
  win:destroy()
  for _ = 1, PATIENCE_MS, WAIT_MS do
    if has_ended(pid) then break end
    lunette.sleep(WAIT_MS)
  end
  os.exit(0)
end)
