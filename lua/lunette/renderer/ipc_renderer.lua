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

local event_class = events.kind({
  sender = function()
    return ipcRenderer
  end,
  senderId = function()
    return 0
  end,
  ports = function()
    return {}
  end,
}, {})

--- The routes of the peer.
M.routes = {
  handlers = { handlers.entries },
  listeners = { Emitter.lists(emitter) },
  event = event_class(),
}

--- A message from main, or from another page by `sendTo`.
function M.on_message(sender_id, channel, ...)
  local event = setmetatable({ senderId = sender_id }, M.routes.event)
  Emitter.fire(emitter, channel, event, ...)
end

--- A web contents has gone: `sendTo` must ask for it again.
function M.forget_contents(id)
  reachable[id] = nil
end

-- What raises, at the caller of the public function, for a first argument that is no channel.
local function refuser(name)
  return function(value)
    not_colon(name, ipcRenderer, value, 3)
    check(name, 1, value, "string", 3)
  end
end

--- Sets the link to main, and makes the functions that use it all the time:
---
--- ipcRenderer.send(channel, ...) sends a message to main. Returns true; false when more waits than
--- the high-water mark. Raises when a value cannot be sent.
---
--- ipcRenderer.invoke(channel, ...) asks main; a promise for what its handler returns. Raises when
--- a value cannot be sent.
---
--- ipcRenderer.sendSync(channel, ...) asks main and blocks this renderer until a listener sets
--- `event.returnValue`, which it returns. Raises when nobody will, and when main goes.
function M.connect(main_peer)
  peer = main_peer
  ipcRenderer.send, ipcRenderer.invoke, ipcRenderer.sendSync = peer:public_functions(
    refuser "ipcRenderer.send",
    refuser "ipcRenderer.invoke",
    refuser "ipcRenderer.sendSync"
  )
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
