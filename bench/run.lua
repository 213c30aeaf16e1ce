-- SPDX-License-Identifier: MIT
-- `make bench`: lunette bench/run.lua [--quick] [--rounds=N] [--only=PATTERN]. Runs all jobs once a
-- round, in another order each time; prints the tables and writes build/bench.json.
local lunette = require "lunette"
local uv, switches = lunette.uv, lunette.app.commandLine
local jobs = require "jobs"
local goals = require "rows"
local summary = require "summary"

local RESULT <const> = "build/bench.json"
local LIMIT_MS <const>, MOVE_MS <const> = 40000, 5
local quick = switches.hasSwitch "quick"
local rounds = tonumber(switches.getSwitchValue "rounds") or (quick and 1 or 5)
local only = switches.getSwitchValue "only"

local function read_file(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

-- The first two processors that we may use.
local function find_cores()
  local text = read_file("/proc/self/status"):match "Cpus_allowed_list:%s*(%S+)"
  local first, separator, second = text:match "^(%d+)([-,]?)(%d*)"
  return first, separator == "-" and tostring(first + 1) or second ~= "" and second or first
end

local first_core, second_core = find_cores()

local function spawn(command, options)
  options.args = table.move(command, 2, #command, 1, {})
  local ended, resolve = lunette.Promise.withResolvers()
  local handle, pid
  handle, pid = uv.spawn(command[1], options, function(code)
    handle:close()
    resolve(code)
  end)
  if not handle then error(("%s: %s"):format(command[1], pid)) end
  return { handle = handle, pid = pid, ended = ended }
end

-- Moves the job's first child to the other core as soon as there is one.
local function split_cores(process)
  local children = ("/proc/%d/task/%d/children"):format(process.pid, process.pid)
  while process.ended:status() == "pending" do
    local child = read_file(children):match "%d+"
    if child then
      local command = { "taskset", "-a", "-p", "-c", second_core, child }
      return spawn(command, { stdio = {} }).ended:await()
    end
    lunette.sleep(MOVE_MS)
  end
end

local function environment(job)
  local list = { "BENCH_NAME=" .. job.name, "BENCH_SCALE=" .. (quick and "0.1" or "1") }
  for name, value in pairs(uv.os_environ()) do
    if not name:find "^BENCH_" then list[#list + 1] = name .. "=" .. value end
  end
  return list
end

-- The job's command, held to one core unless it is free to roam; a second core comes later.
local function placed(job)
  if job.place == jobs.FREE then return job.command end
  local command = { "taskset", "-c", first_core }
  return table.move(job.command, 1, #job.command, #command + 1, command)
end

local function read_all(pipe)
  local chunks = {}
  local done, resolve = lunette.Promise.withResolvers()
  pipe:read_start(function(_, chunk)
    if chunk then
      chunks[#chunks + 1] = chunk
    else
      resolve()
    end
  end)
  return function()
    done:await()
    pipe:close()
    return table.concat(chunks)
  end
end

-- Runs a job to its end, or kills it. What it printed, or nil when it failed.
local function run(job)
  local pipe = uv.new_pipe(false)
  local process = spawn(placed(job), { stdio = { nil, pipe, 2 }, env = environment(job) })
  local output = read_all(pipe)
  local timer = lunette.setTimeout(function() process.handle:kill "sigkill" end, LIMIT_MS)
  if job.place == jobs.TWO_CORES then split_cores(process) end
  local code = process.ended:await()
  lunette.clearTimeout(timer)
  local text = output()
  return code == 0 and text or nil
end

local function add_sample(samples, place, result)
  local of_contender = samples[result.c] or {}
  local of_place = of_contender[place] or {}
  local list = of_place[result.m] or {}
  samples[result.c], of_contender[place], of_place[result.m] = of_contender, of_place, list
  list[#list + 1] = { v = result.v, min = result.min, p99 = result.p99 }
end

local function shuffled(list)
  local result = table.move(list, 1, #list, 1, {})
  for i = #result, 2, -1 do
    local other = math.random(i)
    result[i], result[other] = result[other], result[i]
  end
  return result
end

local function run_round(list, samples)
  for _, job in ipairs(shuffled(list)) do
    local text = run(job)
    if not text then io.stderr:write("failed: ", table.concat(job.command, " "), "\n") end
    for line in (text or ""):gmatch "[^\n]+" do
      add_sample(samples, job.place, lunette.json.decode(line))
    end
  end
end

local function selected()
  local list = {}
  for _, job in ipairs(jobs.list(lunette.process.execPath)) do
    local text = job.name .. " " .. table.concat(job.command, " ")
    if text:find(only) then list[#list + 1] = job end
  end
  return list
end

local function describe_machine(loads)
  local info = read_file "/proc/cpuinfo"
  return {
    cpu = info:match "model name%s*:%s*([^\n]+)" or uv.os_uname().machine,
    cores = #uv.cpu_info(),
    system = uv.os_uname().sysname .. " " .. uv.os_uname().release,
    date = os.date "!%Y-%m-%d",
    rounds = rounds,
    loads = loads,
    version = lunette.version,
  }
end

local function write_result(result)
  local file <close> = assert(io.open(RESULT, "w"))
  file:write(lunette.json.encode(result), "\n")
end

local samples, loads, list = {}, {}, selected()
for round = 1, rounds do
  local begun = uv.hrtime()
  run_round(list, samples)
  loads[round] = uv.loadavg()
  local seconds = (uv.hrtime() - begun) / 1e9
  local text = "round %d of %d: %.0f s, load %.2f\n"
  io.stderr:write(text:format(round, rounds, seconds, loads[round]))
end

local rows = summary.rows(samples, goals)
write_result { machine = describe_machine(loads), rows = rows, samples = samples }
local lines = {}
summary.add_goals(lines, rows)
lines[#lines + 1] = ""
summary.add_contenders(lines, samples)
print(table.concat(lines, "\n"))
