--- What a message of a renderer becomes in main: which emitters get it, which handler answers.
---
--- In Electron's order: the web contents' `ipc-message` event, its own `ipc`, then ipcMain. All of
--- them get a message; the first that has a handler answers a question.
local import = ...
local Emitter = import "common.emitter"
local events = import "common.event"
local guard = import "common.guard"
local ipc_main = import "main.ipc_main"
local report = import "common.report"
local task = import "common.task"

local M = {}
local each, fire, take_first = Emitter.each, Emitter.fire, import("common.handlers").take_first

local function send_to_asker(event, channel, ...)
  local sent = event.sender:_send_to_frame("Event:reply", event._frame, channel, ...)
  return sent
end

-- The fields that every event of a renderer has; computed when they are read.
local function sender_fields()
  return {
    frameId = function(event)
      return event._frame
    end,
    processId = function(event)
      return event.sender:_process_id()
    end,
    senderFrame = function(event)
      return event.sender:_frame_object(event._frame)
    end,
    ports = function()
      return {}
    end,
  }
end

local InvokeEvent = events.class(sender_fields(), { reply = send_to_asker })
local MessageEvent = events.class(sender_fields(), { reply = send_to_asker })

local function answer_sync(event, value)
  if event._answered then return end
  local ok, err = event._peer:reply(event._id, value)
  if ok == nil then error(err, 3) end
  event._answered = true
end

local function assign(event, key, value)
  if key == "returnValue" then
    answer_sync(event, value)
  else
    rawset(event, key, value)
  end
end

local SyncEvent = events.class(sender_fields(), { reply = send_to_asker }, assign)

--- A message: every emitter that listens to the channel gets it.
function M.message(contents, frame, channel, ...)
  local event = setmetatable({ sender = contents, _frame = frame }, MessageEvent)
  fire(contents, "ipc-message", event, channel, ...)
  fire(contents.ipc, channel, event, ...)
  fire(ipc_main.emitter, channel, event, ...)
end

--- The handler for a question, and the event to give it; nil when there is none.
function M.find_handler(contents, frame, channel)
  local handler = take_first(contents.ipc._handlers, ipc_main.handlers, channel)
  if not handler then return nil end
  return handler, setmetatable({ sender = contents, _frame = frame }, InvokeEvent)
end

-- One less that could answer a synchronous question. Behind the last one the asker is told, instead
-- of left hanging.
local function give_up(event)
  event._running = event._running - 1
  if event._running > 0 or event._answered then return end
  event._answered = true
  local text = "no listener for '%s' set event.returnValue"
  event._peer:reply_error(event._id, text:format(event._channel))
end

-- One listener's run, which ends once: when it returns or raises, or when its task is collected.
local function run_ended(run)
  if run.ended then return end
  run.ended = true
  give_up(run.event)
end

local function run_listener(listener, run, event, ...)
  local ok, err = xpcall(listener, task.catch, event, ...)
  if not ok then report.on_uncaught(err, task.take_traceback()) end
  run_ended(run)
end

local function start_listener(listener, event, ...)
  event._running = event._running + 1
  local run = { event = event, ended = false }
  local done, co = task.start(run_listener, listener, run, event, ...)
  if done == false then guard(co, run_ended, run) end
end

local function refuse_unheard(contents, event)
  local text = "WebContents #%d called ipcRenderer.sendSync() with '%s' channel without listeners."
  report.warn(text:format(contents.id, event._channel))
  event._answered = true
  event._peer:reply_error(event._id, ("no listener for '%s'"):format(event._channel))
end

--- A question whose asker blocks: the first listener that sets event.returnValue answers.
function M.sync(contents, peer, id, frame, channel, ...)
  -- All fields are there from the start: assigning a new one is what __newindex is for.
  local event = setmetatable({
    sender = contents,
    _frame = frame,
    _peer = peer,
    _id = id,
    _channel = channel,
    _running = 1,
    _answered = false,
  }, SyncEvent)
  local heard = each(start_listener, contents, "ipc-message-sync", event, channel, ...)
  heard = each(start_listener, contents.ipc, channel, event, ...) or heard
  heard = each(start_listener, ipc_main.emitter, channel, event, ...) or heard
  if not heard then return refuse_unheard(contents, event) end
  give_up(event)
end

return M
