-- SPDX-License-Identifier: MIT
-- What one page's traffic does to what comes after it and to others.
local lunette = require "lunette"
local report = require "report"
local stats = require "stats"
local BrowserWindow = lunette.BrowserWindow
require "handlers"

local CALLS <const>, LARGE <const>, SENDS <const>, BIG_ONES <const> = 10000, 32 << 20, 100000, 32
local SETTLE_MS <const>, BLOCKS <const>, BLOCK <const> = 500, 60, 500

local M = {}

-- A page that does the jobs of fair_page.lua.
local function open(preferences)
  local window = BrowserWindow.new { webPreferences = preferences }
  window:loadFile("fair_page.lua"):await()
  return window.webContents
end

-- What a job of the page gives.
local function ask(page, ...)
  local done, resolve = lunette.Promise.withResolvers()
  page.ipc:once("done", function(_, result) resolve(result) end)
  page:send("job", ...)
  return done:await()
end

-- The times of `count` invokes of the page, one after the other.
local function calls(page, count)
  return stats.of(ask(page, "calls", stats.scaled(count, report.scale)))
end

--- The round trip before and after one message of 32 MiB that was echoed.
function M.large()
  local page = open()
  calls(page, CALLS)
  local before = calls(page, CALLS)
  ask(page, "large", LARGE)
  local after = calls(page, CALLS)
  report.print("before_large_us", before)
  report.print("after_large_us", after)
end

--- The round trips of a page with the system's walls around it and of one without, a block of each
--- in turn. Both wait in epoll, as any page does that has a timer.
function M.walls()
  local pages = {
    contained = { page = open { sandbox = true }, samples = {} },
    free = { page = open { sandbox = false }, samples = {} },
  }
  for _, each in pairs(pages) do ask(each.page, "hold") end
  for i = 0, stats.scaled(BLOCKS, report.scale) do
    for _, each in pairs(pages) do
      local block = ask(each.page, "calls", BLOCK)
      if i > 0 then table.move(block, 1, #block, #each.samples + 1, each.samples) end
    end
  end
  for name, each in pairs(pages) do report.print(name .. "_us", stats.of(each.samples)) end
end

--- Main's memory before, at most during, and after a burst.
function M.burst()
  local page = open()
  calls(page, CALLS)
  local before = report.status_kib "VmRSS"
  ask(page, "burst", stats.scaled(SENDS, report.scale), BIG_ONES)
  calls(page, CALLS)
  lunette.sleep(SETTLE_MS)
  report.print("burst_peak_mib", { v = (report.status_kib "VmHWM" - before) / 1024 })
  report.print("burst_left_mib", { v = (report.status_kib "VmRSS" - before) / 1024 })
end

--- One page's round trip while another is quiet, only computes, or floods main.
function M.flood()
  local other, page = open(), open()
  calls(page, CALLS)
  report.print("quiet_us", calls(page, CALLS))
  for _, what in ipairs { "spin", "flood" } do
    other:send("start", what)
    lunette.sleep(50)
    report.print(what .. "_us", calls(page, CALLS))
    other:send "stop"
    ask(other, "calls", 1)
  end
end

return M
