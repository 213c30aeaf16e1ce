-- SPDX-License-Identifier: MIT
-- Many pages: each has one invoke open, or makes 100 a second; and a thousand that each answer.
local lunette = require "lunette"
local report = require "report"
local stats = require "stats"
local BrowserWindow, ipcMain = lunette.BrowserWindow, lunette.ipcMain
require "handlers"

local FAN_MS <const>, PACED_MS <const>, LOADING <const> = 1000, 2000, 50

local M = {}

local function open(count, mode, duration)
  local pages = {}
  for i = 1, count do
    local window = BrowserWindow.new {
      webPreferences = { additionalArguments = { tostring(duration), mode } },
    }
    window:loadFile("many_page.lua"):await()
    pages[i] = window.webContents
  end
  return pages
end

local function cpu_us(pages)
  local sum = report.cpu_us "self"
  for _, page in ipairs(pages) do sum = sum + report.cpu_us(page:getOSProcessId()) end
  return sum
end

-- Has all pages run at once. The list of what each found: calls, p50, p99.
local function run(pages)
  local results = {}
  local done, resolve = lunette.Promise.withResolvers()
  ipcMain.on("done", function(_, result)
    results[#results + 1] = result
    if #results == #pages then resolve() end
  end)
  for _, page in ipairs(pages) do page:send "go" end
  done:await()
  return results
end

local function median_of(results, name)
  local values = {}
  for i, result in ipairs(results) do values[i] = result[name] end
  return stats.of(values).v
end

local function measure(mode, count, duration)
  local pages = open(count, mode, duration)
  local before = cpu_us(pages)
  local results = run(pages)
  local cpu, calls = cpu_us(pages) - before, 0
  for _, result in ipairs(results) do calls = calls + result.calls end
  local metric = mode .. count
  local p50, p99 = median_of(results, "p50"), median_of(results, "p99")
  report.print(metric .. "_us", { v = p50, p99 = p99 })
  report.print(metric .. "_cpu_us", { v = cpu / calls })
  report.print(metric .. "_per_s", { v = calls / duration * 1e3 })
end

function M.fan(count)
  measure("fan", count, stats.scaled(FAN_MS, report.scale))
end

function M.paced(count)
  measure("paced", count, stats.scaled(PACED_MS, report.scale))
end

-- PSS of all children, the zygote among them.
local function report_children()
  local pids, sum = report.children(), 0
  for _, pid in ipairs(pids) do sum = sum + report.pss_kib(pid) end
  report.print("thousand_mib", { v = (sum + report.pss_kib "self") / 1024 })
end

-- Opens `count` windows, LOADING of them at a time, and then has each page answer.
function M.thousand(count)
  local answers, loads = {}, {}
  local begun = lunette.process.hrtime()
  for i = 1, count do
    local window = BrowserWindow.new()
    loads[i] = window:loadFile "answer.lua"
    answers[i] = window.webContents:invoke("square", i)
    if i > LOADING then loads[i - LOADING]:await() end
  end
  for i = 1, count do assert(answers[i]:await() == i * i) end
  report.print("thousand_ms", { v = (lunette.process.hrtime() - begun) / 1e6 })
  report_children()
end

return M
