-- SPDX-License-Identifier: MIT
-- What a Lua programmer writes by hand: luv, cjson, a line of JSON a message, coroutines that wait.
-- The child asks, the parent answers: lua5.4 luv_cjson.lua rtt|sync|full|spawn
local uv = require "luv"
local cjson = require "cjson"

local SCRIPT <const>, CHILD <const> = arg[0], "--child"
local LOGIN = { email = "a@b.c", password = "secret", n = 42 }
local SCALE = tonumber(os.getenv "BENCH_SCALE") or 1
local SPAWNS <const>, IDLE <const>, OPEN <const> = 20, 10, 1000

local function scaled(count)
  return math.max(count * SCALE // 1 | 0, 5)
end

local function now()
  return uv.hrtime() / 1e3
end

-- A child's standard output is its pipe: its results leave by standard error, which the parent's
-- standard output is.
local results = arg[1] == CHILD and io.stderr or io.stdout

local function emit(metric, value)
  local result = { c = os.getenv "BENCH_NAME", m = metric, v = value }
  if type(value) == "table" then
    table.sort(value)
    result.v, result.min = value[#value // 2 + 1], value[1]
    result.p99 = value[math.floor(#value * 0.99) + 1]
  end
  results:write(cjson.encode(result), "\n")
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

-- Calls on_message with each line's value.
local function read_lines(pipe, on_message, on_end)
  local rest = {}
  pipe:read_start(function(err, chunk)
    if err or not chunk then return on_end() end
    local at, stop = 1, chunk:find("\n", 1, true)
    while stop do
      rest[#rest + 1] = chunk:sub(at, stop - 1)
      local line = #rest == 1 and rest[1] or table.concat(rest)
      rest = {}
      on_message(cjson.decode(line))
      at, stop = stop + 1, chunk:find("\n", stop + 1, true)
    end
    if at <= #chunk then rest[#rest + 1] = chunk:sub(at) end
  end)
end

local function write(pipe, message)
  pipe:write(cjson.encode(message) .. "\n")
end

local function start(fn)
  return assert(coroutine.resume(coroutine.create(fn)))
end

-- ---- the child ----

local waiting, next_id = {}, 0
local stdin, stdout

local function invoke(channel, value)
  next_id = next_id + 1
  waiting[next_id] = coroutine.running()
  write(stdout, { kind = "call", id = next_id, channel = channel, value = value })
  return coroutine.yield()
end

local function on_answer(message)
  local co = waiting[message.id]
  waiting[message.id] = nil
  assert(coroutine.resume(co, message.value))
end

local function pipelined(messages)
  local left, running, main = messages, OPEN, coroutine.running()
  local begun = now()
  for _ = 1, OPEN do
    start(function()
      while left > 0 do
        left = left - 1
        invoke("login", LOGIN)
      end
      running = running - 1
      if running == 0 then assert(coroutine.resume(main)) end
    end)
  end
  coroutine.yield()
  return messages / (now() - begun) * 1e6
end

local function oneway(messages)
  local begun = now()
  for i = 1, messages do
    write(stdout, { kind = "send", channel = "log", value = LOGIN })
    if i % OPEN == 0 then invoke("login", LOGIN) end
  end
  return messages / (now() - begun) * 1e6
end

local modes = {}

function modes.rtt()
  emit("rtt_us", sample(function() invoke("login", LOGIN) end, 2000, scaled(20000)))
end

function modes.full()
  emit("pipelined_per_s", pipelined(scaled(100000)))
  emit("oneway_per_s", oneway(scaled(100000)))
  local text = ("x"):rep(1 << 20)
  emit("mib_echo_us", sample(function()
    assert(#invoke("echo", text) == #text)
  end, 2, scaled(30)))
end

-- Blocking standard input and output: what is left to a caller who may not go back to the loop.
function modes.sync()
  io.stdout:setvbuf "full"
  emit("sync_us", sample(function()
    next_id = next_id + 1
    local message = { kind = "call", id = next_id, channel = "login", value = LOGIN }
    io.stdout:write(cjson.encode(message), "\n"):flush()
    assert(cjson.decode(io.read "l").value.ok)
  end, 2000, scaled(20000)))
end

function modes.spawn()
  write(stdout, { kind = "first" })
end

local function run_child(mode)
  if mode == "sync" then return modes.sync() end
  stdin, stdout = uv.new_pipe(false), uv.new_pipe(false)
  stdin:open(0)
  stdout:open(1)
  read_lines(stdin, on_answer, function() os.exit(0) end)
  start(function()
    modes[mode]()
    if mode ~= "spawn" then os.exit(0) end
  end)
  uv.run()
end

-- ---- the parent ----

local handlers = {
  login = function() return { ok = true, id = 7 } end,
  echo = function(text) return text end,
}

local function open_child(mode, on_first)
  local to, from = uv.new_pipe(false), uv.new_pipe(false)
  local process, pid
  process, pid = uv.spawn("lua5.4", {
    args = { SCRIPT, CHILD, mode },
    stdio = { to, from, 1 },
  }, function()
    process:close()
  end)
  assert(process, pid)
  read_lines(from, function(message)
    if message.kind == "first" then return on_first() end
    if message.kind == "send" then return end
    local value = handlers[message.channel](message.value)
    write(to, { id = message.id, value = value })
  end, function()
    to:close()
    from:close()
  end)
  return { process = process, pid = pid }
end

-- Starts a child, and runs the loop until its first message.
local function await_child()
  local first = false
  local child = open_child("spawn", function()
    first = true
    uv.stop()
  end)
  while not first do uv.run() end
  return child
end

local function measure_spawns()
  local samples = {}
  for i = 1, scaled(SPAWNS) do
    local begun = now()
    local child = await_child()
    samples[i] = (now() - begun) / 1e3
    child.process:kill "sigkill"
  end
  emit("spawn_ms", samples)
end

local function pss_kib(pid)
  local file <close> = assert(io.open(("/proc/%d/smaps_rollup"):format(pid)))
  return tonumber(file:read("a"):match "Pss:%s+(%d+) kB")
end

local function measure_memory()
  local children, sum = {}, 0
  for i = 1, IDLE do children[i] = await_child() end
  uv.sleep(100)
  for _, child in ipairs(children) do sum = sum + pss_kib(child.pid) end
  for _, child in ipairs(children) do child.process:kill "sigkill" end
  emit("pss_kib", sum / IDLE)
end

local function run_parent(mode)
  if mode == "spawn" then
    measure_spawns()
    measure_memory()
  else
    open_child(mode)
  end
  uv.run()
end

if arg[1] == CHILD then run_child(arg[2]) else run_parent(arg[1]) end
