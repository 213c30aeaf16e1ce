--- Renderers on threads: started, or a spare one that has booted ahead.
---
--- The spare loads what all sandboxed pages need in its own time, and waits for its page. It is
--- made once the app has opened such a page, and another one whenever it is taken; no window knows
--- of it, and it ends with the host. A page without a sandbox gets a thread of its own: luv comes
--- on that one's loop, and it sees the environment as it is now.
local import = ...
local app_info = import "main.app_info"
local core_thread = import "core.thread"
local loop = import "core.loop"

local M = {}

---@class SpareThread
---@field thread userdata
---@field on_exit function? once it is taken

---@type SpareThread?
local spare

local function start(is_sandboxed, on_exit)
  return core_thread.spawn {
    sandboxed = is_sandboxed,
    signal = app_info.stop_signal,
    on_exit = on_exit,
  }
end

-- One that fails is no window's business: the next one starts a thread of its own, as if there had
-- been none.
local function make_spare()
  if spare then return end
  local entry = {}
  entry.thread = start(true, function(...)
    if entry.on_exit then return entry.on_exit(...) end
    if spare == entry then spare = nil end
  end)
  if not entry.thread then return end
  entry.thread:set_aside(true)
  spare = entry
end

-- What opens a window is not to wait for it.
local function make_spare_soon()
  local turn
  turn = loop.next_turn(function()
    turn:close()
    make_spare()
  end)
end

local function take_spare(on_exit)
  local entry = spare
  spare = nil
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
  if is_sandboxed then make_spare_soon() end
  return thread, thread:channel()
end

return M
