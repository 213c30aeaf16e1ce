--- One end of a link, as the Lua side sees it: questions that wait for their answers, questions
--- that wait for ours, and what happens to both when the other end goes.
---
--- What happens all the time is in C (runtime/bind/link_send.c, link_receive.c) and goes by the
--- owner's routes; the rest comes here. The owner of a peer (a web contents in main, ipcRenderer's
--- dispatch in a renderer) has:
---   _on_message(owner, id, frame, channel, ...)  a message that is not for one listener alone
---   _on_sync(owner, event, channel, ...)  such a question whose asker blocks (main only)
---   _on_send_to(owner, id, channel, ...)  a message to pass on (main only)
---   _on_boot(owner, options)              what to run (renderers only)
---   _on_gone(owner, fault)                the link ended; `fault`, if any, is how the other side
---                                         broke the protocol
---   _internal                             table of functions (owner, ...) by channel
---   _routes                               handlers, listeners, watchers, event, sync_event: see
---                                         runtime/bind/link_box.h
local import = ...
local core_link = import "core.link"
local core_task = import "core.task"
local lazy = import "core.lazy"
local task = import "common.task"

local HELLO <const>, BOOT <const> = core_link.HELLO, core_link.BOOT
local MESSAGE <const>, INTERNAL <const> = core_link.MESSAGE, core_link.FLAG_INTERNAL
local JSON <const> = core_link.FLAG_JSON

---@class Peer
local Peer = { __name = "Peer" }
Peer.__index = Peer

lazy.fields(
  Peer,
  "ask boot cancel_question drain drained pass_on raise_gone raise_remote ref reject_gone "
    .. "remote_error reply_error reply_unset request request_sync send send_to sent "
    .. "settle_gone",
  "common.peer_methods"
)

--- Sends a message of the runtime's own to the other side's `internal`.
function Peer:send_internal(channel, ...)
  return self._link:send(MESSAGE, INTERNAL, 0, 0, channel, ...)
end

--- `ipcRenderer.send`, `invoke` and `sendSync`: functions (channel, ...). Each has a function that
--- raises for a first argument that is no channel.
---@param refuse_send fun(value)
---@param refuse_invoke fun(value)
---@param refuse_sync fun(value)
---@return fun(...): boolean send
---@return fun(...): Promise invoke
---@return fun(...): any sendSync
function Peer:public_functions(refuse_send, refuse_invoke, refuse_sync)
  return self._link:public_functions(refuse_send, refuse_invoke, refuse_sync)
end

--- The other side broke the protocol: nothing more of it is read, and the link ends for that.
---@param fault string what it sent
function Peer:fail(fault)
  self._link:fail(fault)
end

-- Callbacks of links: by kind what receives packets. They raise nothing. Whatever is rarer than
-- these is loaded.
local callbacks = {}

-- The link lets nothing but greetings through until it has greeted.
callbacks[HELLO] = function(self, _, version)
  if not self._link:greeted() then return self:fail "a greeting once more" end
  if version ~= core_link.PROTOCOL_VERSION then
    self:fail(("the protocol version %d, not %d"):format(version, core_link.PROTOCOL_VERSION))
  end
end

callbacks[BOOT] = function(self, _, _, _, _, ...)
  if not self._link:greeted() then return self:fail "a greeting once more" end
  self._owner:_on_boot(...)
end

callbacks[MESSAGE] = function(self, flags, id, frame, channel, ...)
  if frame ~= 0 then return self:fail "a message of a frame that is not there" end
  if flags & INTERNAL == 0 then return self._owner:_on_message(id, frame, channel, ...) end
  local fn = self._owner._internal[channel]
  if fn then return fn(self._owner, ...) end
  self:fail "an unknown message of the runtime's own"
end

function callbacks.on_end(self, fault)
  if self._gone then return end
  if fault then callbacks.on_fault(self, fault) end
  self._owner:_on_gone(fault)
end

lazy.module("common.peer_callbacks", callbacks)

--- A link of the peer's, without a connection.
function Peer:new_link()
  local link = core_link.new(self._role, self, callbacks, self._pending, self._open)
  local routes = self._owner._routes
  link:route {
    handlers = routes.handlers,
    listeners = routes.listeners,
    watchers = routes.watchers,
    event = routes.event,
    sync_event = routes.sync_event,
    catch = task.catch,
    on_cancel = self._cancel,
  }
  link:set_codec(self._codec)
  return link
end

--- Ends the link: rejects what waits for the other side with a PeerGoneError of this reason.
--- Idempotent.
---@param reason string
function Peer:close(reason)
  if self._gone then return end
  self._gone = reason
  self._link:close()
  if next(self._pending) or next(self._open) or self._drained then self:settle_gone() end
end

--- Connects the link, whose descriptor, or end of a channel, is the peer's from now on.
---@param fd integer|lightuserdata
---@return true?, string?
function Peer:connect(fd)
  return self._link:open(fd)
end

--- Connects the link to main and says hello.
---@param fd integer
function Peer:greet(fd)
  self._link:send(HELLO, 0, core_link.PROTOCOL_VERSION, 0, "")
  assert(self._link:open(fd))
end

--- Sets the codec of the app's messages, and limits in bytes.
---@param options {codec: string?, limits: table?}
function Peer:configure(options)
  self._codec = options.codec == "json" and JSON or 0
  self._limits = options.limits or {}
  self._link:set_codec(self._codec)
  self._link:limits(self._limits)
end

--- Makes one end, not connected yet.
---@param role "main"|"peer" whose end it is
---@param owner table
---@param name string of the other end, for the log
---@return Peer
function Peer.new(role, owner, name)
  local self = setmetatable({
    _role = role,
    _owner = owner,
    _name = name,
    _pending = {}, -- promises, or false, by the number of the question that we asked
    _open = {}, -- events, or empty tables, by the number of the question that we were asked
    _limits = {},
    _codec = 0, -- flag of the app's messages
  }, Peer)
  self._cancel = function(promise)
    self:cancel_question(promise)
  end
  self._link = self:new_link()
  return self
end

core_task.set_hooks {
  suspended = function(self, id, co)
    callbacks.suspended(self, id, co)
  end,
}

return Peer
