-- SPDX-License-Identifier: MIT
-- One page that asks; page.lua measures.
local lunette = require "lunette"
local report = require "report"
require "handlers"

-- Opens the page and prints what it has measured: {metric = values}.
local function measure(mode)
  -- A harness moves the first child to another core; that is the page, then, and not the zygote.
  lunette.app.commandLine.appendSwitch "no-zygote"
  local done, resolve = lunette.Promise.withResolvers()
  lunette.ipcMain.once("done", function(_, metrics) resolve(metrics) end)
  local arguments = { tostring(report.scale), mode }
  local preferences = report.preferences { additionalArguments = arguments }
  lunette.BrowserWindow.new({ webPreferences = preferences }):loadFile "page.lua"
  for metric, values in pairs(done:await()) do
    report.print(metric, values)
  end
end

local M = {}

for _, mode in ipairs { "rtt", "full", "sync" } do
  M[mode] = function() measure(mode) end
end

return M
