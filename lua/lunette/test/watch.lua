--- What is told while the workers run: a test that takes very long, and how far the run has come.
--- All of it on standard error, and none of it a part of the report.
local import = ...
local core_os = import "core.os"
local loop = import "core.loop"

local M = {}

local NOTICE_S <const>, PROGRESS_MS <const> = 30, 200
local CLEAR_LINE <const> = "\r\27[K"

local function now()
  return core_os.hrtime() / 1e9
end

--- A worker has told of something: remembers what it is at.
---@param host Host
---@param entry table
function M.note(host, entry)
  host.names = host.names or {}
  for _, definition in ipairs(entry.new or {}) do
    host.names[definition.id] = definition.name
  end
  host.since, host.noticed = now(), 0
  if entry.mark == "begin" then host.at = host.unit[host.begun].name end
  local is_start = entry.channel and entry.channel[2] == "start"
  if is_start then host.at = host.names[entry.element] or host.at end
end

local function tell_slow(host)
  if not host.since or host.ended or host.ending then return end
  local seconds = math.floor(now() - host.since)
  if seconds - host.noticed < NOTICE_S then return end
  host.noticed = seconds
  local text = "lunette test: worker %d has been at '%s' for %d s\n"
  io.stderr:write(text:format(host.slot, tostring(host.at), seconds))
end

local function running(pool)
  local names = {}
  for _, host in ipairs(pool.hosts) do
    local file = not host.ended and not host.ending and host.unit[math.max(host.begun, 1)]
    if file then names[#names + 1] = file.name end
  end
  return table.concat(names, ", ")
end

local function draw(pool)
  local done, count = 0, #pool.journals
  for _, journal in ipairs(pool.journals) do
    if journal.is_complete then done = done + 1 end
  end
  io.stderr:write(CLEAR_LINE, ("%d/%d files; %s"):format(done, count, running(pool)))
end

-- A line that is drawn anew must not be where the report goes.
local function has_place_for_line()
  return core_os.is_terminal(2) and not core_os.is_terminal(1)
end

--- Watches over a pool of workers until the result is called.
---@param pool Pool
---@return fun() stop
function M.start(pool)
  local notices = loop.timer(NOTICE_S * 1000, 1000, function()
    for _, host in ipairs(pool.hosts) do
      tell_slow(host)
    end
  end)
  local line = has_place_for_line() and loop.timer(PROGRESS_MS, PROGRESS_MS, function()
    draw(pool)
  end)
  return function()
    notices:close()
    if not line then return end
    line:close()
    io.stderr:write(CLEAR_LINE)
  end
end

return M
