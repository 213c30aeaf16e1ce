-- SPDX-License-Identifier: MIT
-- docs/testing.md, "Several machines": its examples, run as each system would run them. A folder
-- plays a machine; what a system's files and variables say is taken from the example itself.
local app = require "spec.support.app"
local command = require "spec.support.command"
local suite = require "spec.support.suite"
local yaml = require "lyaml"

local FILES <const> = {}
for i = 1, 11 do
  FILES[("spec/f%02d_spec.lua"):format(i)] = ([[
    it("passes", function() print "prints %d" end)
    it("fails", function() assert.equal(1, %d) end)
  ]]):format(i, i)
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- The block of code behind a line of the document.
local function example(title)
  local text = read "docs/testing.md":match("\n" .. title .. "[^\n]*\n\n(.-)\n\n%f[^\n][^ `]")
  assert(text, title)
  return text:match "^```yaml\n(.*)\n```" or text:gsub("^    ", ""):gsub("\n    ", "\n")
end

-- Folders that stand for machines, the first for the one that reports.
local machines

local function machine(index)
  machines[index] = machines[index] or app.folder(index == 0 and {} or FILES)
  return machines[index]
end

-- A command of an example, on a machine where `lunette` is installed.
local function run(index, line, env)
  env = env or {}
  env.PATH = app.executable:match "^(.*)/" .. ":" .. os.getenv "PATH"
  return app.spawn("/bin/sh", { "-c", line }, { cwd = machine(index), env = env }).wait()
end

local function run_shard(index, line, env)
  local result = run(index, line, env)
  command.run(("cp %s/shard-* %s"):format(machine(index), machine(0)))
  return result
end

-- The report, as busted itself gives it when it runs all files.
local function check(result, output)
  local wanted = suite.run_plainly(FILES, { "-o", output or "plainTerminal" })
  local printed = suite.normalise(result.stdout, machine(0))
  assert.same({ wanted.stdout, "", 1 }, { printed, result.stderr, result.status })
end

local function runs_of(steps)
  local list = {}
  for _, step in ipairs(steps) do
    list[#list + 1] = step.run
  end
  assert.equal(1, #list)
  return list[1]
end

describe("docs/testing.md shards by", function()
  before_each(function()
    machines = {}
  end)

  after_each(function()
    for _, dir in pairs(machines) do
      app.remove(dir)
    end
  end)

  it("GitHub Actions", function()
    local jobs = yaml.load(example "GitHub Actions").jobs
    local upload = jobs.test.steps[3]["with"]
    for _, shard in ipairs(jobs.test.strategy.matrix.shard) do
      local function expand(text)
        return (text:gsub("%${{ matrix.shard }}", tostring(shard)))
      end
      assert.equal(0, run_shard(shard, expand(runs_of(jobs.test.steps))).status)
      assert.equal(expand(upload.name), expand(upload.path))
      assert(io.open(machine(0) .. "/" .. expand(upload.path))):close()
    end
    assert.equal("test", jobs.report.needs)
    assert.same({ "shard-*", true }, { jobs.report.steps[2]["with"].pattern,
      jobs.report.steps[2]["with"]["merge-multiple"] })
    check(run(0, runs_of(jobs.report.steps)))
  end)

  it("GitLab", function()
    local jobs = yaml.load(example "GitLab")
    local count = jobs.test.parallel
    for index = 1, count do
      local env = { CI_NODE_INDEX = index, CI_NODE_TOTAL = count }
      assert.equal(0, run_shard(index, jobs.test.script, env).status)
    end
    assert.same({ "shard-*" }, jobs.test.artifacts.paths)
    local result = run(0, jobs.report.script)
    result.stdout = result.stdout .. read(machine(0) .. "/" .. jobs.report.artifacts.reports.junit)
    check(result, "junit")
  end)

  it("a Slurm array", function()
    local script = example "A Slurm array"
    local report = read "docs/testing.md":match "`sbatch %-%-dependency[^`]*`%), `(.-)`"
    local last = tonumber(script:match "#SBATCH %-%-array=1%-(%d+)\n")
    for index = 1, last do
      run_shard(index, script, { SLURM_ARRAY_TASK_ID = index, SLURM_ARRAY_TASK_COUNT = last })
    end
    check(run(0, report))
  end)

  -- ":" is this machine, in a list of hosts.
  local has_parallel = command.exists "parallel"
    and command.run("parallel --version"):find "^GNU parallel"
  if has_parallel then
    it("GNU parallel", function()
      local line, report = example "GNU parallel":match "^(.*)\n(lunette test %-%-replay.-)$"
      machines[0] = app.folder(FILES)
      local hosts <close> = assert(io.open(machine(0) .. "/hosts", "w"))
      hosts:write "2/:\n"
      hosts:close()
      run(0, line, { HOME = machine(0) })
      check(run(0, report))
    end)
  end
end)
