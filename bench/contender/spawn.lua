-- SPDX-License-Identifier: MIT
-- What a window costs: its time until the page's first message, and its memory while idle.
local lunette = require "lunette"
local report = require "report"
local stats = require "stats"
local BrowserWindow, ipcMain = lunette.BrowserWindow, lunette.ipcMain

local SPAWNS <const>, IDLE_WINDOWS <const>, IDLE_MS <const> = 40, 10, 200

local M = {}

-- From asking for a window until its page's first message is here, one after the other.
local function measure_spawns()
  local samples = {}
  for i = 1, stats.scaled(SPAWNS, report.scale) do
    local came, resolve = lunette.Promise.withResolvers()
    ipcMain.once("first", function() resolve(lunette.process.hrtime()) end)
    local begun = lunette.process.hrtime()
    local window = BrowserWindow.new()
    window:loadFile "first.lua"
    samples[i] = (came:await() - begun) / 1e6
    window:destroy()
  end
  report.print("spawn_ms", stats.of(samples))
end

-- Mean PSS of renderers that do nothing, all alive together.
local function measure_memory()
  local windows, sum = {}, 0
  for i = 1, IDLE_WINDOWS do
    windows[i] = BrowserWindow.new()
    windows[i]:loadFile("first.lua"):await()
  end
  lunette.sleep(IDLE_MS)
  for _, window in ipairs(windows) do
    sum = sum + report.pss_kib(window.webContents:getOSProcessId())
  end
  report.print("pss_kib", { v = sum / IDLE_WINDOWS })
end

function M.spawn()
  measure_spawns()
  measure_memory()
end

return M
