--- What a message of a renderer becomes in main: which emitters get it, which handler answers.
---
--- In Electron's order: the web contents' `ipc-message` event, its own `ipc`, then ipcMain. All of
--- them get a message; the first that has a handler answers a question. The link does it itself
--- where one function is to be called; here is what is left.
local import = ...
local Emitter = import "common.emitter"
local core_link = import "core.link"
local events = import "common.event"
local guard = import "common.guard"
local ipc_main = import "main.ipc_main"
local report = import "common.report"
local task = import "common.task"

local M = {}
local each, fire = Emitter.each, Emitter.fire

-- The only frame of a page.
local FRAME <const> = 0

local function send_to_asker(event, channel, ...)
  local sent = event.sender:_send_to_frame("Event:reply", FRAME, channel, ...)
  return sent
end

-- The fields that every event of a renderer has; computed when they are read.
local function fields()
  return {
    sender = function(_, contents)
      return contents
    end,
    frameId = function()
      return FRAME
    end,
    processId = function(_, contents)
      return contents:_process_id()
    end,
    senderFrame = function(_, contents)
      return contents:_frame_object(FRAME)
    end,
    ports = function()
      return {}
    end,
  }
end

local event_class = events.kind(fields(), { reply = send_to_asker })
local sync_event_class =
  events.kind(fields(), { reply = send_to_asker }, core_link.return_value)

--- The routes of a web contents' peer.
function M.routes(contents)
  local ipc = contents.ipc
  return {
    handlers = { ipc._handlers.entries, ipc_main.handlers.entries },
    listeners = { Emitter.lists(ipc), Emitter.lists(ipc_main.emitter) },
    watchers = Emitter.lists(contents),
    event = event_class(contents),
    sync_event = sync_event_class(contents),
  }
end

--- A message: every emitter that listens to the channel gets it.
function M.message(contents, channel, ...)
  local event = setmetatable({}, contents._routes.event)
  fire(contents, "ipc-message", event, channel, ...)
  fire(contents.ipc, channel, event, ...)
  fire(ipc_main.emitter, channel, event, ...)
end

-- One less that could answer. Behind the last one the asker is told, instead of left hanging.
local function give_up(question)
  question.running = question.running - 1
  if question.running == 0 then question.peer:reply_unset(question.event) end
end

-- One listener's run, which ends once: when it returns or raises, or when its task is collected.
local function run_ended(run)
  if run.ended then return end
  run.ended = true
  give_up(run.question)
end

local function run_listener(listener, run, ...)
  local ok, err = xpcall(listener, task.catch, run.question.event, ...)
  if not ok then report.on_uncaught(err, task.take_traceback()) end
  run_ended(run)
end

local function start_listener(listener, question, ...)
  question.running = question.running + 1
  local run = { question = question, ended = false }
  local done, co = task.start(run_listener, listener, run, ...)
  if done == false then guard(co, run_ended, run) end
end

local function warn_unheard(contents, channel)
  local text = "WebContents #%d called ipcRenderer.sendSync() with '%s' channel without listeners."
  report.warn(text:format(contents.id, channel))
end

--- A question whose asker blocks: the first listener that sets event.returnValue answers.
function M.sync(contents, peer, event, channel, ...)
  local question = { peer = peer, event = event, running = 1 }
  local heard = each(start_listener, contents, "ipc-message-sync", question, channel, ...)
  heard = each(start_listener, contents.ipc, channel, question, ...) or heard
  heard = each(start_listener, ipc_main.emitter, channel, question, ...) or heard
  if heard then return give_up(question) end
  warn_unheard(contents, channel)
  peer:reply_error(event[1], ("no listener for '%s'"):format(channel))
end

return M
