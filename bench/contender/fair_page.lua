-- SPDX-License-Identifier: MIT
-- A page that asks, sends much, computes or floods, as main bids.
local lunette = require "lunette"
local ipc = lunette.ipcRenderer

local LOGIN = { email = "a@b.c", password = "secret", n = 42 }
local TURN_US <const>, FLOOD_TURN <const>, LONGEST_MS <const> = 2000, 2000, 1000

local busy = false

local jobs = {}

-- The time of each of `count` invokes, or of as many as LONGEST_MS allows.
function jobs.calls(count)
  local samples = {}
  local last = lunette.process.hrtime() + LONGEST_MS * 1000000
  for i = 1, count do
    local begun = lunette.process.hrtime()
    ipc.invoke("login", LOGIN):await()
    local now = lunette.process.hrtime()
    samples[i] = (now - begun) / 1e3
    if now > last then break end
  end
  return samples
end

-- Has a timer from now on.
function jobs.hold()
  lunette.setInterval(function() end, LONGEST_MS)
end

function jobs.large(size)
  assert(#ipc.invoke("echo", ("x"):rep(size)):await() == size)
end

-- Many small messages and some large ones, all in one turn.
function jobs.burst(small, large)
  local text, answers = ("x"):rep(1 << 20), {}
  for i = 1, large do answers[i] = ipc.invoke("echo", text) end
  for _ = 1, small do ipc.send("log", LOGIN) end
  for i = 1, large do answers[i]:await() end
end

ipc.on("job", function(_, name, ...)
  ipc.send("done", jobs[name](...))
end)

local work = {}

function work.spin()
  local last = lunette.process.hrtime() + TURN_US * 1000
  while lunette.process.hrtime() < last do end -- luacheck: ignore 542
end

function work.flood()
  local room = true
  for _ = 1, FLOOD_TURN do room = ipc.send("log", LOGIN) end
  if not room then ipc.drained():await() end
end

ipc.on("start", function(_, what)
  busy = true
  while busy do
    work[what]()
    lunette.sleep(1)
  end
end)

ipc.on("stop", function() busy = false end)
