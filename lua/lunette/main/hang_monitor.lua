--- Tells when a renderer does not return to its loop, and when it does again.
---
--- Idle renderers are left asleep: one is pinged only when something was sent to it since the last
--- ping, or when it has worked for a while by itself, which the processor's clock tells. So there
--- is nothing to do where messages are sent and received.
local import = ...
local loop = import "core.loop"

-- Looks of the monitor within its timeout: a hang is told after 4 to 5 quarters of it. They are
-- counted, not timed: while main itself hangs, no answer could come.
local LOOKS <const> = 4

-- A renderer that has worked for this part of the time between two looks may hang.
local SUSPICIOUS_SHARE <const> = 2

---@class HangMonitor
local HangMonitor = { __name = "HangMonitor" }
HangMonitor.__index = HangMonitor

--- Looks once; the timer calls it.
function HangMonitor:look()
  if self._waited then
    self._waited = self._waited + 1
    if self._waited == LOOKS then
      self.is_hanging = true
      self._on_change(true)
    end
    return
  end
  local is_busy = self._child:cpu_time() - self._cpu_time > self._suspicious
  if not is_busy and self._peer:sent() == self._sent then return end
  self._waited = 0
  self._peer:send_internal "ping"
  self._sent = self._peer:sent()
end

--- The renderer has returned to its loop and read the ping.
function HangMonitor:answered()
  if not self._waited then return end
  self._waited, self._cpu_time = nil, self._child:cpu_time()
  if not self.is_hanging then return end
  self.is_hanging = false
  self._on_change(false)
end

--- Ends it. Idempotent.
function HangMonitor:stop()
  if self._timer then self._timer:close() end
  self._timer = nil
end

--- Watches a renderer.
---@param child userdata of core.child
---@param peer Peer connected to it
---@param timeout integer milliseconds
---@param on_change fun(is_hanging: boolean)
---@return HangMonitor
function HangMonitor.start(child, peer, timeout, on_change)
  local interval = math.ceil(timeout / LOOKS)
  local self = setmetatable({
    _child = child,
    _peer = peer,
    _on_change = on_change,
    _cpu_time = 0,
    _suspicious = interval * 1000000 // SUSPICIOUS_SHARE,
    is_hanging = false,
  }, HangMonitor)
  self._timer = loop.timer(interval, interval, function()
    self:look()
  end)
  return self
end

return HangMonitor
