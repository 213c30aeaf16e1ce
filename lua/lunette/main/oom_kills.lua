--- Whether the kernel has killed somebody for want of memory: a renderer that died of a SIGKILL
--- which main did not send then died of that. The kernel counts such kills for the control group
--- that a process is in (either version of them), and for the machine.
local import = ...
local core_os = import "core.os"

local GROUPS <const>, MACHINE <const> = "/proc/self/cgroup", "/proc/vmstat"
local V1 <const>, V1_FILE <const> = "/sys/fs/cgroup/memory", "/memory.oom_control"
local V2 <const>, V2_FILE <const> = "/sys/fs/cgroup", "/memory.events"

local M = {}

--- The files that may have the line `oom_kill N`, the best first. Inside of a container the path of
--- a group may be the host's: then its root is what counts.
---@param groups string what GROUPS holds
---@return string[]
function M.counters(groups)
  local list = {}
  for controllers, path in groups:gmatch "%d+:([^:\n]*):(/[^\n]*)" do
    path = path == "/" and "" or path
    if controllers == "" then
      list[#list + 1] = V2 .. path .. V2_FILE
    elseif ("," .. controllers .. ","):find(",memory,", 1, true) then
      list[#list + 1] = V1 .. path .. V1_FILE
      list[#list + 1] = V1 .. V1_FILE
    end
  end
  list[#list + 1] = V2 .. V2_FILE
  list[#list + 1] = MACHINE
  return list
end

--- The count of the first file that has one; 0 where there is none.
---@param read fun(path: string): string?
---@return integer
function M.count(read)
  for _, file in ipairs(M.counters(read(GROUPS) or "")) do
    local number = ("\n" .. (read(file) or "")):match "\noom_kill (%d+)"
    if number then return math.tointeger(number) end
  end
  return 0
end

local known

--- Remembers how many there were, once: to be called before there is a renderer.
function M.begin()
  known = known or M.count(core_os.read_file)
end

--- Whether there were more since the last call, or `begin`.
---@return boolean
function M.has_more()
  local before = known
  known = M.count(core_os.read_file)
  return known > before
end

return M
