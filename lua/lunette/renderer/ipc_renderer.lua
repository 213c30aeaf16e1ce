--- `ipcRenderer`: the page's (or its preload's) end of the link to main.
--- https://www.electronjs.org/docs/latest/api/ipc-renderer
local import = ...
local Emitter = import "common.emitter"
local Handlers = import "common.handlers"
local arguments = import "common.arguments"
local events = import "common.event"

local check, not_colon = arguments.check, arguments.not_colon

local ipcRenderer = {}
local emitter = Emitter.bind(ipcRenderer, "ipcRenderer")
local handlers = Handlers.bind(ipcRenderer, "ipcRenderer")

local M = { ipcRenderer = ipcRenderer }

---@type Peer
local peer

-- Ids of web contents that `sendTo` reaches: main tells when one goes.
local reachable = {}

--- Sets the link to main.
function M.connect(main_peer)
  peer = main_peer
end

local RendererEvent = events.class({
  sender = function()
    return ipcRenderer
  end,
  ports = function()
    return {}
  end,
}, {})

--- A message from main, or from another page by `sendTo`.
function M.on_message(sender_id, channel, ...)
  Emitter.fire(emitter, channel, setmetatable({ senderId = sender_id }, RendererEvent), ...)
end

--- A web contents has gone: `sendTo` must ask for it again.
function M.forget_contents(id)
  reachable[id] = nil
end

--- The handler for a question of main, and its event; nil when there is none.
function M.find_handler(channel)
  local handler = handlers:take(channel)
  if handler then return handler, setmetatable({ senderId = 0 }, RendererEvent) end
end

-- Raises for a first argument that is no channel: looking at it is inlined where messages go.
local function bad_channel(name, channel)
  not_colon(name, ipcRenderer, channel, 3)
  check(name, 1, channel, "string", 3)
end

--- Sends a message to main. Returns true; false when more waits than the high-water mark. Raises
--- when a value cannot be sent.
---@param channel string
---@return boolean
function ipcRenderer.send(channel, ...)
  if type(channel) ~= "string" then bad_channel("ipcRenderer.send", channel) end
  local sent = peer:send(0, channel, ...)
  return sent
end

--- Asks main; a promise for what its handler returns. Raises when a value cannot be sent.
---@param channel string
---@return Promise
function ipcRenderer.invoke(channel, ...)
  if type(channel) ~= "string" then bad_channel("ipcRenderer.invoke", channel) end
  local promise = peer:ask(peer.send_values, 0, 0, channel, ...)
  return promise
end

--- Asks main and blocks this renderer until a listener sets `event.returnValue`. Raises when nobody
--- will, and when main goes.
---@param channel string
---@return any
function ipcRenderer.sendSync(channel, ...)
  if type(channel) ~= "string" then bad_channel("ipcRenderer.sendSync", channel) end
  return peer:ask_sync(0, channel, ...) -- in a tail call: the levels of its errors want it
end

--- Sends a message to the page of another web contents. Returns false when there is none: the first
--- message to an id asks main, and waits for the answer.
---@param id integer its webContents.id
---@param channel string
---@return boolean
function ipcRenderer.sendTo(id, channel, ...)
  not_colon("ipcRenderer.sendTo", ipcRenderer, id)
  check("ipcRenderer.sendTo", 1, id, "positive integer")
  check("ipcRenderer.sendTo", 2, channel, "string")
  reachable[id] = reachable[id] or peer:request_sync("find-contents", id) or nil
  if not reachable[id] then return false end
  local sent = peer:send_to(id, channel, ...)
  return sent
end

--- A promise that fulfils when fewer bytes than the high-water mark wait for main.
---@return Promise
function ipcRenderer.drained(first)
  not_colon("ipcRenderer.drained", ipcRenderer, first)
  return peer:drained()
end

for _, name in ipairs { "sendToHost", "postMessage" } do
  ipcRenderer[name] = function()
    error(("ipcRenderer.%s is not supported by this version"):format(name), 2)
  end
end

return M
