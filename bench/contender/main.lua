-- SPDX-License-Identifier: MIT
-- Lunette as a contender of a benchmark: `lunette bench/contender [--no-zygote] MODE`, MODE being
-- rtt, full, spawn or sync; or, for `make bench` alone, one of the
-- others below. An ordinary app: the page asks, main answers, through the public API. Prints a line
-- of JSON a metric.
local lunette = require "lunette"
local app = lunette.app

local argv = lunette.process.argv
local mode, number = argv[#argv]:match "^(%a+)(%d*)$"

local MODULES = {
  rtt = "calls", full = "calls", sync = "calls", spawn = "spawn",
  fan = "many", paced = "many", thousand = "many",
  large = "fair", walls = "fair", burst = "fair", flood = "fair",
  stall = "stall", codec = "codec",
}

app.on("window-all-closed", function() end)

app.whenReady():await()
require(MODULES[mode])[mode](tonumber(number))
app.quit()
