-- SPDX-License-Identifier: MIT
--- Finds the processes of an app under test, also those that have lost their parent.
---
---   local mark = processes.new_mark()
---   local process = app.spawn(path, args, { env = processes.environment(mark) })
---   processes.adopt(mark, process.pid)
---   process.kill "sigkill"
---   processes.gone_within(mark, 1000)
local app = require "spec.support.app"
local lunette = require "lunette"
local uv = lunette.uv

local M = {}

local MARK <const> = "LUNETTE_SPEC_MARK"
local last_mark = 0

-- Processes that were seen so far: mark to set of their numbers, as text.
local seen = {}

local function read(path)
  local file = io.open(path)
  local text = file and file:read "a"
  if file then file:close() end
  return text or ""
end

-- Whether the process was started with this mark. A sandboxed one has forgotten its environment,
-- but its command line tells whose child it is.
local function is_marked(pid, mark)
  local of_mark = seen[mark]
  local environment = "\0" .. read("/proc/" .. pid .. "/environ") .. "\0"
  if environment:find(("\0%s=%s\0"):format(MARK, mark), 1, true) then of_mark[pid] = true end
  local parent = read("/proc/" .. pid .. "/cmdline"):match "%-%-lunette%-%w+%z(%d+)"
  return of_mark[pid] or of_mark[parent]
end

--- A mark that no other process has.
---@return string
function M.new_mark()
  last_mark = last_mark + 1
  local mark = ("%d-%d"):format(lunette.process.pid, last_mark)
  seen[mark] = {}
  return mark
end

--- What the environment of the first process of a mark has to have.
---@param mark string
---@return table<string, string>
function M.environment(mark)
  return { [MARK] = mark }
end

--- Tells the number of a process that was started with the mark.
---@param mark string
---@param pid integer
function M.adopt(mark, pid)
  seen[mark][tostring(pid)] = true
end

--- The processes that were started with this mark, and live.
---@param mark string
---@return integer[]
function M.marked(mark)
  local list = {}
  local request = assert(uv.fs_scandir "/proc")
  for name in function() return uv.fs_scandir_next(request) end do
    if name:find "^%d+$" and is_marked(name, mark) and app.is_alive(tonumber(name)) then
      list[#list + 1] = tonumber(name)
    end
  end
  return list
end

--- Awaits that no process of the mark lives; raises when the time is over. Under valgrind a process
--- takes a second until it can ask to die with its parent.
---@param mark string
---@param ms integer in the release build
function M.gone_within(mark, ms)
  ms = ms * app.PATIENCE
  app.wait_until(function()
    return #M.marked(mark) == 0
  end, ("the end of all processes within %.0f ms"):format(ms), ms)
end

return M
