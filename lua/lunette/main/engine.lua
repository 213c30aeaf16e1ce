--- The Lua half of runtime/lunette.h: what its functions call, and what becomes an event of it.
---
--- The functions get (number, channel, text, function, ...), of which each uses what it needs;
--- `text` is the JSON array of the values that come along, or the bytes of a callback. What they
--- return is the result in C.
local import = ...
local BrowserWindow = import "main.browser_window"
local Emitter = import "common.emitter"
local arguments = import "common.arguments"
local core_host = import "core.host"
local events = import "common.event"
local ipc_main = import "main.ipc_main"
local json = import "common.json"
local lifecycle = import "main.lifecycle"
local promises = import "common.promise"
local task = import "common.task"
local web_contents = import "main.web_contents"

local ipcMain = ipc_main.ipcMain
local check = arguments.check
local OK <const>, FULL <const>, NO_PAGE <const> = core_host.OK, core_host.FULL, core_host.NO_PAGE
local INVALID <const>, FAILED <const> = core_host.INVALID, core_host.FAILED
local MAIN <const>, ALL_PAGES <const> = core_host.MAIN, core_host.ALL_PAGES

local M = {}

-- QUIT is the last event but for lines of the log, which do not come this way.
local has_quit = false

local function raise_event(...)
  if not has_quit then core_host.event(...) end
end

-- Values

local function decode(text)
  if text then return json.decode_list(text) end
end

-- The JSON array of the values; raises when there is none.
local function encode(what, ...)
  local text, reason = json.encode_list(what, ...)
  if not text then error(reason, 0) end
  return text
end

local function page_of(event)
  local sender = event.sender
  return sender and sender.id or MAIN
end

-- What tells an event: as the callback wants it, or the queue.
local function teller(callback)
  if not callback then return raise_event end
  return function(...)
    core_host.deliver(callback, ...)
  end
end

-- Messages to the program

-- By channel: the listeners that lunette_on has added, and the handlers of lunette_handle.
local listeners, handlers = {}, {}

