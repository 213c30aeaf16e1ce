-- SPDX-License-Identifier: MIT
-- How long the loop of a host of 512 MB stands still when a window is opened.
local lunette = require "lunette"
local report = require "report"
local stats = require "stats"
local uv = lunette.uv

local HOST_MIB <const>, WINDOWS <const>, PAUSE_MS <const> = 512, 20, 20

local M = {}

-- Memory that is really there.
local function fill(mebibytes)
  local ballast = {}
  for i = 1, mebibytes do ballast[i] = ("x"):rep((1 << 20) - i) end
  return ballast
end

-- The longest time between two turns while `fn` runs, in milliseconds.
local function longest_gap(fn)
  local longest, last = 0, uv.hrtime()
  local idle = uv.new_idle()
  idle:start(function()
    local now = uv.hrtime()
    longest, last = math.max(longest, now - last), now
  end)
  fn()
  idle:close()
  return longest / 1e6
end

local function open_and_close()
  local window = lunette.BrowserWindow.new()
  window:loadFile("first.lua"):await()
  window:destroy()
end

function M.stall()
  local ballast = fill(HOST_MIB)
  report.print("first_stall_ms", { v = longest_gap(open_and_close) })
  local samples, idle_samples = {}, {}
  for i = 1, stats.scaled(WINDOWS, report.scale) do
    lunette.sleep(PAUSE_MS)
    samples[i] = longest_gap(open_and_close)
    idle_samples[i] = longest_gap(function() lunette.sleep(2) end)
  end
  report.print("stall_ms", stats.of(samples))
  report.print("no_stall_ms", stats.of(idle_samples))
  assert(#ballast == HOST_MIB)
end

return M
