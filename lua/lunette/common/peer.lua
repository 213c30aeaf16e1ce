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
local core = import "core.task"
local guard = import "common.guard"
local lazy = import "core.lazy"
local promises = import "common.promise"
local report = import "common.report"
local task = import "common.task"

local errors, json = lazy.module "common.errors", lazy.module "common.json"

local HELLO <const>, BOOT <const> = core_link.HELLO, core_link.BOOT
local MESSAGE <const>, SEND_TO <const> = core_link.MESSAGE, core_link.SEND_TO
local INVOKE <const>, SYNC <const> = core_link.INVOKE, core_link.SYNC
local REPLY <const>, CANCEL <const> = core_link.REPLY, core_link.CANCEL
local ERROR <const>, INTERNAL <const> = core_link.FLAG_ERROR, core_link.FLAG_INTERNAL
local JSON <const> = core_link.FLAG_JSON

local Promise, pending = promises.Promise, promises.pending

---@class Peer
local Peer = { __name = "Peer" }
Peer.__index = Peer

--- Sends a message to a frame. Returns true, or false when too much waits or the other side has
--- gone. Raises at the caller's caller when a value cannot be sent: call it from the public
--- function itself, not in a tail call.
---@return boolean
function Peer:send(frame, channel, ...)
  local ok, err = self._link:send(MESSAGE, self._codec, 0, frame, channel, ...)
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
  local ok, err = self._link:send(SEND_TO, self._codec, id, 0, channel, ...)
  if ok == nil then error(err, 3) end
  return ok
end

local function reject_gone(self)
  return Promise.reject(errors.PeerGoneError(self._gone))
end

-- What a cancelled promise of the peer calls.
local function make_canceller(self)
  return function(promise)
    local id = promises.question(promise)
    if self._pending[id] ~= promise then return end
    self._pending[id] = false
    self._link:send(CANCEL, 0, id, 0, "")
  end
end

local function ask(self, flags, channel, ...)
  local promise, err = self._link:ask(flags, channel, ...)
  if promise == nil then error(err, 3) end
  return promise or reject_gone(self)
end

--- Asks a question of the app's; a promise for its answer, whose cancelling tells the other side.
--- Raises like `send`.
---@return Promise
function Peer:ask(channel, ...)
  return ask(self, self._codec, channel, ...)
end

--- Asks a question of the runtime's own; a promise for its answer.
---@return Promise
function Peer:request(channel, ...)
  return ask(self, INTERNAL, channel, ...)
end

-- A hostile peer may send anything as its error.
local function remote_error(channel, wire)
  return errors.from_wire(channel, type(wire) == "table" and wire or { message = tostring(wire) })
end

local function raise_remote(_, channel, wire)
  error(remote_error(channel, wire), 0)
end

local function raise_gone(self)
  error(errors.PeerGoneError(self._gone or "main has gone"), 0)
end

local function sync_outcome(self, channel, flags, ...)
  if flags == nil then error((...), 3) end
  if not flags then raise_gone(self) end
  if flags & ERROR ~= 0 then raise_remote(self, channel, (...)) end
  return ...
end

--- Asks a question of the runtime's own and blocks until the answer is here. Raises its error.
function Peer:request_sync(channel, ...)
  return sync_outcome(self, channel, self._link:ask_sync(INTERNAL, channel, ...))
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

-- Answers with the values, or with why one of them cannot be sent.
local function answer_values(self, flags, id, ...)
  if not self._open[id] then return end
  local sent, err = self._link:send(REPLY, flags, id, 0, "", ...)
  if sent == nil then return self:reply_error(id, err) end
  self._open[id] = nil
end

--- Nobody has answered the synchronous question that the event is of, and nobody will.
function Peer:reply_unset(event)
  local id, channel = event[1], event[2]
  if self._open[id] ~= event then return end
  self:reply_error(id, ("no listener for '%s' set event.returnValue"):format(channel))
end

local function answer_outcome(self, id, promise, ok, ...)
  if not ok then return self:reply_error(id, (...), promises.traceback(promise)) end
  answer_values(self, self._codec, id, ...)
end

-- Callbacks of the link once the other side has greeted: by kind what receives packets, and what C
-- cannot do by itself. They raise nothing.
local callbacks = {
  --- JSON text of the values, or nil and why there is none.
  encode = function(...)
    return json.encode_list(...)
  end,
  reject_gone = reject_gone,
  raise_gone = raise_gone,
  raise_remote = raise_remote,
  answer_error = Peer.reply_error,
  answer_unset = Peer.reply_unset,
}

local function decoded(self, ok, ...)
  if ok then return true, ... end
  self:fail("bad JSON: " .. tostring((...)))
  return false
end

--- true and the values of JSON text; false for bad text, which is as bad as a bad packet.
function callbacks.decode(self, text)
  return decoded(self, pcall(json.decode_list, text))
end

--- The handler of the question `id` has raised.
function callbacks.answer_raised(self, id, err)
  self:reply_error(id, err, task.take_traceback())
end

--- It has returned what may be a promise, or like one: then the outcome answers.
function callbacks.answer_promise(self, id, ...)
  local promise = Promise.resolve(...)
  return answer_outcome(self, id, promise, promise:pawait())
end

--- The only listener to a synchronous question has raised.
function callbacks.uncaught(_, err)
  report.on_uncaught(err, task.take_traceback())
end

callbacks[MESSAGE] = function(self, flags, id, frame, channel, ...)
  if frame ~= 0 then return self:fail "a message of a frame that is not there" end
  if flags & INTERNAL == 0 then return self._owner:_on_message(id, frame, channel, ...) end
  local fn = self._owner._internal[channel]
  if fn then return fn(self._owner, ...) end
  self:fail "an unknown message of the runtime's own"
