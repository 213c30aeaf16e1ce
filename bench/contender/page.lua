-- SPDX-License-Identifier: MIT
-- The page that asks and measures. Its last arguments: how much of it, from 0 to 1, and what.
local lunette = require "lunette"
local ipc = lunette.ipcRenderer
local stats = require "stats"

local LOGIN = { email = "a@b.c", password = "secret", n = 42 }
local argv = lunette.process.argv
local mode, scale = argv[#argv], tonumber(argv[#argv - 1])
local OPEN <const>, MESSAGES <const> = 1000, stats.scaled(400000, scale)
local CALLS <const>, ECHOES <const>, WARM_UP <const> = 20000, 200, 2000

local function now_us()
  return lunette.process.hrtime() / 1e3
end

-- Times each of `count` calls, after some that do not count.
local function sample(fn, warm_up, count)
  local samples = {}
  for i = 1 - warm_up, count do
    local begun = now_us()
    fn()
    if i > 0 then samples[i] = now_us() - begun end
  end
  return stats.of(samples)
end

-- Invokes a second with OPEN of them open.
local function pipelined()
  local left, workers = MESSAGES, {}
  local begun = now_us()
  for i = 1, OPEN do
    workers[i] = lunette.spawn(function()
      while left > 0 do
        left = left - 1
        ipc.invoke("login", LOGIN):await()
      end
    end)
  end
  for _, worker in ipairs(workers) do worker:await() end
  return { v = MESSAGES / (now_us() - begun) * 1e6 }
end

-- Sends a second, OPEN of them in a turn; an invoke at the end waits for the last.
local function oneway()
  local begun = now_us()
  for i = 1, MESSAGES do
    ipc.send("log", LOGIN)
    if i % OPEN == 0 then lunette.sleep(0) end
  end
  ipc.invoke("login", LOGIN):await()
  return { v = MESSAGES / (now_us() - begun) * 1e6 }
end

local modes = {}

function modes.rtt()
  local function call()
    ipc.invoke("login", LOGIN):await()
  end
  return { rtt_us = sample(call, WARM_UP, stats.scaled(CALLS, scale)) }
end

function modes.sync()
  local function call()
    ipc.sendSync("login-sync", LOGIN)
  end
  return { sync_us = sample(call, WARM_UP, stats.scaled(CALLS, scale)) }
end

function modes.full()
  local text = ("x"):rep(1 << 20)
  local function echo()
    assert(#ipc.invoke("echo", text):await() == #text)
  end
  return {
    pipelined_per_s = pipelined(),
    oneway_per_s = oneway(),
    mib_echo_us = sample(echo, 5, stats.scaled(ECHOES, scale)),
  }
end

ipc.send("done", modes[mode]())
