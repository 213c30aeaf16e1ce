-- SPDX-License-Identifier: MIT
-- What both sides of the floor run: `role` is "parent", which handles, or "child", which asks.
-- `floor` has the functions of floor.c.
local role, mode, floor = ...
local cork, emit, invoke, now, scaled, send =
  floor.cork, floor.emit, floor.invoke, floor.now, floor.scaled, floor.send

local LOGIN = { email = "a@b.c", password = "secret", n = 42 }
local OPEN <const>, MESSAGES <const> = 1000, scaled(400000)

local handlers = {
  login = function() return { ok = true, id = 7 } end,
  echo = function(text) return text end,
  log = function() end,
}

if role == "parent" then return handlers end

local function start(fn)
  local co = coroutine.create(fn)
  return assert(coroutine.resume(co))
end

local function sample(fn, warm_up, count)
  local samples = {}
  for i = 1 - warm_up, count do
    local begun = now()
    fn()
    if i > 0 then samples[i] = now() - begun end
  end
  return samples
end

-- One that asks again and again, until all have asked enough.
local function asker(state)
  return function()
    while state.left > 0 do
      state.left = state.left - 1
      invoke("login", LOGIN)
    end
    state.running = state.running - 1
    if state.running == 0 then assert(coroutine.resume(state.main)) end
  end
end

local function pipelined()
  local state = { left = MESSAGES, running = OPEN, main = coroutine.running() }
  local begun = now()
  cork(true)
  for _ = 1, OPEN do start(asker(state)) end
  cork(false)
  coroutine.yield()
  return MESSAGES / (now() - begun) * 1e6
end

local function oneway()
  local begun = now()
  for turn = 1, MESSAGES // OPEN do
    cork(true)
    for _ = 1, OPEN do send("log", LOGIN) end
    cork(false)
    if turn % 10 == 0 then invoke("login", LOGIN) end
  end
  invoke("login", LOGIN)
  return MESSAGES // OPEN * OPEN / (now() - begun) * 1e6
end

local modes = {}

function modes.rtt()
  emit("rtt_us", sample(function() invoke("login", LOGIN) end, 2000, scaled(20000)))
end

function modes.full()
  emit("pipelined_per_s", pipelined())
  emit("oneway_per_s", oneway())
  local text = ("x"):rep(1 << 20)
  emit("mib_echo_us", sample(function()
    assert(#invoke("echo", text) == #text)
  end, 5, scaled(100)))
end

start(function()
  modes[mode]()
  floor.stop()
end)
