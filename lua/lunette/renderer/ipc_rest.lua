--- What of `ipcRenderer` an idle page does not need; and its events.
local import = ...
local Emitter = import "common.emitter"
local arguments = import "common.arguments"
local events = import "common.event"
local own = import "renderer.ipc_renderer"

local check, not_colon = arguments.check, arguments.not_colon
local ipcRenderer = own.ipcRenderer

-- Ids of web contents that `sendTo` reaches: main tells when one goes.
local reachable = {}

local M = {}

--- The class of its events.
M.event_class = events.kind({
  sender = function()
    return ipcRenderer
  end,
  senderId = function()
    return 0
  end,
  ports = function()
    return {}
  end,
}, {})()

--- A message from main, or from another page by `sendTo`.
function M.on_message(sender_id, channel, ...)
  local event = setmetatable({ senderId = sender_id }, own.routes.event)
  Emitter.fire(own.emitter, channel, event, ...)
end

--- A web contents has gone: `sendTo` must ask for it again.
function M.forget_contents(id)
  reachable[id] = nil
end

--- Raises, at the caller of the public function, for a first argument that is no channel.
function M.refuse(name, value)
  not_colon(name, ipcRenderer, value, 4)
  check(name, 1, value, "string", 4)
end

--- Sends a message to the page of another web contents. Returns false when there is none: the first
--- message to an id asks main, and waits for the answer.
---@param id integer its webContents.id
---@param channel string
---@return boolean
function M.sendTo(id, channel, ...)
  not_colon("ipcRenderer.sendTo", ipcRenderer, id)
  check("ipcRenderer.sendTo", 1, id, "positive integer")
  check("ipcRenderer.sendTo", 2, channel, "string")
  reachable[id] = reachable[id] or own.peer:request_sync("find-contents", id) or nil
  if not reachable[id] then return false end
  local sent = own.peer:send_to(id, channel, ...)
  return sent
end

--- A promise that fulfils when fewer bytes than the high-water mark wait for main.
---@return Promise
function M.drained(first)
  not_colon("ipcRenderer.drained", ipcRenderer, first)
  return own.peer:drained()
end

for _, name in ipairs { "sendToHost", "postMessage" } do
  M[name] = function()
    error(("ipcRenderer.%s is not supported by this version"):format(name), 2)
  end
end

return M
