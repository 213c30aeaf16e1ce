--- One end of a link, as the Lua side sees it: questions that wait for their answers, questions that
--- wait for ours, and what happens to both when the other end goes.
---
--- The owner of a peer (a web contents in main, ipcRenderer's dispatch in a renderer) has:
---   on_message(owner, id, frame, channel, ...)   a message of the other side's app
---   find_handler(owner, frame, channel)          -> handler, event for a question; nil: there is none
---   on_sync(owner, id, frame, channel, ...)      a question whose asker blocks (main only)
---   on_send_to(owner, id, channel, flags, body)  a message to pass on (main only)
---   on_gone(owner, reason)                       the link ended; `reason` is nil or the peer's fault
---   internal                                     table of functions (owner, ...) by channel
local import = ...
local core_link = import "core.link"
local core = import "core.task"
local errors = import "common.errors"
local json = import "common.json"
local promises = import "common.promise"
local report = import "common.report"
local task = import "common.task"

local MESSAGE <const>, INVOKE <const>, REPLY <const> = core_link.MESSAGE, core_link.INVOKE, core_link.REPLY
local CANCEL <const>, SYNC <const> = core_link.CANCEL, core_link.SYNC
local ERROR <const>, INTERNAL <const> = core_link.FLAG_ERROR, core_link.FLAG_INTERNAL
local JSON <const> = core_link.FLAG_JSON
local send_clone = core_link.send

-- What is pending under the number of a question that was cancelled, until its answer is here.
local CANCELLED = {}
local IS_SENT_TO = { [core_link.SEND_TO] = true }

local Promise, pending = promises.Promise, promises.pending

---@class Peer
local Peer = { __name = "Peer" }
Peer.__index = Peer

-- Sends values as a JSON list; the signature and results of link:send.
local function send_json(link, kind, flags, id, frame, channel, ...)
  local text, err = json.encode_list(kind == REPLY and "result" or "argument", ...)
  if not text then return nil, err end
  return link:send_raw(kind, flags | JSON, id, frame, channel, text)
end

--- Sends a message. Returns true, or false when too much waits. Raises at the caller's caller when
--- a value cannot be sent: call it from the public function itself, not in a tail call.
---@return boolean
function Peer:send(id, frame, channel, ...)
  local ok, err = self.send_values(self._link, MESSAGE, 0, id, frame, channel, ...)
  if ok == nil then error(err, 3) end
  return ok
end

--- Sends a message of the runtime's own to the other side's `internal`.
function Peer:send_internal(channel, ...)
  return self._link:send(MESSAGE, INTERNAL, 0, 0, channel, ...)
end

--- Passes a message on whose body was not decoded.
function Peer:pass_on(sender_id, flags, channel, body)
  return self._link:send_raw(MESSAGE, flags, sender_id, 0, channel, body)
end

--- Asks the receiver `id` through main (SEND_TO).
function Peer:send_to(id, channel, ...)
  local ok, err = self.send_values(self._link, core_link.SEND_TO, 0, id, 0, channel, ...)
  if ok == nil then error(err, 3) end
  return ok
end

-- Numbers of questions are used again, the lowest first, so that the tables of open ones stay small.
-- That is safe because a question has exactly one answer, a cancelled one too, and keeps its number
-- until that is here.
local function take_id(self)
  local free = self._free_ids
  local n = #free
  if n == 0 then
    self._last_id = self._last_id + 1
    return self._last_id
  end
  local id = free[n]
  free[n] = nil
  return id
end

local function free_id(self, id)
  local free = self._free_ids
  free[#free + 1] = id
end

-- What a cancelled promise of the peer calls.
local function make_canceller(self)
  return function(promise)
    local id = promise._id
    if self._pending[id] ~= promise then return end
    self._pending[id] = CANCELLED
    self._link:send(CANCEL, 0, id, 0, "")
  end
end

-- Asks with `send`: link.send, or what the codec has instead.
local function ask(self, send, flags, frame, channel, ...)
  if self._gone then return promises.Promise.reject(errors.PeerGoneError(self._gone)) end
  local id = take_id(self)
  local ok, err = send(self._link, INVOKE, flags, id, frame, channel, ...)
  if ok == nil then
    free_id(self, id)
    error(err, 3)
  end
  local promise = pending()
  promise._on_cancel, promise._channel, promise._id = self._cancel, channel, id
  self._pending[id] = promise
  return promise
end

--- Asks a question of the app's with `peer.send_values`; a promise for its answer, whose cancelling tells the other side. Raises
--- like `send`.
---@return Promise
Peer.ask = ask

--- Asks a question of the runtime's own; a promise for its answer.
---@return Promise
function Peer:request(channel, ...)
  local promise = ask(self, send_clone, INTERNAL, 0, channel, ...)
  return promise
end

local function decode(self, flags, ...)
  if flags & JSON == 0 then return ... end
  return json.decode_list((...))
end

-- A hostile peer may send anything as its error.
local function remote_error(channel, wire)
  return errors.from_wire(channel, type(wire) == "table" and wire or { message = tostring(wire) })
end

local function sync_outcome(self, id, channel, flags, ...)
  free_id(self, id)
  if not flags then error(errors.PeerGoneError(self._gone or "main has gone"), 0) end
  if flags & ERROR ~= 0 then error(remote_error(channel, (...)), 0) end
  return decode(self, flags, ...)
end

local function ask_sync(self, send, flags, frame, channel, ...)
  local id = take_id(self)
  local ok, err = send(self._link, SYNC, flags, id, frame, channel, ...)
  if ok == nil then
    free_id(self, id)
    error(err, 4)
  end
  return sync_outcome(self, id, channel, self._link:wait_reply(id))
end

--- Asks a question and blocks until the answer is here. Raises like `send`, and the answer's error.
function Peer:ask_sync(frame, channel, ...)
  return ask_sync(self, self.send_values, 0, frame, channel, ...)
end

--- The same for a question of the runtime's own.
function Peer:request_sync(channel, ...)
  return ask_sync(self, send_clone, INTERNAL, 0, channel, ...)
end

--- Answers the question `id` with an error, whatever the value is. Nothing happens when it was
--- answered or cancelled.
---@param err any
---@param traceback string?
function Peer:reply_error(id, err, traceback)
  if not self._open[id] then return end
  self._open[id] = nil
  self._link:send(REPLY, ERROR, id, 0, "", errors.to_wire(err, traceback))
end

--- Answers the question `id` with the values. Returns nil and the reason when one cannot be sent;
--- the question is open then. Nothing happens when it was answered or cancelled.
function Peer:reply(id, ...)
  if not self._open[id] then return true end
  local ok, err = self.send_values(self._link, REPLY, 0, id, 0, "", ...)
  if ok == nil then return nil, err end
  self._open[id] = nil
  return true
end

local function answer(self, id, ok, ...)
  if not ok then
    return self:reply_error(id, (...), task.take_traceback())
  end
  local first = ...
  if getmetatable(first) == Promise then return answer(self, id, first:pawait()) end
  if not self._open[id] then return end
  local sent, err = self.send_values(self._link, REPLY, 0, id, 0, "", ...)
  if sent == nil then return self:reply_error(id, err) end
  self._open[id] = nil
end

-- Answers of the runtime's own are clones, whatever the app's codec.
local function answer_internal(self, id, ok, ...)
  if not ok then return self:reply_error(id, (...), task.take_traceback()) end
  self._open[id] = nil
  local sent, err = self._link:send(REPLY, INTERNAL, id, 0, "", ...)
  if sent == nil then
    self._open[id] = true
    self:reply_error(id, err)
  end
end

local receive = {}

receive[MESSAGE] = function(self, flags, id, frame, channel, ...)
  if flags & INTERNAL == 0 then return self._owner:on_message(id, frame, channel, ...) end
  local fn = self._owner.internal[channel]
  if fn then return fn(self._owner, ...) end
  self:fail("an unknown message of the runtime's own")
end

local function receive_request(self, id, channel, ...)
  local fn = self._owner.internal[channel]
  if not fn then return self:fail("an unknown question of the runtime's own") end
  self._open[id] = true
  answer_internal(self, id, xpcall(fn, task.catch, self._owner, ...))
end

receive[INVOKE] = function(self, flags, id, frame, channel, ...)
  if self._open[id] then return self:fail("a question with the number of an open one") end
  if flags & INTERNAL ~= 0 then return receive_request(self, id, channel, ...) end
  local handler, event = self._owner:find_handler(frame, channel)
  self._open[id] = event or true
  if not handler then
    return self:reply_error(id, ("No handler registered for '%s'"):format(channel))
  end
  answer(self, id, xpcall(handler, task.catch, event, ...))
end

receive[SYNC] = function(self, flags, id, frame, channel, ...)
  if self._open[id] then return self:fail("a question with the number of an open one") end
  if flags & INTERNAL ~= 0 then return receive_request(self, id, channel, ...) end
  self._open[id] = true
  self._owner:on_sync(id, frame, channel, ...)
end

receive[REPLY] = function(self, flags, id, _, _, ...)
  local promise = self._pending[id]
  if not promise then return end
  self._pending[id] = nil
  free_id(self, id)
  if promise == CANCELLED then return end
  if flags & ERROR ~= 0 then
    promises.reject(promise, remote_error(promise._channel, (...)))
  else
    promises.settle(promise, "fulfilled", ...)
  end
end

receive[CANCEL] = function(self, _, id)
  local event = self._open[id]
  if type(event) ~= "table" then return end
  event:_abort()
  self:reply_error(id, "cancelled")
end

receive[core_link.SEND_TO] = function(self, flags, id, _, channel, body)
  self._owner:on_send_to(id, channel, flags, body)
end

receive[core_link.HELLO] = function(self, _, version)
  if version ~= core_link.PROTOCOL_VERSION then
    self:fail(("the protocol version %d, not %d"):format(version, core_link.PROTOCOL_VERSION))
  end
end

receive[core_link.BOOT] = function(self, _, _, _, _, ...)
  self._owner:on_boot(...)
end

-- JSON is decoded here; a peer that sends bad text is as bad as one that sends bad packets.
local function dispatch_json(self, receiver, flags, id, frame, channel, ok, ...)
  if not ok then return self:fail("bad JSON: " .. tostring((...))) end
  return receiver(self, flags, id, frame, channel, ...)
end

-- The receivers by kind, and behind them (at kind | JSON_RECEIVERS) those of packets in JSON.
for kind, receiver in pairs(table.move(receive, 1, core_link.SEND_TO, 1, {})) do
  receive[kind | core_link.JSON_RECEIVERS] = function(self, flags, id, frame, channel, text)
    if IS_SENT_TO[kind] then return receiver(self, flags, id, frame, channel, text) end
    return dispatch_json(self, receiver, flags, id, frame, channel, pcall(json.decode_list, text))
  end
end

-- Everything that waits for the other side settles, and the link is closed.
local function end_all(self, reason)
  if self._gone then return end
  self._gone = reason or "the other side has gone"
  self._link:close()
  local questions, open, drained = self._pending, self._open, self._drained
  self._pending, self._open, self._drained = {}, {}, nil
  local gone = errors.PeerGoneError(self._gone)
  for _, promise in pairs(questions) do
    if promise ~= CANCELLED then promises.reject(promise, gone) end
  end
  if drained then promises.reject(drained, gone) end
  for _, event in pairs(open) do
    if type(event) == "table" then event:_abort() end
  end
end

local function on_end(self, fault)
  if self._gone then return end
  self._owner:on_gone(fault)
end

local function on_drained(self)
  local promise = self._drained
  self._drained = nil
  if promise then promises.settle(promise, "fulfilled") end
end

local function is_full(self)
  return self._link:queued() > (self._limits.highWaterMark or 8 << 20)
end

--- A promise that fulfils when fewer bytes than the high-water mark wait.
---@return Promise
function Peer:drained()
  if self._gone then return promises.Promise.reject(errors.PeerGoneError(self._gone)) end
  if not is_full(self) then return promises.Promise.resolve() end
  self._drained = self._drained or promises.pending()
  return self._drained
end

--- The other side broke the protocol: the link ends with this reason.
function Peer:fail(reason)
  report.warn("closing the link to a peer: it sent " .. reason)
  if not self._gone then self._owner:on_gone(reason) end
end

--- Ends the link: rejects what waits for the other side with a PeerGoneError of this reason.
---@param reason string
function Peer:close(reason)
  end_all(self, reason)
end

--- Connects the link to a renderer that was just started: BOOT goes ahead of what waits already.
---@param fd integer
---@param boot table what the renderer is told
---@return true?, string?
function Peer:boot(fd, boot)
  local queue = self._link
  self:_renew_link("main")
  local ok, err = self._link:send(core_link.BOOT, 0, 0, 0, "", boot)
  if ok == nil then return nil, err end
  self._link:take_queue(queue)
  queue:close()
  return self._link:open(fd)
end

--- Connects the link to main and says hello.
---@param fd integer
function Peer:greet(fd)
  self._link:send(core_link.HELLO, 0, core_link.PROTOCOL_VERSION, 0, "")
  assert(self._link:open(fd))
end

--- Blocks until everything is written, for ms at most.
function Peer:drain(ms)
  if not self._gone then self._link:drain(ms) end
end

function Peer:_renew_link(role)
  self._link = core_link.new(role, self, receive, on_end, on_drained)
  self._link:limits(self._limits)
end

--- Sets the codec of the app's messages, and limits in bytes.
---@param options {codec: string?, limits: table?}
function Peer:configure(options)
  self.send_values = options.codec == "json" and send_json or send_clone
  self._limits = options.limits or {}
  self._link:limits(self._limits)
end

--- Makes one end, not connected yet. `role` is "main" or "peer".
---@param role string
---@param owner table
---@return Peer
function Peer.new(role, owner)
  local self = setmetatable({ _owner = owner, _pending = {}, _open = {}, _last_id = 0, _free_ids = {}, _limits = {}, send_values = send_clone }, Peer)
  self._cancel = make_canceller(self)
  self:_renew_link(role)
  return self
end

-- A question whose task was collected unanswered. The task is the key, so the guard dies with it.
local guards = setmetatable({}, { __mode = "k" })

local function abandon(self, id)
  if not self._gone then self:reply_error(id, "reply was never sent") end
end

local Guard = {
  __gc = function(guard)
    if guard.peer._open[guard.id] then task.enqueue(abandon, guard.peer, guard.id) end
  end,
}

--- Answers the question `id` with "reply was never sent" should the coroutine be collected.
function Peer:guard(id, co)
  if self._open[id] then guards[co] = setmetatable({ peer = self, id = id }, Guard) end
end

core.set_hooks { suspended = Peer.guard }

return Peer
