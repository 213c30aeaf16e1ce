--- The methods of a peer that an idle page does not need.
local import = ...
local core_link = import "core.link"
local lazy = import "core.lazy"
local promises = import "common.promise"

local errors = lazy.module "common.errors"

local BOOT <const>, MESSAGE <const>, SEND_TO <const> =
  core_link.BOOT, core_link.MESSAGE, core_link.SEND_TO
local CANCEL <const>, REPLY <const> = core_link.CANCEL, core_link.REPLY
local ERROR <const>, INTERNAL <const> = core_link.FLAG_ERROR, core_link.FLAG_INTERNAL

local Promise, pending = promises.Promise, promises.pending
local M = {}

--- Sends a message to a frame. Returns true, or false when too much waits or the other side has
--- gone. Raises at the caller's caller when a value cannot be sent: call it from the public
--- function itself, not in a tail call.
---@return boolean
function M:send(frame, channel, ...)
  local ok, err = self._link:send(MESSAGE, self._codec, 0, frame, channel, ...)
  if ok == nil then error(err, 3) end
  return ok
end

--- Passes on what the web contents `sender_id` sends, always as a clone: its codec may be another.
--- Returns what link:send does.
function M:pass_on(sender_id, channel, ...)
  return self._link:send(MESSAGE, 0, sender_id, 0, channel, ...)
end

--- Sends a message to the web contents `id`, through main. Raises like `send`.
function M:send_to(id, channel, ...)
  local ok, err = self._link:send(SEND_TO, self._codec, id, 0, channel, ...)
  if ok == nil then error(err, 3) end
  return ok
end

local function reject_gone(self)
  return Promise.reject(errors.PeerGoneError(self._gone))
end

--- What asks when the other side has gone: a rejected promise.
M.reject_gone = reject_gone

--- A promise of the peer's was cancelled.
function M:cancel_question(promise)
  local id = promises.question(promise)
  if self._pending[id] ~= promise then return end
  self._pending[id] = false
  self._link:send(CANCEL, 0, id, 0, "")
end

local function ask(self, flags, channel, ...)
  local promise, err = self._link:ask(flags, channel, ...)
  if promise == nil then error(err, 3) end
  return promise or reject_gone(self)
end

--- Asks a question of the app's; a promise for its answer, whose cancelling tells the other side.
--- Raises like `send`.
---@return Promise
function M:ask(channel, ...)
  return ask(self, self._codec, channel, ...)
end

--- Asks a question of the runtime's own; a promise for its answer.
---@return Promise
function M:request(channel, ...)
  return ask(self, INTERNAL, channel, ...)
end

--- The error that the other side answered with. A hostile peer may send anything.
---@return any
function M.remote_error(channel, wire)
  return errors.from_wire(channel, type(wire) == "table" and wire or { message = tostring(wire) })
end

--- Raises it.
function M:raise_remote(channel, wire)
  error(M.remote_error(channel, wire), 0)
end

--- What asks and blocks raises when the other side has gone.
function M:raise_gone()
  error(errors.PeerGoneError(self._gone or "main has gone"), 0)
end

local function sync_outcome(self, channel, flags, ...)
  if flags == nil then error((...), 3) end
  if not flags then self:raise_gone() end
  if flags & ERROR ~= 0 then self:raise_remote(channel, (...)) end
  return ...
end

--- Asks a question of the runtime's own and blocks until the answer is here. Raises its error.
function M:request_sync(channel, ...)
  return sync_outcome(self, channel, self._link:ask_sync(INTERNAL, channel, ...))
end

--- Answers the question `id` with an error, whatever the value is. Nothing happens when it was
--- answered, or the asker has gone.
---@param err any
---@param traceback string?
function M:reply_error(id, err, traceback)
  if not self._open[id] then return end
  self._open[id] = nil
  local link = self._link
  local sent, why = link:send(REPLY, ERROR, id, 0, "", errors.to_wire(err, traceback))
  if sent == nil then link:send(REPLY, ERROR, id, 0, "", errors.to_wire(why)) end
end

--- Nobody has answered the synchronous question that the event is of, and nobody will.
function M:reply_unset(event)
  local id, channel = event[1], event[2]
  if self._open[id] ~= event then return end
  self:reply_error(id, ("no listener for '%s' set event.returnValue"):format(channel))
end

local function abort_all(questions)
  for _, question in pairs(questions) do
    if question._abort then question:_abort() end
  end
end

--- The link has ended: rejects what waits for the other side.
function M:settle_gone()
  local questions, open, drained = self._pending, self._open, self._drained
  self._pending, self._open, self._drained = {}, {}, nil
  local gone = errors.PeerGoneError(self._gone)
  for _, promise in pairs(questions) do
    if promise then promises.reject(promise, gone) end
  end
  if drained then promises.reject(drained, gone) end
  abort_all(open)
end

--- A promise that fulfils when fewer bytes than the high-water mark wait.
---@return Promise
function M:drained()
  if self._gone then return Promise.reject(errors.PeerGoneError(self._gone)) end
  if not self._link:is_full() then return Promise.resolve() end
  if not self._drained or self._drained:status() ~= "pending" then self._drained = pending() end
  return self._drained
end

--- Makes ready what a renderer that is about to be started gets first: BOOT, which no limit of the
--- app's is for, goes ahead of what waits already.
---@param boot table what the renderer is told
---@return boolean, string?
function M:boot(boot)
  local queue = self._link
  self._link = self:new_link()
  local ok, err = self._link:send(BOOT, 0, 0, 0, "", boot)
  if ok ~= nil then
    self._link:limits(self._limits)
    self._link:take_queue(queue)
  end
  queue:close()
  return ok ~= nil, err
end

--- How many bytes were sent, in all.
---@return integer
function M:sent()
  return self._link:sent()
end

--- Blocks until everything is written, for ms at most.
function M:drain(ms)
  if not self._gone then self._link:drain(ms) end
end

--- Whether the link keeps the loop running, as it does at first.
---@param keep boolean
function M:ref(keep)
  if not self._gone then self._link:ref(keep) end
end

return M
