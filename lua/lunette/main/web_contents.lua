--- `webContents`: a page and the renderer that runs it, seen from main.
---
--- Each load has a renderer of its own. `_page` counts the loads, so that what belongs to
--- an earlier page is told from what belongs to this one. `_state` is
---   "new"      no load yet: messages wait in the peer, which has no connection
---   "live"     a renderer runs, or boots; messages that it is not ready for wait on its side
---   "crashed"  the renderer has gone; messages are dropped until the next load
---   "destroyed"
local import = ...
local Emitter = import "common.emitter"
local Peer = import "common.peer"
local RendererHost = import "main.renderer_host"
local app_info = import "main.app_info"
local arguments = import "common.arguments"
local console = import "main.console"
local core_child = import "core.child"
local core_os = import "core.os"
local crash_loop = import "main.crash_loop"
local events = import "common.event"
local ipc_dispatch = import "main.ipc_dispatch"
local ipc_main = import "main.ipc_main"
local load_error = import "main.load_error"
local loop = import "core.loop"
local page_loader = import "main.page_loader"
local path = import "common.path"
local process = import "common.process"
local promises = import "common.promise"
local report = import "common.report"
local sandbox_gaps = import "main.sandbox_gaps"
local task = import "common.task"
local web_frame_main = import "main.web_frame_main"

local check, fire = arguments.check, Emitter.fire

---@class WebContents : Emitter
local WebContents = Emitter.extend "WebContents"
WebContents._example = "win.webContents"

local by_id, last_id = {}, 0

-- Emits an event of the web contents: its listeners get an event object, then the arguments. A
-- destroyed one, maybe by the listener of the event before, has nothing to tell.
local function announce(self, name, ...)
  local event = events.new { sender = self }
  if self._state == "destroyed" then return event end
  fire(self, name, event, ...)
  return event
end

local function check_alive(self, method)
  arguments.check_self("WebContents:" .. method, self, WebContents, 3)
  if self._state == "destroyed" then error("Object has been destroyed", 3) end
end

local function new_peer(self)
  local peer = Peer.new("main", self, ("the renderer of WebContents #%d"):format(self.id))
  peer:configure(self._preferences)
  return peer
end

--- Makes the web contents of a window. `preferences` are complete.
function WebContents._new(preferences)
  last_id = last_id + 1
  local self = setmetatable({
    id = last_id,
    ipc = ipc_main.new_scope(),
    _preferences = preferences,
    _state = "new",
    _page = 0,
    _url = "",
    _title = "",
    _is_loading = false,
  }, WebContents)
  self._routes = ipc_dispatch.routes(self)
  self._peer = new_peer(self)
  by_id[self.id] = self
  return self
end

-- Sending

-- A renderer that has gone gets nothing: one warning for each page, and false.
local function is_dropped(self)
  if self._state ~= "crashed" then return false end
  if self._warned_page ~= self._page then
    self._warned_page = self._page
    local text = "WebContents #%d: its renderer has gone; what is sent to it is dropped"
    report.warn(text:format(self.id))
  end
  return true
end

--- Sends a message to the page. Returns true; false when it was dropped, or when more waits than
--- the high-water mark. Raises when a value cannot be sent.
--- https://www.electronjs.org/docs/latest/api/web-contents#contentssendchannel-args
---@param channel string
---@return boolean
function WebContents:send(channel, ...)
  check_alive(self, "send")
  check("WebContents:send", 1, channel, "string")
  if is_dropped(self) then return false end
  local sent = self._peer:send(0, channel, ...)
  return sent
end

-- Called by the public functions that send to a frame, never in a tail call; here it has to be one,
-- so that an error tells their caller's place.
function WebContents:_send_to_frame(name, frame, channel, ...)
  check(name, 1, channel, "string", 3)
  if self._state == "destroyed" or frame ~= 0 or is_dropped(self) then return false end
  return self._peer:send(frame, channel, ...)
end

