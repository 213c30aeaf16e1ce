-- SPDX-License-Identifier: MIT
-- `make instructions`: how many instructions an operation takes in each process, by valgrind's
-- callgrind: the same from run to run, however busy the machine is. The start does not count: it is
-- the difference of a long run and a short one. User space only.
local lunette = require "lunette"
local uv = lunette.uv

local SHORT <const>, LONG <const> = 4000, 24000
local LIMIT_MS <const>, WAIT_MS <const> = 120000, 50

local folder = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/lunette-count-XXXXXX"))
local build = lunette.process.execPath:match "^(.*)/"

-- Runs a command to its end; no output.
local function run(command, env)
  local ended, resolve = lunette.Promise.withResolvers()
  local list = { table.unpack(env) }
  for name, value in pairs(uv.os_environ()) do list[#list + 1] = name .. "=" .. value end
  local handle
  handle = assert(uv.spawn("valgrind", { args = command, env = list }, function(code)
    handle:close()
    resolve(code)
  end))
  if not ended:timeout(LIMIT_MS):pawait() then
    handle:kill "sigkill"
    error "valgrind did not end in time"
  end
end

-- The counts that are there, by process number.
local function read_counts()
  local list = {}
  for name in uv.fs_scandir_next, assert(uv.fs_scandir(folder)) do
    for line in io.lines(folder .. "/" .. name) do
      local total = line:match "^summary: (%d+)"
      if total then list[#list + 1] = { pid = tonumber(name), total = tonumber(total) } end
    end
  end
  table.sort(list, function(a, b) return a.pid < b.pid end)
  return list
end

-- The counts of a run's two processes, the parent's first. The child ends a little later.
local function count(env, ...)
  run({
    "--tool=callgrind", "--trace-children=yes", "--vgdb=no",
    "--callgrind-out-file=" .. folder .. "/%p", ...,
  }, env)
  local counts, last = read_counts(), uv.hrtime() + LIMIT_MS * 1000000
  while #counts < 2 do
    assert(uv.hrtime() < last, "a process did not end in time")
    lunette.sleep(WAIT_MS)
    counts = read_counts()
  end
  for _, each in ipairs(counts) do os.remove(folder .. "/" .. each.pid) end
  return counts
end

local function print_row(name, short, long, times)
  local function each(i) return (long[i].total - short[i].total) / times end
  print(("%-12s %8.0f %8.0f"):format(name, each(1), each(2)))
end

local function measure(operation)
  local env = { "LD_PRELOAD=" .. build .. "/bench/pidfd.so" }
  local function times(number)
    return count(env, lunette.process.execPath, "bench/count", operation, tostring(number))
  end
  print_row(operation, times(SHORT), times(LONG), LONG - SHORT)
end

-- The same invoke by C and Lua alone (bench/c/floor.c), for comparison.
local function measure_floor()
  local function scaled(scale)
    return count({ "BENCH_SCALE=" .. scale }, build .. "/bench/floor-static", "rtt",
      "bench/c/floor.lua")
  end
  print_row("floor", scaled "0.2", scaled "1.2", 20000)
end

print(("%-12s %8s %8s"):format("", "main", "page"))
for _, operation in ipairs { "invoke", "paced", "pipelined", "send", "sendSync" } do
  measure(operation)
end
measure_floor()
uv.fs_rmdir(folder)
