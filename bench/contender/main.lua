-- SPDX-License-Identifier: MIT
-- Lunette as a contender of the benchmark: `lunette bench/contender rtt|full|spawn|sync`. An ordinary
-- app: the page asks, main answers, through the public API alone. Prints a line of JSON a metric.
local lunette = require "lunette"
local app, BrowserWindow, ipcMain = lunette.app, lunette.BrowserWindow, lunette.ipcMain
local stats = require "stats"

local mode = lunette.process.argv[2] or "rtt"
local IDLE_WINDOWS <const> = 10
local SPAWNS <const> = 40

local function report(metric, values)
  values.c = os.getenv "ANCHOR_NAME" or "lunette"
  values.m = metric
  print(lunette.json.encode(values))
end

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

-- The page has measured: {metric = values}.
ipcMain.on("done", function(_, metrics)
  for metric, values in pairs(metrics) do
    report(metric, values)
  end
  app.quit()
end)

-- From asking for a window until its page's first message is here, one after the other.
local function measure_spawns()
  local samples = {}
  for i = 1, SPAWNS do
    local came, resolve = lunette.Promise.withResolvers()
    ipcMain.once("first", function() resolve(lunette.process.hrtime()) end)
    local begun = lunette.process.hrtime()
    local window = BrowserWindow.new()
    window:loadFile("first.lua")
    samples[i] = (came:await() - begun) / 1e6
    window:destroy()
  end
  report("spawn_ms", stats.of(samples))
end

local function pss_kib(pid)
  local file = assert(io.open(("/proc/%d/smaps_rollup"):format(pid)))
  local text = file:read "a"
  file:close()
  return tonumber(text:match "Pss:%s+(%d+) kB")
end

-- Mean PSS of renderers that do nothing, all alive together.
local function measure_memory()
  local windows, sum = {}, 0
  for i = 1, IDLE_WINDOWS do
    windows[i] = BrowserWindow.new()
    windows[i]:loadFile("first.lua"):await()
  end
  lunette.sleep(200) -- until they are idle
  for _, window in ipairs(windows) do
    sum = sum + pss_kib(window.webContents:getOSProcessId())
  end
  report("pss_kib", { v = sum / IDLE_WINDOWS })
end

app.on("window-all-closed", function() end)

app.whenReady():await()
if mode == "spawn" then
  measure_spawns()
  measure_memory()
  app.quit()
else
  BrowserWindow.new({ webPreferences = { additionalArguments = { mode } } }):loadFile("page.lua")
end