--- Sends a message to one frame of the page. Returns false when there is no such frame.
---@param frame integer
---@param channel string
---@return boolean
function WebContents:sendToFrame(frame, channel, ...)
  check_alive(self, "sendToFrame")
  if math.type(frame) ~= "integer" and type(frame) ~= "table" then
    error("Missing required frame argument (must be number or [processId, frameId])", 2)
  end
  check("WebContents:sendToFrame", 2, channel, "string")
  local id = type(frame) == "table" and frame[2] or frame
  if id ~= 0 or is_dropped(self) then return false end
  local sent = self._peer:send(id, channel, ...)
  return sent
end

--- Asks the page; a promise for what its `ipcRenderer.handle` answers.
---@param channel string
---@return Promise
function WebContents:invoke(channel, ...)
  check_alive(self, "invoke")
  check("WebContents:invoke", 1, channel, "string")
  local promise = self._peer:ask(channel, ...)
  return promise
end

--- Runs Lua code in the page; a promise for its results.
---@param code string
---@return Promise
function WebContents:executeLua(code)
  check_alive(self, "executeLua")
  check("WebContents:executeLua", 1, code, "string")
  local promise = self._peer:request("execute-lua", code)
  return promise
end

--- A promise that fulfils when fewer bytes than the high-water mark wait for the page.
---@return Promise
function WebContents:drained()
  check_alive(self, "drained")
  return self._peer:drained()
end

-- Parts of the API that this version does not have: each says so when it is used.
for name in ([[postMessage executeJavaScript insertCSS printToPDF sendInputEvent openDevTools
  setWindowOpenHandler]]):gmatch "%a+" do
  WebContents[name] = function(self)
    check_alive(self, name)
    error(("WebContents:%s is not supported by this version"):format(name), 2)
  end
end

-- What the renderer says: called by the peer

function WebContents:_on_message(_, _, channel, ...)
  ipc_dispatch.message(self, channel, ...)
end

function WebContents:_on_sync(event, channel, ...)
  ipc_dispatch.sync(self, self._peer, event, channel, ...)
end

-- A receiver of `sendTo`: nil, after a warning, when there is none.
local function find_receiver(self, id)
  local receiver = by_id[id]
  if receiver and receiver._state ~= "crashed" then return receiver end
  if self._warned_send_to ~= self._page then
    self._warned_send_to = self._page
    local text = "WebContents #%d: ipcRenderer.sendTo: there is no page in WebContents #%s; dropped"
    report.warn(text:format(self.id, id))
  end
end

--- A message of the page's to another page. That has gone since the page asked for it, if at all.
function WebContents:_on_send_to(id, channel, ...)
  local receiver = find_receiver(self, id)
  if not receiver then return end
  local sent, err = receiver._peer:pass_on(self.id, channel, ...)
  if sent == nil then
    report.warn(("WebContents #%d: ipcRenderer.sendTo: %s; dropped"):format(self.id, err))
  end
end

-- Pages that send to this one must ask again. `_senders` has the web contents of those.
local function leave_senders(self)
  local senders = self._senders
  self._senders = nil
  for sender in pairs(senders or {}) do
    if sender._state == "live" then sender._peer:send_internal("contents-gone", self.id) end
  end
end

--- The link has ended: called by the peer, behind the last message.
function WebContents:_on_gone(fault)
  self._host:link_ended(fault)
end

-- Loading
--
-- `_load` is the load under way: {promise, url, file | err}. An older one is aborted, without
-- events; each listener may have started another, or destroyed the window.

local function stop_loading(self)
  self._is_loading = false
  announce(self, "did-stop-loading")
  if self._host then self._host:settled() end
end

-- The load that the page of now is of: nil when that is loaded, or goes on until the next load
-- has read its file. What it says or how it ends is nothing to that one.
local function load_of_page(self)
  local load = self._load
  return load and load.page == self._page and load or nil
end

