--- Renderers on threads: started, or a spare one that has booted ahead.
---
--- The spare loads what all sandboxed pages need in its own time, and waits for its page. It is
--- made when such a page of the app has begun, or has gone: while one starts, a spare would take
--- the core from it. No window knows of it, and it ends with the host, or when no page has come for
--- a while. A page without a sandbox gets a thread of its own: luv comes on that one's loop, and it
--- sees the environment as it is now.
local import = ...
local app_info = import "main.app_info"
local core_thread = import "core.thread"
local loop = import "core.loop"

local M = {}

--- How long a spare waits for its page, in milliseconds. The next page that is opened has another
--- one made, so all that a longer time would save is the boot of a page now and then.
M.patience = 10000

---@class SpareThread
---@field thread userdata|false
---@field timer userdata|false that ends its wait
---@field on_exit function|false once it is taken

---@type SpareThread?
local spare

-- The last thread with a sandboxed page, while that starts.
---@type userdata?
local starting

local function start(is_sandboxed, on_exit)
  return core_thread.spawn {
    sandboxed = is_sandboxed,
    signal = app_info.stop_signal,
    on_exit = on_exit,
  }
end

-- It waits no more: its page has come, nobody's has, or it has ended.
local function leave(entry)
  entry.timer:close()
  if spare == entry then spare = nil end
end

local function drop(entry)
  leave(entry)
  if entry.thread then entry.thread:kill() end
end

-- Where memory is short, the timer, which comes first, ends what there is; once the thread has been
-- started, nothing needs memory any more.
local function make_spare()
  local entry = { thread = false, timer = false, on_exit = false }
  entry.timer = loop.timer(M.patience, 0, function()
    drop(entry)
  end)
  entry.timer:ref(false)
  entry.thread = start(true, function(...)
    if entry.on_exit then return entry.on_exit(...) end
    leave(entry)
  end)
  if not entry.thread then return leave(entry) end
  entry.thread:set_aside(true)
  spare = entry
end

local function take_spare(on_exit)
  local entry = spare
  leave(entry)
  entry.on_exit = on_exit
  entry.thread:set_aside(false)
  return entry.thread
end

--- Starts a renderer.
---@param is_sandboxed boolean
---@param on_exit fun(reason: string, code: integer) called once, unless it is closed before
---@return userdata? thread
---@return string|lightuserdata channel our end of it, the caller's; or why there is no thread
function M.spawn(is_sandboxed, on_exit)
  local thread, err
  if is_sandboxed and spare then
    thread = take_spare(on_exit)
  else
    thread, err = start(is_sandboxed, on_exit)
  end
  if not thread then return nil, err end
  if is_sandboxed then starting = thread end
  return thread, thread:channel()
end

--- The page of a renderer starts no more: it has begun, or has gone. Idempotent. A spare that fails
--- is no window's business: the next one starts a thread of its own, as if there had been none.
---@param thread userdata? any renderer's process or thread
function M.settled(thread)
  if not thread or thread ~= starting then return end
  starting = nil
  if not spare then pcall(make_spare) end
end

return M
