--- `webContents`: a page and the renderer that runs it, seen from main.
---
--- Each load has a renderer process of its own. `_page` counts the loads, so that what belongs to an
--- earlier page is told from what belongs to this one. `_state` is
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
local events = import "common.event"
local ipc_dispatch = import "main.ipc_dispatch"
local ipc_main = import "main.ipc_main"
local load_error = import "main.load_error"
local loop = import "core.loop"
local page_loader = import "main.page_loader"
local path = import "common.path"
local promises = import "common.promise"
local report = import "common.report"
local task = import "common.task"
local web_frame_main = import "main.web_frame_main"

local check, fire = arguments.check, Emitter.fire

---@class WebContents : Emitter
local WebContents = Emitter.extend "WebContents"
WebContents._example = "win.webContents"

local by_id, last_id = {}, 0

-- Emits an event of the web contents: its listeners get an event object, then the arguments.
local function announce(self, name, ...)
  local event = events.new { sender = self }
  fire(self, name, event, ...)
  return event
end

local function check_alive(self, method)
  arguments.check_self("WebContents:" .. method, self, WebContents, 3)
  if self._state == "destroyed" then error("Object has been destroyed", 3) end
end

local function new_peer(self)
  local peer = Peer.new("main", self)
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
  }, WebContents)
  self._peer = new_peer(self)
  by_id[self.id] = self
  return self
end

-- Sending ------------------------------------------------------------------------------------------

-- A renderer that has gone gets nothing: one warning for each page, and false.
local function is_dropped(self)
  if self._state ~= "crashed" then return false end
  if self._warned_page ~= self._page then
    self._warned_page = self._page
    report.warn(("WebContents #%d: its renderer has gone; what is sent to it is dropped"):format(self.id))
  end
  return true
end

--- Sends a message to the page. Returns true; false when it was dropped, or when more waits than the
--- high-water mark. Raises when a value cannot be sent.
--- https://www.electronjs.org/docs/latest/api/web-contents#contentssendchannel-args
---@param channel string
---@return boolean
function WebContents:send(channel, ...)
  check_alive(self, "send")
  check("WebContents:send", 1, channel, "string")
  if is_dropped(self) then return false end
  local sent = self._peer:send(0, 0, channel, ...)
  return sent
end

-- Called by the public functions that send to a frame, never in a tail call.
function WebContents:_send_to_frame(name, frame, channel, ...)
  check(name, 1, channel, "string", 3)
  if self._state == "destroyed" or frame ~= 0 or is_dropped(self) then return false end
  local ok, err = pcall(self._peer.send, self._peer, 0, frame, channel, ...)
  if not ok then error(err, 3) end
  return err
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
  local sent = self._peer:send(0, id, channel, ...)
  return sent
end

--- Asks the page; a promise for what its `ipcRenderer.handle` answers.
---@param channel string
---@return Promise
function WebContents:invoke(channel, ...)
  check_alive(self, "invoke")
  check("WebContents:invoke", 1, channel, "string")
  local peer = self._peer
  local promise = peer:ask(peer.send_values, 0, 0, channel, ...)
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

--- Ports come with an issue of their own.
function WebContents:postMessage()
  check_alive(self, "postMessage")
  error("WebContents:postMessage is not supported by this version", 2)
end

-- What the renderer says: called by the peer -------------------------------------------------------

function WebContents:on_message(_, frame, channel, ...)
  ipc_dispatch.message(self, frame, channel, ...)
end

WebContents.find_handler = ipc_dispatch.find_handler

function WebContents:on_sync(id, frame, channel, ...)
  ipc_dispatch.sync(self, self._peer, id, frame, channel, ...)
end

function WebContents:on_send_to(id, channel, flags, body)
  local receiver = by_id[id]
  if not receiver then
    if self._warned_send_to then return end
    self._warned_send_to = true
    return report.warn(("ipcRenderer.sendTo: there is no web contents %d"):format(id))
  end
  if receiver._state == "live" or receiver._state == "new" then
    receiver._peer:pass_on(self.id, flags, channel, body)
  end
end

-- A renderer has gone when both its process has ended, which gives the reason, and its link, whose
-- last packets come before its end.
local function conclude(self)
  local link_end, exit = self._link_end, self._exit
  if not (link_end and exit) then return end
  local reason = link_end.fault and "crashed" or exit.reason
  if self._exit_timer then self._exit_timer:close() end
  self._state, self._host, self._exit_timer = "crashed", nil, nil
  self._peer:close(reason)
  self:_gone { reason = reason, exitCode = exit.code }
end

--- The link has ended: called by the peer, behind the last message.
function WebContents:on_gone(fault)
  if self._link_end then return end
  self._link_end = { fault = fault }
  if fault then
    self._host:kill("SIGKILL")
  elseif not self._exit then
    self._host:expect_end()
  end
  conclude(self)
end

-- How long the link of a process that has ended may stay open: somebody else may hold its end.
local LINK_END_MS <const> = 1000

local function on_exit(self, page, reason, code)
  -- A page that is no longer shown tells nothing; nor does one that was closed.
  if self._page ~= page or self._state == "destroyed" then return end
  self._exit = { reason = reason, code = code }
  if not self._link_end then
    self._exit_timer = loop.timer(LINK_END_MS, 0, function()
      self:on_gone()
    end)
  end
  conclude(self)
end

-- Loading ------------------------------------------------------------------------------------------