-- A renderer that was crashed may have come so far before the signal: its load fails all the same.
local function finish_load(self)
  local load = load_of_page(self)
  if not load or load.is_doomed then return end
  announce(self, "dom-ready")
  if self._load ~= load or load.is_doomed then return end
  self._load = nil
  if self._window then self._window:_contents_finished() end
  announce(self, "did-finish-load")
  stop_loading(self)
  promises.fulfil(load.promise)
end

local function reject_load(load, err)
  promises.handle(load.promise) -- as in Electron: nobody has to look at it
  promises.reject(load.promise, err)
end

-- As in Electron, nobody has to look at the promise: where nobody does, a line says it, as the
-- window would stay empty for no reason to be seen. A renderer that has gone is told of elsewhere.
local function tell_failure(self, load, err)
  local is_told = self._state == "crashed" or self:listenerCount "did-fail-load" > 0
  if not (is_told or promises.is_handled(load.promise)) then load_error.tell(err) end
end

local function fail_load(self, err)
  local load = self._load
  if not load then return end
  self._load = nil
  tell_failure(self, load, err)
  announce(self, "did-fail-load", err.errno, err.description, err.url)
  stop_loading(self)
  reject_load(load, err)
end

local function abort_load(self, description)
  local load = self._load
  self._load = nil
  if load then reject_load(load, load_error.new("ERR_ABORTED", load.url, description)) end
end

-- Says of a renderer that has used up its memory how much that was.
local function explain(self, details)
  local limit = self._preferences.memoryLimit
  if not limit or details.exitCode ~= core_child.OUT_OF_MEMORY then return end
  local text = "WebContents #%d: its renderer needed more than %d bytes (limit memoryLimit)"
  if details.reason == "oom" then report.warn(text:format(self.id, limit)) end
end

local function renderer_gone(self, details)
  self._crash_loop = self._crash_loop or crash_loop.new()
  self._crash_loop:died(self._host.started, self._host.is_unwanted)
  explain(self, details)
  self._state, self._host = "crashed", nil
  self._peer:close(details.reason)
  leave_senders(self)
  local text = "the renderer has gone: " .. details.reason
  if load_of_page(self) then fail_load(self, load_error.new("ERR_FAILED", self._url, text)) end
  announce(self, "render-process-gone", details)
  if self._window then self._window:_contents_gone(details) end
end

-- What belongs to the page that is shown ends.
local function end_page(self, reason)
  self._page = self._page + 1
  self._peer:close(reason)
  if self._host then self._host:retire() end
  self._host = nil
end

-- A page without a sandbox, on a thread, has a copy of the environment: nothing guards the real one
-- from being read there while main changes it.
local function has_own_environment(preferences)
  return preferences.isolation == "thread" and not preferences.sandbox
end

local function boot_table(self, page, preload)
  local preferences = self._preferences
  return {
    id = self.id,
    page = page,
    preload = preload,
    sandbox = preferences.sandbox,
    isolation = preferences.isolation,
    env = has_own_environment(preferences) and core_os.environ() or nil,
    embedded = has_own_environment(preferences) and process.is_embedded,
    contextIsolation = preferences.contextIsolation,
    codec = preferences.codec,
    limits = preferences.limits,
    memoryLimit = preferences.memoryLimit,
    poll = app_info.poll_us(),
    additionalArguments = preferences.additionalArguments,
    argv = app_info.argv,
    appPath = app_info.dir,
  }
end

local function start_renderer(self, page, preload)
  if self._state ~= "new" then
    end_page(self, "the page was replaced")
    self._peer = new_peer(self)
  end
  self._state, self._url, self._title = "live", page.url, path.basename(page.path)
  self._load.page = self._page
  local timeout = self._preferences.unresponsiveTimeout
  self._host = RendererHost.start(self._peer, boot_table(self, page, preload), timeout, {
    on_gone = function(details)
      renderer_gone(self, details)
    end,
    on_hang = function(is_hanging)
      local name = is_hanging and "unresponsive" or "responsive"
      announce(self, name)
      if self._window then self._window:_contents_hang(name) end
    end,
  })
  if self._load.is_doomed then self._host:crash() end
