-- SPDX-License-Identifier: MIT
-- What a window costs: its time until the page's first message, and its memory while idle.
local lunette = require "lunette"
local report = require "report"
local stats = require "stats"
local BrowserWindow, ipcMain = lunette.BrowserWindow, lunette.ipcMain

local SPAWNS <const>, APART_MS <const> = 40, 5
local IDLE_WINDOWS <const>, IDLE_MS <const> = 10, 200

local M = {}

-- From asking for a window until its page's first message is here, one after the other: at once,
-- or so many milliseconds later.
local function measure_spawns(metric, apart)
  local samples = {}
  for i = 1, stats.scaled(SPAWNS, report.scale) do
    if apart > 0 then lunette.sleep(apart) end
    local came, resolve = lunette.Promise.withResolvers()
    ipcMain.once("first", function() resolve(lunette.process.hrtime()) end)
    local begun = lunette.process.hrtime()
    local window = BrowserWindow.new { webPreferences = report.preferences() }
    window:loadFile "first.lua"
    samples[i] = (came:await() - begun) / 1e6
    window:destroy()
  end
  report.print(metric, stats.of(samples))
end

-- PSS of the processes of the windows: all of them, or main's, when they are threads of that.
local function total_pss(windows)
  local own, sum = lunette.process.pid, 0
  for _, window in ipairs(windows) do
    local pid = window.webContents:getOSProcessId()
    if pid == own then return report.pss_kib(own) end
    sum = sum + report.pss_kib(pid)
  end
  return sum
end

-- Mean PSS of renderers that do nothing, all alive together; of threads, what they add to main.
local function measure_memory()
  local preferences = report.preferences()
  local before = preferences.isolation == "thread" and report.pss_kib "self" or 0
  local windows = {}
  for i = 1, IDLE_WINDOWS do
    windows[i] = BrowserWindow.new { webPreferences = preferences }
    windows[i]:loadFile("first.lua"):await()
  end
  lunette.sleep(IDLE_MS)
  report.print("pss_kib", { v = (total_pss(windows) - before) / IDLE_WINDOWS })
end

function M.spawn()
  measure_spawns("spawn_ms", 0)
  measure_spawns("spawn_apart_ms", APART_MS)
  measure_memory()
end

return M
