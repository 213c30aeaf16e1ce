--- One end of a link, as the Lua side sees it: questions that wait for their answers, questions
--- that wait for ours, and what happens to both when the other end goes.
---
--- The owner of a peer (a web contents in main, ipcRenderer's dispatch in a renderer) has:
---   on_message(owner, id, frame, channel, ...)   a message of the other side's app
---   find_handler(owner, frame, channel)          -> handler, event for a question, or nil
---   on_sync(owner, id, frame, channel, ...)      a question whose asker blocks (main only)
---   on_send_to(owner, id, channel, ...)          a message to pass on (main only)
---   on_boot(owner, options)                      what to run (renderers only)
---   on_gone(owner, fault)                        the link ended; `fault`, if any, is how the other
---                                                side broke the protocol
---   internal                                     table of functions (owner, ...) by channel
local import = ...
local core_link = import "core.link"
local core = import "core.task"
local errors = import "common.errors"
local guard = import "common.guard"
local json = import "common.json"
local promises = import "common.promise"
local report = import "common.report"
local task = import "common.task"

local HELLO <const>, BOOT <const> = core_link.HELLO, core_link.BOOT
local MESSAGE <const>, SEND_TO <const> = core_link.MESSAGE, core_link.SEND_TO
local INVOKE <const>, SYNC <const> = core_link.INVOKE, core_link.SYNC
local REPLY <const>, CANCEL <const> = core_link.REPLY, core_link.CANCEL
local ERROR <const>, INTERNAL <const> = core_link.FLAG_ERROR, core_link.FLAG_INTERNAL
local JSON <const>, JSON_RECEIVERS <const> = core_link.FLAG_JSON, core_link.JSON_RECEIVERS
local QUESTION_ID_MAX <const>, VALUES_MAX <const> = core_link.QUESTION_ID_MAX, core_link.VALUES_MAX
local send_clone = core_link.send

-- What is pending under the number of a question that was cancelled, until its answer is here.
local CANCELLED = {}

local Promise, pending = promises.Promise, promises.pending

---@class Peer
local Peer = { __name = "Peer" }
Peer.__index = Peer

-- Sends values as a JSON list; the signature and results of link:send.
local function send_json(link, kind, flags, id, frame, channel, ...)
  if select("#", ...) > VALUES_MAX then
    return nil, ("more than %d values in one message"):format(VALUES_MAX)
  end
  local text, err = json.encode_list(kind == REPLY and "result" or "argument", ...)
  if not text then return nil, err end
  return link:send_raw(kind, flags | JSON, id, frame, channel, text)
end

--- Sends a message to a frame. Returns true, or false when too much waits or the other side has
--- gone. Raises at the caller's caller when a value cannot be sent: call it from the public
--- function itself, not in a tail call.
---@return boolean
function Peer:send(frame, channel, ...)
  local ok, err = self.send_values(self._link, MESSAGE, 0, 0, frame, channel, ...)
  if ok == nil then error(err, 3) end
  return ok
end

--- Sends a message of the runtime's own to the other side's `internal`.
function Peer:send_internal(channel, ...)
  return self._link:send(MESSAGE, INTERNAL, 0, 0, channel, ...)
end

--- Passes on what the web contents `sender_id` sends, always as a clone: its codec may be another.
--- Returns what link:send does.
function Peer:pass_on(sender_id, channel, ...)
  return self._link:send(MESSAGE, 0, sender_id, 0, channel, ...)
end

--- Sends a message to the web contents `id`, through main. Raises like `send`.
function Peer:send_to(id, channel, ...)
  local ok, err = self.send_values(self._link, SEND_TO, 0, id, 0, channel, ...)
  if ok == nil then error(err, 3) end
  return ok
end

-- Numbers of questions are used again, so that the tables of open ones stay small. That is safe
-- because a question has exactly one answer, a cancelled one too, and keeps its number until then.
local function take_id(self)
  local free = self._free_ids
  local n = #free
  if n == 0 then
    local id = self._last_id + 1
    if id > QUESTION_ID_MAX then
      error(("%d questions wait for their answers already"):format(QUESTION_ID_MAX), 4)
    end
    self._last_id = id
    return id
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
  if self._gone then return Promise.reject(errors.PeerGoneError(self._gone)) end
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

--- Asks a question of the app's with `peer.send_values`; a promise for its answer, whose cancelling
--- tells the other side. Raises like `send`.
---@return Promise
Peer.ask = ask

--- Asks a question of the runtime's own; a promise for its answer.
---@return Promise
function Peer:request(channel, ...)
  return ask(self, send_clone, INTERNAL, 0, channel, ...)
end

local function decode(flags, ...)
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
  return decode(flags, ...)
end

local function ask_sync(self, send, flags, frame, channel, ...)
  local id = take_id(self)
  local ok, err = send(self._link, SYNC, flags, id, frame, channel, ...)
  if ok == nil then
    free_id(self, id)
    error(err, 2)
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
--- answered, or the asker has gone.
---@param err any
---@param traceback string?
function Peer:reply_error(id, err, traceback)
  if not self._open[id] then return end
  self._open[id] = nil
  local link = self._link
  local sent, why = link:send(REPLY, ERROR, id, 0, "", errors.to_wire(err, traceback))
  if sent == nil then link:send(REPLY, ERROR, id, 0, "", errors.to_wire(why)) end
end

--- Answers the question `id` with the values. Returns nil and the reason when one cannot be sent;
--- the question is open then. Nothing happens when it was answered, or the asker has gone.
function Peer:reply(id, ...)
  if not self._open[id] then return true end
  local ok, err = self.send_values(self._link, REPLY, 0, id, 0, "", ...)
  if ok == nil then return nil, err end
  self._open[id] = nil
  return true
end

-- Answers with the values, or with why one of them cannot be sent by `send`.
local function answer_values(self, send, flags, id, ...)
  if not self._open[id] then return end
  local sent, err = send(self._link, REPLY, flags, id, 0, "", ...)
  if sent == nil then return self:reply_error(id, err) end
  self._open[id] = nil
end

local function answer_outcome(self, id, promise, ok, ...)
  if not ok then return self:reply_error(id, (...), promise._traceback) end
  answer_values(self, self.send_values, 0, id, ...)
end

-- Whether a table that a handler returned may be a promise, or like one: then its outcome answers.
local function may_be_promise(value)
  return getmetatable(value) ~= nil or value.andThen ~= nil or value.next ~= nil
end

local function answer(self, id, ok, ...)
  if not ok then return self:reply_error(id, (...), task.take_traceback()) end
  local first = ...
  if type(first) == "table" and may_be_promise(first) then
    local promise = Promise.resolve(...)
    return answer_outcome(self, id, promise, promise:pawait())
  end
  answer_values(self, self.send_values, 0, id, ...)
end

-- Answers of the runtime's own are clones, whatever the app's codec.
local function answer_internal(self, id, ok, ...)
  if not ok then return self:reply_error(id, (...), task.take_traceback()) end
  answer_values(self, send_clone, INTERNAL, id, ...)
end

-- What the receivers do with a packet, by its kind. They raise nothing.
local receive = {}

receive[MESSAGE] = function(self, flags, id, frame, channel, ...)
  if frame ~= 0 then return self:fail "a message of a frame that is not there" end
  if flags & INTERNAL == 0 then return self._owner:on_message(id, frame, channel, ...) end
  local fn = self._owner.internal[channel]
  if fn then return fn(self._owner, ...) end
  self:fail "an unknown message of the runtime's own"
end

-- Whether a question cannot be taken. That each has a number of its own, up to a limit, bounds how
-- many can be open.
local function is_bad_question(self, id, frame)
  return self._open[id] or id > QUESTION_ID_MAX or frame ~= 0
end

local function refuse_question(self, id, frame)
  if frame ~= 0 then return self:fail "a question of a frame that is not there" end
  if id > QUESTION_ID_MAX then return self:fail "a question with a number beyond the limit" end
  self:fail "a question with the number of an open one"
end

local function receive_request(self, id, channel, ...)
  local fn = self._owner.internal[channel]
  if not fn then return self:fail "an unknown question of the runtime's own" end
  self._open[id] = {}
  answer_internal(self, id, xpcall(fn, task.catch, self._owner, ...))
end

receive[INVOKE] = function(self, flags, id, frame, channel, ...)
  if is_bad_question(self, id, frame) then return refuse_question(self, id, frame) end
  if flags & INTERNAL ~= 0 then return receive_request(self, id, channel, ...) end
  local handler, event = self._owner:find_handler(frame, channel)
  self._open[id] = event or {}
  if not handler then
    return self:reply_error(id, ("No handler registered for '%s'"):format(channel))
  end
  answer(self, id, xpcall(handler, task.catch, event, ...))
end

receive[SYNC] = function(self, flags, id, frame, channel, ...)
  if is_bad_question(self, id, frame) then return refuse_question(self, id, frame) end
  if flags & INTERNAL ~= 0 then return receive_request(self, id, channel, ...) end
  self._open[id] = {}
  self._owner:on_sync(id, frame, channel, ...)
end

receive[REPLY] = function(self, flags, id, _, _, ...)
  local promise = self._pending[id]
  if not promise then return self:fail "an answer that nobody waits for" end
  self._pending[id] = nil
  free_id(self, id)
  if promise == CANCELLED then return end
  if flags & ERROR ~= 0 then
    promises.reject(promise, remote_error(promise._channel, (...)))
  else
    promises.settle(promise, "fulfilled", ...)
  end
end

-- The handler goes on, and its answer, which the asker ignores, is sent: the question is open until
-- then, which bounds what can be under way here.
receive[CANCEL] = function(self, _, id)
  local question = self._open[id]
  if question and question._abort then question:_abort() end
end

receive[SEND_TO] = function(self, _, id, _, channel, ...)
  self._owner:on_send_to(id, channel, ...)
end

for _, kind in ipairs { HELLO, BOOT } do
  receive[kind] = function(self)
    self:fail "a greeting once more"
  end
end

-- The same until the other side has greeted.
local greet = {}

for kind in pairs(receive) do
  greet[kind] = function(self)
    self:fail "something before its greeting"
  end
end

greet[HELLO] = function(self, _, version)
  self._link:set_receivers(receive)
  if version ~= core_link.PROTOCOL_VERSION then
    self:fail(("the protocol version %d, not %d"):format(version, core_link.PROTOCOL_VERSION))
  end
end

greet[BOOT] = function(self, _, _, _, _, ...)
  self._link:set_receivers(receive)
  self._owner:on_boot(...)
end

-- JSON is decoded here; a peer that sends bad text is as bad as one that sends bad packets.
local function dispatch_json(self, receiver, flags, id, frame, channel, ok, ...)
  if not ok then return self:fail("bad JSON: " .. tostring((...))) end
  if select("#", ...) > VALUES_MAX then return self:fail "a message of too many values" end
  return receiver(self, flags, id, frame, channel, ...)
end

-- Adds what receives packets in JSON, at kind | JSON_RECEIVERS.
local function add_json(receivers)
  for kind, receiver in pairs(table.move(receivers, 1, SEND_TO, 1, {})) do
    receivers[kind | JSON_RECEIVERS] = function(self, flags, id, frame, channel, text)
      return dispatch_json(self, receiver, flags, id, frame, channel, pcall(json.decode_list, text))
    end
  end
end

add_json(receive)
add_json(greet)

local function abort_all(questions)
  for _, question in pairs(questions) do
    if question._abort then question:_abort() end
  end
end

--- Ends the link: rejects what waits for the other side with a PeerGoneError of this reason.
--- Idempotent.
---@param reason string
function Peer:close(reason)
  if self._gone then return end
  self._gone = reason
  self._link:close()
  local questions, open, drained = self._pending, self._open, self._drained
  self._pending, self._open, self._drained = {}, {}, nil
  local gone = errors.PeerGoneError(reason)
  for _, promise in pairs(questions) do
    if promise ~= CANCELLED then promises.reject(promise, gone) end
  end
  if drained then promises.reject(drained, gone) end
  abort_all(open)
end

--- The other side broke the protocol: nothing more of it is read, and the link ends for that.
---@param fault string what it sent
function Peer:fail(fault)
  self._link:fail(fault)
end

local function on_end(self, fault)
  if self._gone then return end
  if fault then report.warn(("closing the link to %s: it sent %s"):format(self._name, fault)) end
  self._owner:on_gone(fault)
end

local function on_drained(self)
  local promise = self._drained
  self._drained = nil
  if promise then promises.settle(promise, "fulfilled") end
end

--- A promise that fulfils when fewer bytes than the high-water mark wait.
---@return Promise
function Peer:drained()
  if self._gone then return Promise.reject(errors.PeerGoneError(self._gone)) end
  if not self._link:is_full() then return Promise.resolve() end
  if not self._drained or self._drained:status() ~= "pending" then self._drained = pending() end
  return self._drained
end

local function new_link(self)
  return core_link.new(self._role, self, greet, on_end, on_drained)
end

--- Connects the link to a renderer that was just started: BOOT, which no limit of the app's is for,
--- goes ahead of what waits already.
---@param fd integer
---@param boot table what the renderer is told
---@return true?, string?
function Peer:boot(fd, boot)
  local queue = self._link
  self._link = new_link(self)
  local ok, err = self._link:send(BOOT, 0, 0, 0, "", boot)
  if ok ~= nil then
    self._link:limits(self._limits)
    self._link:take_queue(queue)
    ok, err = self._link:open(fd)
  end
  queue:close()
  return ok, err
end

--- Connects the link to main and says hello.
---@param fd integer
function Peer:greet(fd)
  self._link:send(HELLO, 0, core_link.PROTOCOL_VERSION, 0, "")
  assert(self._link:open(fd))
end

--- Blocks until everything is written, for ms at most.
function Peer:drain(ms)
  if not self._gone then self._link:drain(ms) end
end

--- Sets the codec of the app's messages, and limits in bytes.
---@param options {codec: string?, limits: table?}
function Peer:configure(options)
  self.send_values = options.codec == "json" and send_json or send_clone
  self._limits = options.limits or {}
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
    _pending = {}, -- promises by the number of the question that we asked
    _open = {}, -- events, or empty tables, by the number of the question that we were asked
    _last_id = 0,
    _free_ids = {},
    _limits = {},
    send_values = send_clone,
  }, Peer)
  self._cancel = make_canceller(self)
  self._link = new_link(self)
  return self
end

local function abandon(self, id, question)
  if self._open[id] == question then self:reply_error(id, "reply was never sent") end
end

core.set_hooks {
  -- The task that answers the question `id` has suspended. Should it be collected, it is answered.
  suspended = function(self, id, co)
    local question = self._open[id]
    if question then guard(co, abandon, self, id, question) end
  end,
}

return Peer
