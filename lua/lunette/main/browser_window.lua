--- `BrowserWindow`: a window with a page. This version's windows have no picture: title, size and
--- visibility are kept, and their events come.
local import = ...
local Emitter = import "common.emitter"
local arguments = import "common.arguments"
local events = import "common.event"
local options_of = import "common.options"
local web_contents = import "main.web_contents"
local web_preferences = import "main.web_preferences"
local lifecycle = import "main.lifecycle"

local check, fire, not_colon = arguments.check, Emitter.fire, arguments.not_colon

---@class BrowserWindow : Emitter
local BrowserWindow = Emitter.extend "BrowserWindow"
BrowserWindow._example = "win"

local FIELDS = {
  width = { "positive integer", default = 800 },
  height = { "positive integer", default = 600 },
  x = { "integer", default = 0 },
  y = { "integer", default = 0 },
  title = { "string" },
  show = { "boolean", default = true },
  parent = { "table" },
  webPreferences = { "table", fields = web_preferences.fields },
}

local windows, last_id, focused = {}, 0, nil

local function announce(self, name, ...)
  local event = events.new { sender = self }
  fire(self, name, event, ...)
  return event
end

local function check_alive(self, method)
  arguments.check_self("BrowserWindow:" .. method, self, BrowserWindow, 3)
  if self._destroyed then error("Object has been destroyed", 3) end
end

-- What the web contents tells its window.

function BrowserWindow:_contents_finished()
  if self._destroyed or self._was_ready then return end
  self._was_ready = true
  announce(self, "ready-to-show")
end

function BrowserWindow:_contents_hang(name)
  if not self._destroyed then announce(self, name) end
end

function BrowserWindow:_contents_gone(details)
  lifecycle.announce("render-process-gone", self.webContents, details)
end

-- The bounds that are given, and of the others the old ones. A width of 800 / 2 is an integer too.
local function merge_bounds(given, old)
  local bounds = {}
  for _, name in ipairs { "x", "y", "width", "height" } do
    bounds[name] = math.tointeger(given[name] or old[name])
  end
  return bounds
end

local function check_parent(parent, level)
  if parent == nil then return end
  if getmetatable(parent) ~= BrowserWindow then
    local text = "BrowserWindow: option 'parent' must be a BrowserWindow, got %s"
    error(text:format(arguments.describe(parent, "table")), level + 1)
  end
  if parent._destroyed then error("Object has been destroyed", level + 1) end
end

