--- The life of the app: ready, windows, quit, exit, and the order of their events.
local import = ...
local Emitter = import "common.emitter"
local app_info = import "main.app_info"
local events = import "common.event"
local loop = import "core.loop"
local process = import "common.process"
local promises = import "common.promise"

local M = {}

--- The public `app`, whose functions main/app.lua adds.
M.app = {}
local emitter = Emitter.bind(M.app, "app")

--- All open windows; set by browser_window.lua.
---@type fun(): BrowserWindow[]
M.get_windows = nil

--- Command lines to start when the process ends.
---@type string[][]
M.relaunches = {}

--- What holds the single instance lock, if this instance does; has close().
---@type userdata?
M.lock = nil

--- Whether the app ends with its last window, unless it listens to `window-all-closed`.
M.ends_with_windows = true

local ready, ready_promise = false, promises.pending()
local hold
local quitting, finished = false, false

--- Emits an event of app: listeners get an event object, then the arguments.
---@return Event
function M.announce(name, ...)
  local event = events.new()
  Emitter.fire(emitter, name, event, ...)
  return event
end

---@return boolean
function M.is_ready()
  return ready
end

---@return Promise
function M.when_ready()
  if ready_promise:status() == "fulfilled" then return ready_promise end
  return ready_promise:andThen() -- one for each caller, who may cancel it
end

--- The main script has returned or suspended.
function M.set_ready()
  if ready or finished then return end
  ready = true
  loop.spin(app_info.poll_us())
  M.announce "will-finish-launching"
  M.announce "ready"
  promises.fulfil(ready_promise)
end

--- From the first window on, the app lives until it quits.
function M.window_opened()
  hold = hold or loop.hold()
end

local function finish(code)
  finished = true
  M.exit_code = code
  M.announce("quit", code)
  Emitter.fire(process.emitter, "exit", code)
end

-- False when a listener of the event prevents it, or has ended the app at once.
local function is_agreed(name)
  return not finished and not M.announce(name).defaultPrevented and not finished
end

-- Every window is asked, also when one has refused. False when some are left.
local function close_windows()
  for _, window in ipairs(M.get_windows()) do
    if not window:isDestroyed() then window:close() end
  end
  return #M.get_windows() == 0
end

--- Asks everybody, closes the windows, and ends the app, unless somebody prevents it.
--- https://www.electronjs.org/docs/latest/api/app#appquit
function M.quit()
  if quitting or finished then return end
  quitting = true
  local agreed = is_agreed "before-quit" and close_windows() and is_agreed "will-quit"
  quitting = false
  if not agreed then return end
  loop.stop() -- first: also should there be no memory for what finish() tells
  finish(process.exit_code)
end

--- Ends the app at once: no window is asked.
---@param code integer
function M.exit(code)
  if finished then return end
  quitting = true
  for _, window in ipairs(M.get_windows()) do
    window:_destroy()
  end
  if finished then return end -- by a listener of closed
  loop.stop()
  finish(code)
end

--- A window was closed; `count` are left.
---@param count integer
function M.window_closed(count)
  if count > 0 or quitting or finished then return end
  local was_heard = Emitter.fire(emitter, "window-all-closed", events.new())
  if not was_heard and M.ends_with_windows then M.quit() end
end

--- The loop has ended: what the process ends with.
---@return integer
function M.conclude()
  if not finished then finish(process.exit_code) end
  return M.exit_code
end

return M