local function finish_loading(self, outcome, ...)
  local promise = self._loading
  self._loading = nil
  if not promise then return end
  if outcome == "loaded" then
    announce(self, "dom-ready")
    announce(self, "did-finish-load")
    announce(self, "did-stop-loading")
    promises.settle(promise, "fulfilled")
  else
    local err = ...
    announce(self, "did-fail-load", err.errno, err.description, err.url)
    announce(self, "did-stop-loading")
    promise._handled = true -- as in Electron: nobody has to look at it
    promises.reject(promise, err)
  end
end

local function end_page(self, reason)
  self._page = self._page + 1
  self._peer:close(reason)
  local host, timer = self._host, self._exit_timer
  self._host, self._exit_timer = nil, nil
  if timer then timer:close() end
  if host then host:expect_end() end
end

function WebContents:_gone(details)
  local text = "the renderer has gone: " .. details.reason
  finish_loading(self, "failed", load_error.new("ERR_FAILED", self._url, text))
  announce(self, "render-process-gone", details)
  if self._on_process_gone then self._on_process_gone(details) end
end

local function boot_table(self, page, preload)
  local preferences = self._preferences
  return {
    id = self.id,
    page = page,
    preload = preload,
    sandbox = preferences.sandbox,
    contextIsolation = preferences.contextIsolation,
    codec = preferences.codec,
    limits = preferences.limits,
    additionalArguments = preferences.additionalArguments,
    argv = app_info.argv,
    appPath = app_info.dir,
  }
end

local function report_preload(self, preload)
  if not preload or preload.source then return end
  report.warn("Unable to load preload script: " .. preload.path)
  announce(self, "preload-error", preload.path, preload.error)
end

local function start_renderer(self, page)
  if self._state ~= "new" then
    end_page(self, "the page was replaced")
    self._peer = new_peer(self)
  end
  self._state, self._url = "live", page.url
  self._link_end, self._exit = nil, nil
  self._title = path.basename(page.path)
  local preload = page_loader.read_preload(self._preferences.preload)
  report_preload(self, preload)
  local count = self._page
  local host, err = RendererHost.start(self._peer, boot_table(self, page, preload), function(reason, code)
    on_exit(self, count, reason, code)
  end)
  if host then
    self._host = host
    return
  end
  report.warn("cannot start a renderer: " .. err)
  self._link_end = {}
  task.enqueue(function()
    on_exit(self, count, "launch-failed", 127)
  end)
end

-- Loads the file in this turn's end, so that listeners added behind the call hear all of it.
local function load(self, promise, file)
  if self._loading ~= promise or self._state == "destroyed" then return end
  announce(self, "did-start-loading")
  if self._loading ~= promise then return end
  local page, err = page_loader.read(file)
  if page then
    self._file = file
    start_renderer(self, page)
  else
    finish_loading(self, "failed", err)
  end
end

local function start_loading(self, file, err)
  if self._loading then
    finish_loading(self, "failed", load_error.new("ERR_ABORTED", self._url, "another load was started"))
  end
  local promise = promises.pending()
  self._loading = promise
  task.enqueue(function()
    if err then
      announce(self, "did-start-loading")
      return finish_loading(self, "failed", err)
    end
    task.start(load, self, promise, file)
  end)
  return promise
end

--- Loads a page of the app: a .lua file. A promise for did-finish-load; it rejects with {code, errno,
--- url} when the file is missing or does not compile.
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
WebContents.internal = {
  ["page-loaded"] = function(self)
    finish_loading(self, "loaded")
  end,
  ["page-failed"] = function(self, description)
    finish_loading(self, "failed", load_error.new("ERR_FAILED", self._url, tostring(description)))
  end,
  ["preload-error"] = function(self, file, message)
    report.warn("Unable to load preload script: " .. tostring(file))
    console.write("error", tostring(message))
    announce(self, "preload-error", file, message)
  end,
  console = function(self, level, message)
    level, message = tostring(level), tostring(message)
    console.write(level, message)
    announce(self, "console-message", { level = level, message = message })
  end,
  ["close-window"] = function(self)
    self:close()
  end,
  ["find-module"] = function(_, name)
    return page_loader.find_module(tostring(name))
  end,
}

-- What can be asked of it --------------------------------------------------------------------------

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
  return self._loading ~= nil
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

--- Ends the renderer by a signal that nothing can catch. The window stays; `reload` brings it back.
function WebContents:forcefullyCrashRenderer()
  check_alive(self, "forcefullyCrashRenderer")
  if self._host then self._host:kill("SIGKILL") end
end

-- The number of the renderer's process; 0 while there is none.
function WebContents:_process_id()
  if self._state ~= "live" or not self._host then return 0 end
  return self._host:pid()
end

function WebContents:_frame_object(frame)
  self._frames = self._frames and self._frames.page == self._page and self._frames or { page = self._page }
  self._frames[frame] = self._frames[frame] or web_frame_main.new(self, frame)
  return self._frames[frame]
end

-- Ending -------------------------------------------------------------------------------------------

--- Closes it, and the window that shows it, without asking.
function WebContents:close()
  check_alive(self, "close")
  if self._on_close then return self._on_close() end
  self:_destroy()
end

--- Ends the renderer; everything that waits for it rejects. Idempotent.
function WebContents:_destroy()
  if self._state == "destroyed" then return end
  end_page(self, "destroyed")
  if self._loading then
    finish_loading(self, "failed", load_error.new("ERR_ABORTED", self._url, "the window was closed"))
  end
  self._state = "destroyed"
  by_id[self.id] = nil
  announce(self, "destroyed")
end

local M = { class = WebContents }

--- The public `webContents`.
M.webContents = {
  --- The web contents of that id, or nil.
  ---@param id integer
  fromId = function(id)
    check("webContents.fromId", 1, id, "integer")
    return by_id[id]
  end,
  --- All web contents, in the order in which they were made.
  getAllWebContents = function()
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