end

-- Starts the renderer of a load, unless that was replaced: later if the last ones died soon.
local function start_in_time(self, load, page, preload)
  local delay = self._crash_loop and self._crash_loop:delay() or 0
  if delay == 0 then return start_renderer(self, page, preload) end
  local text = "WebContents #%d: its renderer died %d times in a row; the next one starts in %d ms"
  report.warn(text:format(self.id, self._crash_loop.deaths, delay))
  local timer
  timer = loop.timer(delay, 0, function()
    timer:close() -- the loop keeps it until then, and the window with it
    if self._load == load then start_renderer(self, page, preload) end
  end)
end

local function read_preload(self)
  local preload = page_loader.read_preload(self._preferences.preload)
  if preload and not preload.source then
    report.warn(("Unable to load preload script: %s\n%s"):format(preload.path, preload.error))
    announce(self, "preload-error", preload.path, preload.error)
  end
  return preload
end

local function run_load(self, load)
  if self._load ~= load then return end
  local page, err = nil, load.err
  if not err then
    page, err = page_loader.read(load.file, load.url)
  end
  if page or not self._file then self._file = load.file end
  if not page then return fail_load(self, err) end
  local preload = read_preload(self)
  if self._load == load then start_in_time(self, load, page, preload) end
end

-- Microtask: listeners that were added behind the call of loadFile hear all of it. Reading the page
-- and starting its renderer are work for a turn of their own, so that making a window and loading
-- its page at once does not keep the loop twice as long.
local function begin_load(self, load)
  if self._load ~= load then return end
  if not self._is_loading then
    self._is_loading = true
    announce(self, "did-start-loading")
    if self._load ~= load then return end
  end
  local turn
  turn = loop.next_turn(function()
    turn:close()
    run_load(self, load)
  end)
end

local function start_loading(self, file, err)
  abort_load(self, "another load was started")
  local url = err and err.url or path.to_file_url(file)
  local load = { promise = promises.pending(), url = url, file = file, err = err }
  self._load = load
  task.enqueue(begin_load, self, load)
  return load.promise
end

--- Loads a page of the app: a .lua file. A promise for did-finish-load; it rejects with
--- {code, errno, url} when the file is missing or does not compile.
--- https://www.electronjs.org/docs/latest/api/web-contents#contentsloadfilefilepath-options
---@param file string relative to the app's folder, or absolute
---@return Promise
function WebContents:loadFile(file)
  check_alive(self, "loadFile")
  check("WebContents:loadFile", 1, file, "string")
  return start_loading(self, app_info.resolve(file))
end

--- Loads a file: URL, as `loadFile` does.
---@param url string
---@return Promise
function WebContents:loadURL(url)
  check_alive(self, "loadURL")
  check("WebContents:loadURL", 1, url, "string")
  local file, err = page_loader.path_of_url(url)
  return start_loading(self, file, err)
end

--- Loads the page again, in a new renderer. Nothing happens before the first load.
---@return Promise?
function WebContents:reload()
  check_alive(self, "reload")
  if self._file then return start_loading(self, self._file) end
end

-- Messages of the runtime's own in the renderer; `requests` among them return an answer.
WebContents._internal = {
  ["sandbox-lacks"] = function(_, part)
    sandbox_gaps.tell(part)
  end,
  ["page-loaded"] = finish_load,
  ["page-failed"] = function(self, description)
    local err = load_error.new("ERR_FAILED", self._url, tostring(description))
    if load_of_page(self) then fail_load(self, err) end
  end,
  ["preload-error"] = function(self, file, message)
    file, message = tostring(file), tostring(message)
    report.warn("Unable to load preload script: " .. file)
    console.write("error", message, self.id)
    announce(self, "preload-error", file, message)
  end,
  console = function(self, level, message)
    level, message = tostring(level), tostring(message)
    console.write(level, message, self.id)
    announce(self, "console-message", { level = level, message = message })
  end,
  pong = function(self)
    self._host:answered()
  end,
  leaving = function(self)
    self._host:leaving()
  end,
  ["close-window"] = function(self)
    self:close()
  end,
  memory = function(self)
    return self._host:memory()
  end,
  ["find-module"] = function(_, name)
    return page_loader.find_module(tostring(name))
  end,
  ["find-contents"] = function(self, id)
    local receiver = find_receiver(self, id)
    if not receiver then return false end
    receiver._senders = receiver._senders or setmetatable({}, { __mode = "k" })
    receiver._senders[self] = true
    return true
  end,
}

