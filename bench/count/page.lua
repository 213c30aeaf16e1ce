-- SPDX-License-Identifier: MIT
local lunette = require "lunette"
local ipc = lunette.ipcRenderer

local LOGIN = { email = "a@b.c", password = "secret", n = 42 }
local OPEN <const>, A_TURN <const>, PERIOD_MS <const> = 1000, 1000, 1
local argv = lunette.process.argv
local operation, times = argv[#argv - 1], tonumber(argv[#argv])

local operations = {}

function operations.invoke()
  for _ = 1, times do ipc.invoke("login", LOGIN):await() end
end

function operations.pipelined()
  local left, workers = times, {}
  for i = 1, OPEN do
    workers[i] = lunette.spawn(function()
      while left > 0 do
        left = left - 1
        ipc.invoke("login", LOGIN):await()
      end
    end)
  end
  for _, worker in ipairs(workers) do worker:await() end
end

-- As 100 renderers make them in `make bench`: each call has a timer's wake-up before it.
function operations.paced()
  local left, ended, resolve = times, lunette.Promise.withResolvers()
  local timer = lunette.setInterval(function()
    ipc.invoke("login", LOGIN):await()
    left = left - 1
    if left == 0 then resolve() end
  end, PERIOD_MS)
  ended:await()
  lunette.clearInterval(timer)
end

function operations.send()
  for i = 1, times do
    ipc.send("log", LOGIN)
    if i % A_TURN == 0 then lunette.sleep(0) end
  end
end

function operations.sendSync()
  for _ = 1, times do ipc.sendSync("login-sync", LOGIN) end
end

operations[operation]()
ipc.send "done"
