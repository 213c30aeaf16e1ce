--- One renderer process: started, booted over its link, watched, ended.
local import = ...
local core_child = import "core.child"
local core_os = import "core.os"
local loop = import "core.loop"
local zygote = import "main.zygote"

-- How long a renderer whose link has closed may take to end by itself.
local GRACE_MS <const> = 500

---@class RendererHost
local RendererHost = { __name = "RendererHost" }
RendererHost.__index = RendererHost

-- The process ended, or never began: told once.
local function ended(self, reason, code, signal)
  if self.ended then return end
  self.ended = true
  if self._grace then self._grace:close() end
  self._on_exit(reason, code or 0, signal)
end

-- A sandboxed renderer is forked from the zygote. Any other is a program of its own: it sees the
-- environment and the working directory that main has now.
local function spawn(is_sandboxed, on_exit)
  local forker = is_sandboxed and zygote.get()
  if forker then return forker:spawn { on_exit = on_exit } end
  return core_child.spawn {
    path = core_os.exec_path(),
    args = {
      is_sandboxed and "--lunette-sandboxed" or "--lunette-renderer",
      tostring(core_os.pid()),
    },
    on_exit = on_exit,
  }
end

--- Starts the renderer process and boots it. `on_exit(reason, code)` is called once, after which
--- nothing of the process is left. Returns nil and the reason when it could not be started.
---@param peer Peer not connected yet
---@param boot table
---@param on_exit fun(reason: string, code: integer)
---@return RendererHost?, string?
function RendererHost.start(peer, boot, on_exit)
  local self = setmetatable({ _on_exit = on_exit, ended = false }, RendererHost)
  local child, fd = spawn(boot.sandbox, function(reason, code)
    ended(self, reason, code)
  end)
  if not child then return nil, fd end
  self._child = child
  local ok, err = peer:boot(fd, boot)
  if not ok then
    child:close()
    return nil, err
  end
  return self
end

--- Its process number: 0 for a moment after the start, until the zygote has told it.
---@return integer
function RendererHost:pid()
  return self._child:pid()
end

--- Ends the process at once, by a signal.
---@param signal string
function RendererHost:kill(signal)
  if not self.ended then self._child:kill(signal) end
end

--- Its link has closed: it ends by itself, or is killed.
function RendererHost:expect_end()
  if self.ended or self._grace then return end
  self._grace = loop.timer(GRACE_MS, 0, function()
    self:kill("SIGKILL")
  end)
end

return RendererHost
