-- SPDX-License-Identifier: MIT
-- How main reports: a line of JSON a metric; and what /proc says of processes.
local lunette = require "lunette"

local M = {}

--- How much of everything is measured, 0 to 1.
M.scale = tonumber(os.getenv "BENCH_SCALE") or 1

--- `webPreferences` of a page: on a thread when the command line has --isolation=thread.
---@param preferences table?
---@return table
function M.preferences(preferences)
  preferences = preferences or {}
  local isolation = lunette.app.commandLine.getSwitchValue "isolation"
  if isolation ~= "" then preferences.isolation = isolation end
  return preferences
end

---@param metric string
---@param values {v: number, min: number?, p99: number?}
function M.print(metric, values)
  values.c = os.getenv "ANCHOR_NAME" or os.getenv "BENCH_NAME" or "lunette"
  values.m = metric
  print(lunette.json.encode(values))
end

local function read_proc(pid, name)
  local file <close> = assert(io.open(("/proc/%s/%s"):format(pid, name)))
  return file:read "a"
end

--- Proportional set size of a process.
---@param pid integer|"self"
---@return number KiB
function M.pss_kib(pid)
  return tonumber(read_proc(pid, "smaps_rollup"):match "Pss:%s+(%d+) kB")
end

--- A line of this process's status, such as VmRSS or VmHWM.
---@param name string
---@return number KiB
function M.status_kib(name)
  return tonumber(read_proc("self", "status"):match(name .. ":%s+(%d+) kB"))
end

--- CPU time of a process's first thread.
---@param pid integer|"self"
---@return number microseconds
function M.cpu_us(pid)
  return tonumber(read_proc(pid, "schedstat"):match "^%d+") / 1e3
end

--- The processes that this one has started and that live.
---@return integer[]
function M.children()
  local pids = {}
  local own = lunette.process.pid
  for pid in read_proc(own, ("task/%d/children"):format(own)):gmatch "%d+" do
    pids[#pids + 1] = math.tointeger(tonumber(pid))
  end
  return pids
end

return M
