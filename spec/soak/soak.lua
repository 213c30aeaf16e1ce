-- SPDX-License-Identifier: MIT
--- The soak: apps (spec/soak/app) to which everything happens at once, by chance, for a while.
---
--- Two apps run all the time, one of which has pages on threads too: their memory is compared,
--- first quarter against last. Beside them others run, one after another, each in a trouble of its
--- own: main is killed, stopped, ends by itself; the disk is full; descriptors run out. Behind each
--- no process, no thread and no file may be left, and none may have written a fault to its log.
local app = require "spec.support.app"
local lunette = require "lunette"
local processes = require "spec.support.processes"
local uv = lunette.uv

local M = {}

local APP <const> = "spec/soak/app"
local CLOCK <const> = app.executable:gsub("[^/]+$", "") .. "spec/soak/clock.so"
local GONE_MS <const> = 1000
local SIGABRT <const>, SIGKILL <const> = 6, 9

-- Growth that is no leak: what two samples differ by with the windows, the large messages and the
-- garbage that there are at the time. Medians of many samples differ by less.
--
-- The thread sanitizer has four bytes of its own for each, and watches each memcpy, of which
-- string.rep makes one a character: pages on threads that eat what they may take seconds for it,
-- those that were closed too, several at a time. What main has then tells nothing of leaks, which
-- the other builds look for.
local IS_TSAN <const> = app.executable:find "/tsan/"
local SLACK <const> = { heap = 4 << 20, pss = IS_TSAN and math.huge or 24 << 20 }
local GROWTH <const> = 1.1

-- The apps that run all the time. The memory of one with threads is its pages' too, and what the C
-- library keeps of those that have ended, for the next ones: as much as one page may have.
local STEADY <const> = {
  { name = "the steady one", room = 0 },
  { name = "the one with threads", room = 16 << 20, args = { "--threads" } },
}

-- For the shell: the app's temporary folder becomes a full disk, of its own mount namespace, and
-- all that it prints goes there.
local FILL <const> = [[mount -t tmpfs -o size=64k none "$TMPDIR" &&
  { head -c 1m /dev/zero >"$TMPDIR/full" 2>"$TMPDIR/out"; exec "$0" "$@" >"$TMPDIR/out" 2>&1; }]]
local FEW_DESCRIPTORS <const> = 'ulimit -n 24 && exec "$0" "$@"'

local function stop_and_go(run)
  for _ = 1, 3 do
    lunette.sleep(math.random(200))
    run.process.kill "sigstop"
    lunette.sleep(math.random(200))
    run.process.kill "sigcont"
  end
end

local function kill_soon(run)
  lunette.sleep(math.random(1000))
  run.process.kill "sigkill"
end

-- SIGTERM is any process's end until main has asked for it, as it has when its script runs.
local function tell_to_end(run)
  app.wait_until(function() return uv.fs_stat(run.dir .. "/log").size > 0 end, "the app's script")
  lunette.sleep(math.random(1000))
  run.process.kill "sigterm"
end

-- What befalls an app. `line`: the command before the executable; `act(run)` is called while it
-- runs, which has to be over within `seconds`; `signal`: what it ends by, if not in order.
local TROUBLES <const> = {
  { name = "nothing" },
  { name = "no zygote", args = { "--no-zygote" } },
  { name = "threads", args = { "--threads" } },
  { name = "main is killed", act = kill_soon, seconds = 60, signal = SIGKILL },
  { name = "main is told to end", act = tell_to_end, seconds = 60 },
  { name = "main is stopped", act = stop_and_go, seconds = 3 },
  { name = "main exits", args = { "--end=exit", "--threads" } },
  { name = "main aborts", args = { "--end=abort" }, signal = SIGABRT },
  { name = "few descriptors", args = { "--threads" }, line = { "/bin/sh", "-c", FEW_DESCRIPTORS } },
  {
    name = "full disk",
    line = { "unshare", "--mount", "/bin/sh", "-c", FILL },
    needs_mount = true,
  },
}

