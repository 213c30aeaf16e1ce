--- What is told while the workers run: a test that takes very long, and how far the run has come.
--- All of it on standard error, and none of it a part of the report.
local import = ...
local core_os = import "core.os"
local loop = import "core.loop"

local M = {}

local LOOK_MS <const>, PROGRESS_MS <const> = 1000, 200
local CLEAR_LINE <const> = "\r\27[K"

local function now()
  return core_os.hrtime() / 1e6 // 1
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

local function tell_slow(host, slow)
  if not host.since or host.ended or host.ending then return end
  local ms = now() - host.since
  if ms - host.noticed < slow then return end
  host.noticed = ms
  local text = "lunette test: worker %d has been at '%s' for %.1f s\n"
  io.stderr:write(text:format(host.slot, tostring(host.at), ms / 1000))
end

-- Each worker that is at one thing for so long, and again for each such time.
local function watch_slow(pool, slow)
  if slow == 0 then return nil end
  return loop.timer(math.min(slow, LOOK_MS), math.min(slow, LOOK_MS), function()
    for _, host in ipairs(pool.hosts) do
      tell_slow(host, slow)
    end
  end)
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

-- On a terminal: how far the run has come.
local function watch_progress(pool)
  if not has_place_for_line() then return nil end
  return loop.timer(PROGRESS_MS, PROGRESS_MS, function()
    draw(pool)
  end)
end

--- Watches over a pool of workers until the result is called.
---@param pool Pool
---@param slow integer milliseconds that a worker may be at one thing before that is told; 0: never
---@return fun() stop
function M.start(pool, slow)
  local notices, line = watch_slow(pool, slow), watch_progress(pool)
  return function()
    if notices then notices:close() end
    if not line then return end
    line:close()
    io.stderr:write(CLEAR_LINE)
  end
end

return M