--- lunette_on.
function M.on(_, channel, callback)
  local tell = teller(callback)
  local function listener(event, ...)
    tell(core_host.MESSAGE, page_of(event), 0, channel, encode("argument", ...))
  end
  local list = listeners[channel] or {}
  listeners[channel] = list
  list[#list + 1] = listener
  ipcMain.on(channel, listener)
  return OK
end

--- lunette_off.
function M.off(_, channel)
  for _, listener in ipairs(listeners[channel] or {}) do
    ipcMain.off(channel, listener)
  end
  listeners[channel] = nil
  return OK
end

-- Questions that the program has not answered yet: number to {is_done =, ok =, values} while the
-- callback runs, then with resolve and reject.
local questions, last_question = {}, 0

local function ask_program(tell, channel, page, ...)
  last_question = last_question + 1
  local id, question = last_question, {}
  local text = encode("argument", ...)
  questions[id] = question
  tell(core_host.INVOKE, page, id, channel, text)
  if not question.is_done then
    question.promise = promises.pending()
    return question.promise
  end
  if not question.ok then error(question[1], 0) end
  return table.unpack(question, 1, question.n)
end

local function add_handler(channel, handler)
  ipcMain.handle(channel, handler)
  handlers[channel] = handler
  return OK
end

--- lunette_handle.
function M.handle(_, channel, callback)
  local tell = teller(callback)
  return add_handler(channel, function(event, ...)
    return ask_program(tell, channel, page_of(event), ...)
  end)
end

--- lunette_handle_lua.
function M.handle_lua(_, channel, _, fn)
  return add_handler(channel, fn)
end

--- lunette_remove_handler.
function M.remove_handler(_, channel)
  ipcMain.removeHandler(channel)
  handlers[channel] = nil
  return OK
end

local function answer(id, ok, ...)
  local question = questions[id]
  questions[id] = nil
  if question.promise then
    local settle = ok and promises.fulfil or promises.reject
    settle(question.promise, ...)
  else
    question.is_done, question.ok, question.n = true, ok, select("#", ...)
    for i = 1, question.n do question[i] = (select(i, ...)) end
  end
  return OK
end

--- lunette_reply.
function M.reply(id, _, text)
  if not questions[id] then return INVALID end
  return answer(id, true, decode(text))
end

--- lunette_reply_error.
function M.reply_error(id, _, message)
  if not questions[id] then return INVALID end
  return answer(id, false, message)
end

-- Messages to pages

-- The page that has a renderer, or is to have one.
local function find(page)
  local contents = web_contents.webContents.fromId(page)
  if contents and contents._state ~= "crashed" then return contents end
end

local function send_to_all(channel, ...)
  local result = OK
  for _, contents in ipairs(web_contents.webContents.getAllWebContents()) do
    local is_alive = contents._state ~= "crashed"
    if is_alive and not contents:send(channel, ...) then result = FULL end
  end
  return result
end

local function send(page, channel, ...)
  if page == ALL_PAGES then return send_to_all(channel, ...) end
  if page == MAIN then
    Emitter.fire(ipc_main.emitter, channel, events.new { ports = {} }, ...)
    return OK
  end
  local contents = find(page)
  if not contents then return NO_PAGE end
  return contents:send(channel, ...) and OK or FULL
end

--- lunette_send.
function M.send(page, channel, text)
  return send(page, channel, decode(text))
end

--- lunette_send_lua.
function M.send_lua(page, channel, _, _, ...)
  return send(page, channel, ...)
end

-- Questions of the program that no page has answered yet: number to {page, channel}.
local asked, last_invoke = {}, 0

local function tell_reply(id, text, status)
  local question = asked[id]
  asked[id] = nil
  if question then raise_event(core_host.REPLY, question[1], id, question[2], text, status) end
end

--- lunette_invoke.
function M.invoke(page, channel, text)
  local contents = find(page)
  if not contents then return NO_PAGE end
  last_invoke = last_invoke + 1
  local id = last_invoke
  local function tell_error(err)
    tell_reply(id, tostring(err), FAILED)
  end
  local promise = contents:invoke(channel, decode(text))
  asked[id] = { page, channel }
  promise:andThen(function(...)
    local ok, result = pcall(encode, "result", ...)
    if not ok then return tell_error(result) end
    tell_reply(id, result)
  end, tell_error)
  return id
end

-- Pages

--- lunette_page_open.
function M.page_open(_, file, options)
  local window = BrowserWindow.new(options and json.decode(options))
  window:loadFile(file)
  return window.webContents.id
end

-- A function that calls a method of a page's web contents.
local function page_method(name)
  return function(page)
    local contents = web_contents.webContents.fromId(page)
    if not contents then return NO_PAGE end
    contents[name](contents)
    return OK
  end
end

--- lunette_page_reload.
M.page_reload = page_method "reload"

local stop = page_method "forcefullyCrashRenderer"

--- lunette_page_stop. Of a page without a renderer nothing would follow.
function M.page_stop(page)
  local contents = web_contents.webContents.fromId(page)
  if contents and not contents:_has_renderer() then return NO_PAGE end
  return stop(page)
end

--- lunette_page_close.
M.page_close = page_method "close"

local function watch_page(_, contents)
  local page = contents.id
  local function tell(type, text, status)
    raise_event(type, page, 0, nil, text, status)
  end
  contents:on("did-finish-load", function()
    tell(core_host.PAGE_LOADED)
  end)
  contents:on("did-fail-load", function(_, code, description)
    tell(core_host.PAGE_FAILED, description, code)
  end)
  contents:on("render-process-gone", function(_, details)
    tell(core_host.PAGE_GONE, details.reason, details.exitCode)
  end)
  contents:on("unresponsive", function()
    tell(core_host.PAGE_UNRESPONSIVE)
  end)
  contents:on("responsive", function()
    tell(core_host.PAGE_RESPONSIVE)
  end)
  contents:on("destroyed", function()
    tell(core_host.PAGE_CLOSED)
  end)
end

-- The main script's side: `lunette.host`

local host = {}

--- Sends to the program that hosts the app: to what lunette_on was called for. False when nobody
--- listens.
---@param channel string
---@return boolean
function host.send(channel, ...)
  check("host.send", 1, channel, "string")
  local list = listeners[channel]
  if not list then return false end
  local event = events.new { ports = {} }
  for _, listener in ipairs(table.move(list, 1, #list, 1, {})) do -- one may add others
    listener(event, ...)
  end
  return true
end

--- Asks the program that hosts the app; a promise for what the handler of lunette_handle answers.
---@param channel string
---@return Promise
function host.invoke(channel, ...)
  check("host.invoke", 1, channel, "string")
  local handler = handlers[channel]
  local args = table.pack(...)
  return promises.Promise.new(function(resolve)
    if not handler then error(("No handler registered for '%s'"):format(channel), 0) end
    resolve(handler(events.new { ports = {} }, table.unpack(args, 1, args.n)))
  end)
end

M.host = host

-- Behind all listeners of `quit`, and what the end of the pages has settled.
local function tell_quit(code)
  local ids = {}
  for id in pairs(asked) do ids[#ids + 1] = id end
  table.sort(ids)
  for _, id in ipairs(ids) do
    tell_reply(id, "the app has ended", FAILED)
  end
  raise_event(core_host.QUIT, 0, 0, nil, nil, code)
  has_quit = true
end

--- Begins to tell of the app and its pages.
function M.start()
  lifecycle.app.on("web-contents-created", watch_page)
  lifecycle.app.on("quit", function(_, code)
    task.enqueue(tell_quit, code)
  end)
end

return M
