--- One worker, as the controller sees it: started from a zygote that has busted loaded, told what
--- to run, listened to, and outlived.
local import = ...
local Capture = import "test.capture"
local Peer = import "common.peer"
local core_child = import "core.child"
local core_os = import "core.os"
local loop = import "core.loop"
local oom_kills = import "main.oom_kills"
local workplace = import "test.workplace"

local SIGKILL <const> = 9

-- How long a worker gets to raise the error of a limit by itself.
local GRACE_MS <const> = 1000

-- How long a worker whose link has ended may take to end by itself.
local END_MS <const> = 2000

---@class Host
---@field number integer one of its own in this run, from 1
---@field capture Capture
---@field tmpdir string its folder for temporary files
---@field events {on_entry: fun(host, entry), on_gone: fun(host)}
---@field ending {reason: string, code: integer}? how its process has ended
---@field is_killed boolean? by us
---@field overdue integer? the limit for which it was killed
local Host = {}
Host.__index = Host

local zygote

--- Starts the process that workers are forked from.
---@param arguments string[] of busted's command line
---@return true?, string?
function Host.open_zygote(arguments)
  local own = { "--lunette-test-zygote", tostring(core_os.pid()) }
  local options = { path = core_os.exec_path() }
  options.args = table.move(arguments, 1, #arguments, 3, own)
  local err
  zygote, err = core_child.zygote(options)
  return zygote and true, err
end

--- Ends it; the workers live on.
function Host.close_zygote()
  if zygote then zygote:close() end
end

-- What comes from the worker, by channel.
local INTERNAL <const> = {
  entry = function(self, entry)
    self.events.on_entry(self, entry)
  end,
}

local function conclude(self)
  if not self.ending or not self._link_ended then return end
  if self._timer then self._timer:close() end
  self:set_limit(0)
  workplace.remove_folder(self.tmpdir)
  self.events.on_gone(self)
end

local function link_ended(self)
  if self._link_ended then return end
  self._link_ended = true
  self._peer:close "the worker has ended"
  if not self.ending then
    self._timer = loop.timer(END_MS, 0, function()
      self:kill()
    end)
  end
  conclude(self)
end

local function process_ended(self, reason, code)
  local is_foreign = reason == "killed" and code == SIGKILL and not self.is_killed
  if is_foreign and oom_kills.has_more() then reason = "oom" end
  self.ending = { reason = reason, code = code }
  if not self._link_ended then
    self._timer = loop.timer(END_MS, 0, function()
      link_ended(self)
    end)
  end
  conclude(self)
end

local function launch(self)
  oom_kills.begin()
  assert(self._peer:boot { argv = { [0] = core_os.exec_path() } })
  local child, fd = zygote:spawn {
    on_exit = function(reason, code)
      process_ended(self, reason, code)
    end,
  }
  if not child then return nil, fd end
  self._child = child
  return self._peer:connect(fd)
end

--- Forks a worker, which waits to be told what to run. Returns nil and a message when it cannot.
---@param number integer
---@param events table
---@return Host?, string?
function Host.start(number, events)
  local self = setmetatable({ number = number, events = events }, Host)
  local owner = { _routes = { handlers = {}, listeners = {} }, _internal = {} }
  function owner._on_gone() link_ended(self) end
  for channel, fn in pairs(INTERNAL) do
    owner._internal[channel] = function(_, ...) fn(self, ...) end
  end
  self._peer = Peer.new("main", owner, "a worker")
  self.capture = Capture.new(number)
  self.tmpdir = workplace.make_folder(tostring(number))
  local ok, err = launch(self)
  if not ok then return nil, err end
  return self
end

--- Tells it what to run; see worker/session.lua.
---@param options table
function Host:run(options)
  options.number = self.number
  self._peer:send_internal("run", options)
end

--- What it runs may take that time: past it, and a while for it to end by itself, it is killed.
---@param ms integer 0 for no limit
function Host:set_limit(ms)
  if self._watchdog then self._watchdog:close() end
  self._watchdog = nil
  if ms == 0 then return end
  self._watchdog = loop.timer(ms + GRACE_MS, 0, function()
    self.overdue = ms
    self:kill()
  end)
end

--- Ends it at once.
function Host:kill()
  if self.ending then return end
  self.is_killed = true
  self._child:kill "SIGKILL"
end

return Host
