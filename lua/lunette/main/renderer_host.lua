--- One renderer, a process or a thread of this one: started, booted over its link, watched, ended.
---
--- It has gone when its process has ended, which gives the reason, and its link, whose last packets
--- come before its end. Either may be told first.
local import = ...
local core_child = import "core.child"
local core_os = import "core.os"
local executable = import "main.executable"
local hang_monitor = import "main.hang_monitor"
local loop = import "core.loop"
local oom_kills = import "main.oom_kills"
local report = import "common.report"
local task = import "common.task"
local threads = import "main.threads"
local zygote = import "main.zygote"

-- How long a renderer whose link has closed may take to end by itself, and how long the link of one
-- that has ended may stay open: somebody else may hold its other end.
local END_MS <const>, LINK_END_MS <const> = 500, 1000

local LAUNCH_FAILED <const> = core_child.LAUNCH_FAILED
local SIGKILL <const> = 9

---@class RendererHost
---@field started integer when, in nanoseconds
---@field is_unwanted boolean? whether the app itself has ended it
local RendererHost = { __name = "RendererHost" }
RendererHost.__index = RendererHost

local function set_timer(self, ms, fn)
  if self._timer then self._timer:close() end
  self._timer = ms and loop.timer(ms, 0, fn)
end

-- Electron's word for how it ended. A code that the page itself chose means nothing more.
local function reason_of(self)
  local exit = self._exit
  if self._link_end.fault then return "crashed" end
  if self.is_unwanted and exit.reason == "launch-failed" then return "killed" end
  if self._is_leaving and exit.reason ~= "killed" and exit.reason ~= "crashed" then
    return exit.code == 0 and "clean-exit" or "abnormal-exit"
  end
  local is_foreign = exit.reason == "killed" and exit.code == SIGKILL and not self._is_killed
  return is_foreign and oom_kills.has_more() and "oom" or exit.reason
end

local function conclude(self)
  if not (self._link_end and self._exit) then return end
  set_timer(self, nil)
  if self._is_retired then return end
  local reason = reason_of(self)
  local is_lost = reason == "killed" and self._exit.code == LAUNCH_FAILED
  self._on_gone { reason = reason, exitCode = is_lost and SIGKILL or self._exit.code }
end

local function process_ended(self, reason, code)
  self._exit = { reason = reason, code = code }
  self:settled()
  if self._monitor then self._monitor:stop() end
  if not self._link_end then
    set_timer(self, LINK_END_MS, function()
      self:link_ended()
    end)
  end
  conclude(self)
end

-- A sandboxed renderer is forked from the zygote. Any other is a program of its own: it sees the
-- environment and the working directory that main has now.
local function spawn_process(is_sandboxed, descriptors, on_exit)
  local forker = is_sandboxed and zygote.get()
  if forker then return forker:spawn { on_exit = on_exit, descriptors = descriptors } end
  return core_child.spawn {
    path = executable.path(),
    args = {
      is_sandboxed and "--lunette-sandboxed" or "--lunette-renderer",
      tostring(core_os.pid()),
    },
    on_exit = on_exit,
    descriptors = descriptors,
  }
end

local function spawn(boot, on_exit)
  if boot.isolation == "process" then
    return spawn_process(boot.sandbox, boot.limits.descriptors, on_exit)
  end
  return threads.spawn(boot.sandbox, on_exit)
end

local function watch(self, peer, timeout, on_hang)
  if timeout == 0 then return end
  self._monitor = hang_monitor.start(self._child, peer, timeout, on_hang)
end

local function launch(self, peer, boot)
  oom_kills.begin()
  local ok, err = peer:boot(boot)
  if not ok then return nil, err end
  local child, fd = spawn(boot, function(reason, code)
    process_ended(self, reason, code)
  end)
  if not child then return nil, fd end
  -- At once: were memory short here, nobody would own the descriptor.
  ok, err = peer:connect(fd)
  self._child = child
  if not ok then child:close() end
  return ok, err
end

local function fail_launch(self)
  self._link_end = {}
  process_ended(self, "launch-failed", LAUNCH_FAILED)
end

--- Starts a renderer and boots it. Whoever owns the peer says when that has ended.
---@param peer Peer not connected yet
---@param boot table
---@param timeout integer milliseconds after which a renderer that does not answer hangs; or 0
---@param events {on_gone: function, on_hang: function} on_gone(details) is called once, never from
---here, when nothing of the renderer is left; on_hang(is_hanging) as for hang_monitor.lua
---@return RendererHost
function RendererHost.start(peer, boot, timeout, events)
  local self = setmetatable({
    _on_gone = events.on_gone,
    _is_retired = false,
    started = core_os.hrtime(),
  }, RendererHost)
  local ok, err = launch(self, peer, boot)
  if ok then
    watch(self, peer, timeout, events.on_hang)
  else
    report.warn("cannot start a renderer: " .. err)
    task.enqueue(fail_launch, self)
  end
  return self
end

--- The renderer has answered the hang monitor's ping.
function RendererHost:answered()
  if self._monitor then self._monitor:answered() end
end

--- Its page has begun, cannot begin, or has gone.
function RendererHost:settled()
  threads.settled(self._child)
end

--- The page ends its process by itself: its exit code is its own.
function RendererHost:leaving()
  self._is_leaving = true
end

--- Bytes of its process in main memory; nil when it has ended.
---@return integer?
function RendererHost:memory()
  local status = core_os.read_file(("/proc/%d/status"):format(self:pid()))
  local kib = status and status:match("\nVmRSS:%s*(%d+) kB")
  return kib and math.tointeger(kib) << 10
end

--- Its process number, main's for a thread: 0 for a moment after the start, until the zygote has
--- told it.
---@return integer
function RendererHost:pid()
  return self._child and self._child:pid() or 0
end

--- Ends the process at once, by a signal; stops the thread.
---@param signal string
function RendererHost:kill(signal)
  if not self._child or self._exit then return end
  self._is_killed = true
  self._child:kill(signal)
end

-- The signal waits for a process that a zygote is to fork: one that hangs never does. In between
-- two looks the loop polls, so that an answer which is there is seen.
local function await_zygote(self)
  local looks = 0
  self._patience = self._patience or loop.timer(END_MS, END_MS, function()
    looks = looks + 1
    local is_lost = looks == 2 and not self._exit and self:pid() == 0
    if is_lost then zygote.give_up() end
    if looks == 2 then self._patience:close() end
  end)
end

--- The app wants it dead.
function RendererHost:crash()
  self.is_unwanted = true
  self:kill "SIGKILL"
  if self._child and not self._exit and self:pid() == 0 then await_zygote(self) end
end

--- Its link has ended: the process does so too, or is made to.
---@param fault string? how it broke the protocol
function RendererHost:link_ended(fault)
  if self._link_end then return end
  self._link_end = { fault = fault }
  self:settled()
  if self._monitor then self._monitor:stop() end
  if fault then
    self:kill "SIGKILL"
  elseif not self._exit then
    set_timer(self, END_MS, function()
      self:kill "SIGKILL"
    end)
  end
  conclude(self)
end

--- Its owner has closed the link and wants to hear nothing more.
function RendererHost:retire()
  self._is_retired = true
  self:link_ended()
end

return RendererHost
