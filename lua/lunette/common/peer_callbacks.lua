--- What a link calls in Lua: by kind what receives packets, by name what C cannot do by itself.
--- They raise nothing.
local import = ...
local Peer = import "common.peer"
local core_link = import "core.link"
local guard = import "common.guard"
local json = import("core.lazy").module "common.json"
local promises = import "common.promise"
local report = import "common.report"
local task = import "common.task"

local SEND_TO <const> = core_link.SEND_TO
local INVOKE <const>, SYNC <const> = core_link.INVOKE, core_link.SYNC
local REPLY <const>, CANCEL <const> = core_link.REPLY, core_link.CANCEL
local ERROR <const>, INTERNAL <const> = core_link.FLAG_ERROR, core_link.FLAG_INTERNAL

local Promise = promises.Promise

-- Answers with the values, or with why one of them cannot be sent.
local function answer_values(self, flags, id, ...)
  if not self._open[id] then return end
  local sent, err = self._link:send(REPLY, flags, id, 0, "", ...)
  if sent == nil then return self:reply_error(id, err) end
  self._open[id] = nil
end

local function answer_outcome(self, id, promise, ok, ...)
  if not ok then return self:reply_error(id, (...), promises.traceback(promise)) end
  answer_values(self, self._codec, id, ...)
end

local callbacks = {
  --- JSON text of the values, or nil and why there is none.
  encode = function(...)
    return json.encode_list(...)
  end,
  reject_gone = Peer.reject_gone,
  raise_gone = Peer.raise_gone,
  raise_remote = Peer.raise_remote,
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
  promises.reject(promise, Peer.remote_error(channel, (...)))
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

--- The link has ended for what the other side sent.
function callbacks.on_fault(self, fault)
  report.warn(("closing the link to %s: it sent %s"):format(self._name, fault))
end

function callbacks.on_drained(self)
  local promise = self._drained
  self._drained = nil
  if promise then promises.fulfil(promise) end
end

local function abandon(self, id, question)
  if self._open[id] ~= question then return end
  if question[2] then return self:reply_unset(question) end
  self:reply_error(id, "reply was never sent")
end

-- The task that answers the question `id` has suspended. Should it be collected, it is answered.
function callbacks.suspended(self, id, co)
  local question = self._open[id]
  if question then guard(co, abandon, self, id, question) end
end

return callbacks