local function shuffled(list)
  local copy = table.move(list, 1, #list, 1, {})
  for i = #copy, 2, -1 do
    local j = math.random(i)
    copy[i], copy[j] = copy[j], copy[i]
  end
  return copy
end

-- What the kernel tells of processes: their command lines, states and what they wait for.
local function describe(pids)
  local lines = {}
  for _, pid in ipairs(pids) do
    for _, name in ipairs { "cmdline", "stat", "wchan", "syscall" } do
      local file <close> = io.open(("/proc/%d/%s"):format(pid, name))
      lines[#lines + 1] = file and file:read("a"):gsub("%z", " ")
    end
  end
  return "\n" .. table.concat(lines, "\n")
end

-- The soak

---@class Soak
---@field faults string[]
local Soak = {}
Soak.__index = Soak

local function new_soak(options)
  return setmetatable({
    seed = options.seed,
    faults = {},
    skipped = {},
    did = {},
    gone = {},
    sizes = {},
    handled = 0,
    apps = 0,
  }, Soak)
end

function Soak:fault(name, text)
  self.faults[#self.faults + 1] = ("%s (app %d): %s"):format(name, self.apps, text)
end

-- Takes each line of an app's log.
function Soak:read_log(name, path, memory)
  for line in io.lines(path) do
    local word, text = line:match "^(%a+) (.*)$"
    if word == "fault" then self:fault(name, text)
    elseif word == "skipped" then self.skipped[text] = true
    elseif word == "did" or word == "gone" then
      self[word][text] = (self[word][text] or 0) + 1
    elseif word == "count" then self.handled = self.handled + tonumber(text)
    elseif word == "memory" and memory then
      local heap, pss = text:match "(%d+) (%d+)"
      memory[#memory + 1] = { heap = tonumber(heap), pss = tonumber(pss) }
    end
  end
end

-- The words of an app's command line.
function Soak:command(trouble, dir, seconds)
  local words = table.move(trouble.line or {}, 1, #(trouble.line or {}), 1, {})
  local app_words = {
    app.executable,
    APP,
    ("--log=%s/log"):format(dir),
    ("--seed=%d"):format(self.seed + self.apps),
    ("--seconds=%d"):format(seconds),
    "--clock=" .. CLOCK,
    table.unpack(trouble.args or {}),
  }
  return table.move(app_words, 1, #app_words, #words + 1, words)
end

-- Starts an app of `seconds`, as `trouble` has it.
function Soak:start(trouble, seconds)
  self.apps = self.apps + 1
  local dir, mark = app.folder { log = "" }, processes.new_mark()
  assert(uv.fs_mkdir(dir .. "/tmp", 448))
  local environment = processes.environment(mark)
  environment.TMPDIR, environment.HOME = dir .. "/tmp", dir .. "/tmp"
  local command = self:command(trouble, dir, seconds)
  local process = app.spawn(table.remove(command, 1), command, {
    env = environment,
    deadline = seconds * 1000 + 2 * app.DEADLINE,
  })
  processes.adopt(mark, process.pid)
  return { process = process, mark = mark, dir = dir, name = trouble.name, signal = trouble.signal }
end

-- The first file that a run has left. The thread sanitizer and valgrind make some of their own as a
-- process starts, and remove them again, unless the process is killed in between.
local function first_left(dir)
  for name in uv.fs_scandir_next, assert(uv.fs_scandir(dir)) do
    local is_tools = name:find "^tsan%.rodata%." or name:find "^valgrind_proc_"
    if not is_tools then return name end
  end
end

function Soak:check_remains(run)
  if not pcall(processes.gone_within, run.mark, GONE_MS) then
    self:fault(run.name, "processes are left:" .. describe(processes.marked(run.mark)))
  end
  local left = first_left(run.dir .. "/tmp")
  if left then self:fault(run.name, "a file is left: " .. left) end
end

-- Awaits the end of an app, and looks at what it leaves.
function Soak:finish(run, memory)
  local ok, result = pcall(run.process.wait)
  if not ok then
    self:fault(run.name, result)
  elseif result.signal ~= (run.signal or 0) or (not run.signal and result.status ~= 0) then
    local text = "it ended with %d, signal %d:\n%s"
    self:fault(run.name, text:format(result.status, result.signal, result.stderr:sub(-2000)))
  end
  self:check_remains(run)
  self:read_log(run.name, run.dir .. "/log", memory)
  app.remove(run.dir)
end

function Soak:run_trouble(trouble)
  local run = self:start(trouble, trouble.seconds or 1)
  if trouble.act then trouble.act(run) end
  self:finish(run)
end

local function median(samples, field)
  local values = {}
  for i, sample in ipairs(samples) do values[i] = sample[field] end
  table.sort(values)
  return values[#values // 2 + 1]
end

-- First quarter of the samples against the last.
function Soak:check_memory(steady, samples)
  local size = #samples // 4
  if size == 0 then return self:fault(steady.name, "there are no samples of memory") end
  local first = table.move(samples, 1, size, 1, {})
  local last = table.move(samples, #samples - size + 1, #samples, 1, {})
  for field, slack in pairs(SLACK) do
    local before, after = median(first, field), median(last, field)
    local room = field == "pss" and steady.room or 0
    self.sizes[#self.sizes + 1] = { name = steady.name, field = field, before, after }
    if after > before * GROWTH + slack / size ^ 0.5 + room then
      self:fault(steady.name, ("%s grew from %d to %d bytes"):format(field, before, after))
    end
  end
end

-- The troubles that there can be on this machine.
function Soak:troubles()
  local line = "mount -t tmpfs -o size=64k none /tmp"
  local trial = app.spawn("/bin/sh", { "-c", "unshare --mount " .. line })
  local ok, result = pcall(trial.wait)
  local list = {}
  for _, trouble in ipairs(TROUBLES) do
    if not trouble.needs_mount or ok and result.status == 0 then
      list[#list + 1] = trouble
    else
      self.skipped["no disk is full: it takes the right to mount one"] = true
    end
  end
  return list
end

--- Runs it. A longer one goes through the troubles over and over, each time in another order.
---@param options {seconds: integer, seed: integer}
---@return table faults, skipped (a set), handled, apps, did and gone (counts), sizes (of each app
---that ran all the time: first quarter, last quarter)
function M.run(options)
  math.randomseed(options.seed)
  local self = new_soak(options)
  local last = os.time() + options.seconds
  local steady = {}
  for i, kind in ipairs(STEADY) do steady[i] = self:start(kind, options.seconds) end
  local troubles = self:troubles()
  repeat
    for _, trouble in ipairs(shuffled(troubles)) do
      self:run_trouble(trouble)
    end
  until os.time() >= last
  for i, kind in ipairs(STEADY) do
    local samples = {}
    self:finish(steady[i], samples)
    self:check_memory(kind, samples)
  end
  return self
end

return M
