--- `ipcRenderer`: the page's (or its preload's) end of the link to main.
--- https://www.electronjs.org/docs/latest/api/ipc-renderer
local import = ...
local Emitter = import "common.emitter"
local lazy = import "core.lazy"

local ipcRenderer = {}
local emitter = Emitter.bind(ipcRenderer, "ipcRenderer")

-- Handlers by channel.
local entries = {}

lazy.fields(ipcRenderer, "handle handleOnce removeHandler", function(name)
  return import("common.handlers").functions(ipcRenderer, "ipcRenderer", entries)[name]
end)

lazy.fields(ipcRenderer, "drained postMessage sendTo sendToHost", "renderer.ipc_rest")

local M = { ipcRenderer = ipcRenderer, emitter = emitter }

lazy.fields(M, "event_class forget_contents on_message refuse", "renderer.ipc_rest")

-- The class of events, until a field of one is read.
local event = { __name = "Event" }

function event.__index(self, key)
  event.__index = M.event_class.__index
  return event.__index(self, key)
end

--- The routes of the peer.
M.routes = { handlers = { entries }, listeners = { Emitter.lists(emitter) }, event = event }

-- What refuses a first argument that is no channel.
local function refuser(name)
  return function(value)
    M.refuse(name, value)
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
function M.connect(peer)
  M.peer = peer
  ipcRenderer.send, ipcRenderer.invoke, ipcRenderer.sendSync = peer:public_functions(
    refuser "ipcRenderer.send",
    refuser "ipcRenderer.invoke",
    refuser "ipcRenderer.sendSync"
  )
end

return M