-- What can be asked of it

---@return string the URL of the page, "" before the first load
function WebContents:getURL()
  check_alive(self, "getURL")
  return self._url
end

---@return string
function WebContents:getTitle()
  check_alive(self, "getTitle")
  return self._title
end

---@return boolean
function WebContents:isLoading()
  check_alive(self, "isLoading")
  return self._load ~= nil or self._is_loading
end

---@return boolean
function WebContents:isDestroyed()
  arguments.check_self("WebContents:isDestroyed", self, WebContents)
  return self._state == "destroyed"
end

---@return boolean whether its renderer has gone without being asked to
function WebContents:isCrashed()
  check_alive(self, "isCrashed")
  return self._state == "crashed"
end

---@return integer 0 while there is no renderer
function WebContents:getOSProcessId()
  check_alive(self, "getOSProcessId")
  return self:_process_id()
end

--- Ends the renderer by a signal that nothing can catch; that of a load which has not come so far
--- as to have one ends when it starts. The window stays; `reload` brings it back.
function WebContents:forcefullyCrashRenderer()
  check_alive(self, "forcefullyCrashRenderer")
  if self._load then self._load.is_doomed = true end
  if self._host then self._host:crash() end
end

--- Whether it has a renderer, or is to have one.
---@return boolean
function WebContents:_has_renderer()
  return self._host ~= nil or self._load ~= nil
end

-- The number of the renderer's process; 0 while there is none.
function WebContents:_process_id()
  if self._state ~= "live" or not self._host then return 0 end
  return self._host:pid()
end

function WebContents:_frame_object(frame)
  local frames = self._frames
  if not frames or frames.page ~= self._page then
    frames = { page = self._page }
    self._frames = frames
  end
  frames[frame] = frames[frame] or web_frame_main.new(self, frame)
  return frames[frame]
end

-- Ending

--- Closes it, as its window's `close` does; without a window, at once.
function WebContents:close()
  check_alive(self, "close")
  if self._window then return self._window:close() end
  self:_destroy()
end

--- Ends the renderer; everything that waits for it rejects. Idempotent.
function WebContents:_destroy()
  if self._state == "destroyed" then return end
  self._state = "destroyed"
  by_id[self.id] = nil
  end_page(self, "destroyed")
  leave_senders(self)
  abort_load(self, "the window was closed")
  fire(self, "destroyed", events.new { sender = self })
end

local M = { class = WebContents }

--- The public `webContents`.
M.webContents = {
  --- The web contents of that id, or nil.
  ---@param id integer
  fromId = function(id)
    arguments.not_colon("webContents.fromId", M.webContents, id)
    check("webContents.fromId", 1, id, "integer")
    return by_id[id]
  end,
  --- All web contents, in the order in which they were made.
  getAllWebContents = function(first)
    arguments.not_colon("webContents.getAllWebContents", M.webContents, first)
    local list = {}
    for _, contents in pairs(by_id) do
      list[#list + 1] = contents
    end
    table.sort(list, function(a, b)
      return a.id < b.id
    end)
    return list
  end,
}

-- mainFrame is computed when it is read: a page has it, and every load makes another.
local methods = WebContents.__index
WebContents.__index = function(self, key)
  if key == "mainFrame" then return self:_frame_object(0) end
  return methods[key]
end

return M