end

-- The link has seen that the number is in use, or beyond the limit, or of a frame.
local function refuse_question(self, id, frame)
  if frame ~= 0 then return self:fail "a question of a frame that is not there" end
  if self._open[id] then return self:fail "a question with the number of an open one" end
  self:fail "a question with a number beyond the limit"
end

-- That each question has a number of its own, up to a limit, bounds how many can be open.
local function is_bad_question(self, id, frame)
  return self._open[id] or frame ~= 0 or not self._link:is_number(id)
end

-- Answers of the runtime's own are clones, whatever the app's codec.
local function answer_internal(self, id, ok, ...)
  if not ok then return self:reply_error(id, (...), task.take_traceback()) end
  answer_values(self, INTERNAL, id, ...)
end

local function receive_request(self, id, channel, ...)
  local fn = self._owner._internal[channel]
  if not fn then return self:fail "an unknown question of the runtime's own" end
  self._open[id] = {}
  answer_internal(self, id, xpcall(fn, task.catch, self._owner, ...))
end

-- A question of the app's comes here when there is no handler for it.
callbacks[INVOKE] = function(self, flags, id, frame, channel, ...)
  if is_bad_question(self, id, frame) then return refuse_question(self, id, frame) end
  if flags & INTERNAL ~= 0 then return receive_request(self, id, channel, ...) end
  self._open[id] = {}
  self:reply_error(id, ("No handler registered for '%s'"):format(channel))
end

callbacks[SYNC] = function(self, flags, id, frame, channel, ...)
  if is_bad_question(self, id, frame) then return refuse_question(self, id, frame) end
  if flags & INTERNAL ~= 0 then return receive_request(self, id, channel, ...) end
  local event = setmetatable({ id, channel, self._link }, self._owner._routes.sync_event)
  self._open[id] = event
  self._owner:_on_sync(event, channel, ...)
end

callbacks[REPLY] = function(self, flags, id, _, _, ...)
  local promise = self._pending[id]
  if promise == nil then return self:fail "an answer that nobody waits for" end
  self._pending[id] = nil
  self._link:free_number(id)
  if not promise then return end
  if flags & ERROR == 0 then return promises.fulfil(promise, ...) end
  local _, channel = promises.question(promise)
  promises.reject(promise, remote_error(channel, (...)))
end

-- The handler goes on, and its answer, which the asker ignores, is sent: the question is open until
-- then, which bounds what can be under way here.
callbacks[CANCEL] = function(self, _, id)
  local question = self._open[id]
  if question and question._abort then question:_abort() end
end

callbacks[SEND_TO] = function(self, _, id, _, channel, ...)
  self._owner:_on_send_to(id, channel, ...)
end

for _, kind in ipairs { HELLO, BOOT } do
  callbacks[kind] = function(self)
    self:fail "a greeting once more"
  end
end

function callbacks.on_end(self, fault)
  if self._gone then return end
  if fault then report.warn(("closing the link to %s: it sent %s"):format(self._name, fault)) end
  self._owner:_on_gone(fault)
end

function callbacks.on_drained(self)
  local promise = self._drained
  self._drained = nil
  if promise then promises.fulfil(promise) end
end

-- The same until the other side has greeted.
local greet = {}

for kind, callback in pairs(callbacks) do
  greet[kind] = math.type(kind) and function(self)
    self:fail "something before its greeting"
  end or callback
end

greet[HELLO] = function(self, _, version)
  self._link:greeted(callbacks)
  if version ~= core_link.PROTOCOL_VERSION then
    self:fail(("the protocol version %d, not %d"):format(version, core_link.PROTOCOL_VERSION))
  end
end

greet[BOOT] = function(self, _, _, _, _, ...)
  self._link:greeted(callbacks)
  self._owner:_on_boot(...)
end

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
    if promise then promises.reject(promise, gone) end
  end
  if drained then promises.reject(drained, gone) end
  abort_all(open)
end

--- The other side broke the protocol: nothing more of it is read, and the link ends for that.
---@param fault string what it sent
function Peer:fail(fault)
  self._link:fail(fault)
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
  local link = core_link.new(self._role, self, greet, self._pending, self._open)
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

--- Makes ready what a renderer that is about to be started gets first: BOOT, which no limit of the
--- app's is for, goes ahead of what waits already.
---@param boot table what the renderer is told
---@return boolean, string?
function Peer:boot(boot)
  local queue = self._link
  self._link = new_link(self)
  local ok, err = self._link:send(BOOT, 0, 0, 0, "", boot)
  if ok ~= nil then
    self._link:limits(self._limits)
    self._link:take_queue(queue)
  end
  queue:close()
  return ok ~= nil, err
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

--- How many bytes were sent, in all.
---@return integer
function Peer:sent()
  return self._link:sent()
end

--- Blocks until everything is written, for ms at most.
function Peer:drain(ms)
  if not self._gone then self._link:drain(ms) end
end

--- Whether the link keeps the loop running, as it does at first.
---@param keep boolean
function Peer:ref(keep)
  if not self._gone then self._link:ref(keep) end
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
  self._cancel = make_canceller(self)
  self._link = new_link(self)
  return self
end

local function abandon(self, id, question)
  if self._open[id] ~= question then return end
  if question[2] then return self:reply_unset(question) end
  self:reply_error(id, "reply was never sent")
end

core.set_hooks {
  -- The task that answers the question `id` has suspended. Should it be collected, it is answered.
  suspended = function(self, id, co)
    local question = self._open[id]
    if question then guard(co, abandon, self, id, question) end
  end,
}

return Peer
