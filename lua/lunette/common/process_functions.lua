--- What `lunette.process` has in every role, and is rarely read.
local import = ...
local core_os = import "core.os"
local core_state = import "core.state"
local dotted = import "common.dotted"
local process = import "common.process"

local M = {}

--- Nanoseconds of a monotonic clock.
---@return integer
function M.hrtime()
  return core_os.hrtime()
end

--- Seconds since this state began.
---@return number
function M.uptime()
  return (core_os.hrtime() - process.started) / 1e9
end

-- Bytes of the process in main memory, or nil.
local function resident_memory()
  if process.is_blind then return process.page.memory() end
  return (core_os.memory())
end

--- `heap` and `heapPeak` of this state, `rss` of the process, in bytes.
---@return {heap: integer, heapPeak: integer, rss: integer}
function M.memoryUsage()
  local heap, peak = core_state.heap()
  return { heap = heap, heapPeak = peak, rss = resident_memory() }
end

for name, fn in pairs(M) do
  M[name] = dotted("process", name, fn)
end

--- Those of Lunette and its parts.
---@type table<string, string>
M.versions = core_state.versions()

return M
