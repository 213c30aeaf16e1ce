-- SPDX-License-Identifier: MIT
-- One of many pages. Its last arguments: for how many milliseconds, and fan or paced.
local lunette = require "lunette"
local ipc = lunette.ipcRenderer
local stats = require "stats"

local argv = lunette.process.argv
local mode, duration_ms = argv[#argv], tonumber(argv[#argv - 1])
local LOGIN = { email = "a@b.c", password = "secret", n = 42 }
local PERIOD_MS <const> = 10

local samples = {}

local function call()
  local begun = lunette.process.hrtime()
  ipc.invoke("login", LOGIN):await()
  samples[#samples + 1] = (lunette.process.hrtime() - begun) / 1e3
end

local modes = {}

-- One invoke is always open.
function modes.fan(last)
  repeat call() until lunette.process.hrtime() >= last
end

-- An invoke every PERIOD_MS, whether the one before was answered or not; pages begin at different
-- times.
function modes.paced(last)
  lunette.sleep(lunette.process.pid % PERIOD_MS)
  local ended, resolve = lunette.Promise.withResolvers()
  local timer = lunette.setInterval(function()
    if lunette.process.hrtime() < last then call() else resolve() end
  end, PERIOD_MS)
  ended:await()
  lunette.clearInterval(timer)
end

ipc.on("go", function()
  modes[mode](lunette.process.hrtime() + duration_ms * 1000000)
  local result = stats.of(samples)
  ipc.send("done", { calls = #samples, p50 = result.v, p99 = result.p99 })
end)