-- Makes a window for a public function that was called by the user.
local function create(options)
  check("BrowserWindow", 1, options, "table|nil", 3)
  if not lifecycle.is_ready() then error("Cannot create BrowserWindow before app is ready", 3) end
  local set = options_of.check("BrowserWindow", options, FIELDS, 3)
  check_parent(set.parent, 3)
  local preferences = web_preferences.complete(set.webPreferences, 3)
  last_id = last_id + 1
  local self = setmetatable({
    id = last_id,
    webContents = web_contents.class._new(preferences),
    _title = set.title,
    _bounds = merge_bounds(set, {}),
    _visible = false,
    _destroyed = false,
    _parent = set.parent,
  }, BrowserWindow)
  windows[#windows + 1] = self
  self.webContents._window = self
  lifecycle.window_opened()
  lifecycle.announce("web-contents-created", self.webContents)
  lifecycle.announce("browser-window-created", self)
  if set.show and not self._destroyed then self:show() end
  return self
end

--- Makes a window.
--- https://www.electronjs.org/docs/latest/api/browser-window#new-browserwindowoptions
---@param options table?
---@return BrowserWindow
function BrowserWindow.new(options)
  not_colon("BrowserWindow.new", BrowserWindow, options)
  local window = create(options)
  return window
end

--- All windows, in the order in which they were opened.
---@return BrowserWindow[]
function BrowserWindow.getAllWindows(...)
  not_colon("BrowserWindow.getAllWindows", BrowserWindow, (...))
  return table.move(windows, 1, #windows, 1, {})
end

lifecycle.get_windows = BrowserWindow.getAllWindows

---@return BrowserWindow?
function BrowserWindow.getFocusedWindow(...)
  not_colon("BrowserWindow.getFocusedWindow", BrowserWindow, (...))
  return focused
end

--- The window of that id, or nil.
---@param id integer
function BrowserWindow.fromId(id)
  not_colon("BrowserWindow.fromId", BrowserWindow, id)
  check("BrowserWindow.fromId", 1, id, "integer")
  for _, window in ipairs(windows) do
    if window.id == id then return window end
  end
  return nil
end

--- The window that shows the web contents, or nil.
---@param contents WebContents
function BrowserWindow.fromWebContents(contents)
  not_colon("BrowserWindow.fromWebContents", BrowserWindow, contents)
  check("BrowserWindow.fromWebContents", 1, contents, "table")
  for _, window in ipairs(windows) do
    if window.webContents == contents then return window end
  end
  return nil
end

--- Loads a page; see `WebContents:loadFile`.
---@param file string
---@return Promise
function BrowserWindow:loadFile(file)
  check_alive(self, "loadFile")
  check("BrowserWindow:loadFile", 1, file, "string")
  return self.webContents:loadFile(file)
end

--- Loads a page; see `WebContents:loadURL`.
---@param url string
---@return Promise
function BrowserWindow:loadURL(url)
  check_alive(self, "loadURL")
  check("BrowserWindow:loadURL", 1, url, "string")
  return self.webContents:loadURL(url)
end

--- Loads its page again.
function BrowserWindow:reload()
  check_alive(self, "reload")
  return self.webContents:reload()
end

local function blur(self)
  if focused ~= self then return end
  focused = nil
  announce(self, "blur")
end

--- Gives it the keyboard; the window that had it before loses it.
function BrowserWindow:focus()
  check_alive(self, "focus")
  if focused == self or not self._visible then return end
  if focused then blur(focused) end
  focused = self
  announce(self, "focus")
end

--- Shows it and gives it the focus.
function BrowserWindow:show()
  check_alive(self, "show")
  if not self._visible then
    self._visible = true
    announce(self, "show")
  end
  if not self._destroyed then self:focus() end
end

function BrowserWindow:hide()
  check_alive(self, "hide")
  if not self._visible then return end
  self._visible = false
  announce(self, "hide")
  blur(self)
end

---@return boolean
function BrowserWindow:isVisible()
  check_alive(self, "isVisible")
  return self._visible
end

---@param title string
function BrowserWindow:setTitle(title)
  check_alive(self, "setTitle")
  check("BrowserWindow:setTitle", 1, title, "string")
  local event = announce(self, "page-title-updated", title)
  if not event.defaultPrevented then self._title = title end
end

--- Its title; while none was given, the page's.
---@return string
function BrowserWindow:getTitle()
  check_alive(self, "getTitle")
  return self._title or self.webContents:getTitle()
end

local function set_bounds(self, bounds)
  local old = self._bounds
  local now = merge_bounds(bounds, old)
  self._bounds = now
  if now.width ~= old.width or now.height ~= old.height then announce(self, "resize") end
end

---@param width integer
---@param height integer
function BrowserWindow:setSize(width, height)
  check_alive(self, "setSize")
  check("BrowserWindow:setSize", 1, width, "positive integer")
  check("BrowserWindow:setSize", 2, height, "positive integer")
  set_bounds(self, { width = width, height = height })
end

---@return integer width, integer height
function BrowserWindow:getSize()
  check_alive(self, "getSize")
  return self._bounds.width, self._bounds.height
end

local BOUNDS = {
  x = { "integer" },
  y = { "integer" },
  width = { "positive integer" },
  height = { "positive integer" },
}

--- Sets those of x, y, width and height that are given.
---@param bounds table
function BrowserWindow:setBounds(bounds)
  check_alive(self, "setBounds")
  check("BrowserWindow:setBounds", 1, bounds, "table")
  set_bounds(self, options_of.check("BrowserWindow:setBounds", bounds, BOUNDS))
end

---@return {x: integer, y: integer, width: integer, height: integer}
function BrowserWindow:getBounds()
  check_alive(self, "getBounds")
  local b = self._bounds
  return { x = b.x, y = b.y, width = b.width, height = b.height }
end

-- Pictures come with visible pages.
for _, name in ipairs { "capturePage", "minimize", "maximize", "restore", "setFullScreen" } do
  BrowserWindow[name] = function(self)
    check_alive(self, name)
    local text = "BrowserWindow:%s is not supported by this version: windows have no picture"
    error(text:format(name), 2)
  end
end

---@return boolean
function BrowserWindow:isDestroyed()
  arguments.check_self("BrowserWindow:isDestroyed", self, BrowserWindow)
  return self._destroyed
end

local function remove(self)
  for i, window in ipairs(windows) do
    if window == self then return table.remove(windows, i) end
  end
end

local function children_of(self)
  local list = {}
  for _, window in ipairs(windows) do
    if window._parent == self then list[#list + 1] = window end
  end
  return list
end

--- Ends it and its children. Idempotent.
function BrowserWindow:_destroy()
  if self._destroyed then return end
  for _, child in ipairs(children_of(self)) do
    child:_destroy()
  end
  if self._destroyed then return end
  if focused == self then focused = nil end
  self._destroyed, self._visible = true, false
  remove(self)
  self.webContents:_destroy()
  announce(self, "closed")
  lifecycle.window_closed(#windows)
end

--- Closes it and its children without asking: no `close` event, but `closed` comes.
function BrowserWindow:destroy()
  check_alive(self, "destroy")
  self:_destroy()
end

--- Asks by a `close` event, which can keep it open, then closes it.
function BrowserWindow:close()
  check_alive(self, "close")
  if self._closing then return end
  self._closing = true
  local event = announce(self, "close")
  self._closing = nil
  if not event.defaultPrevented then self:_destroy() end
end

getmetatable(BrowserWindow).__call = function(_, options)
  local window = create(options)
  return window
end

return BrowserWindow
