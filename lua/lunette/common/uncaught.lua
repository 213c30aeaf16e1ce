--- The end of errors that nobody caught: the listeners of `lunette.process`, or a line.
local import = ...
local Emitter = import "common.emitter"
local process = import "common.process"
local report = import "common.report"
local task = import "common.task"

local emitter = process.emitter
local M = {}

-- Writes it where people look. A renderer sends it to main.
local function print_error(text)
  if process.page then return process.page.console("error", text) end
  report.warn(text, "error")
end

local function text_of(err, traceback)
  local text = report.describe(err)
  if not traceback or traceback == "" then return text end
  return text .. "\n" .. report.trace(traceback)
end

local function tell_uncaught(err, traceback)
  process.exit_code = 1
  print_error("uncaught error: " .. text_of(err, traceback))
end

-- An error of a listener for errors does not go to that listener again.
local function run_listener(fn, ...)
  local ok, err = xpcall(fn, task.catch, ...)
  if not ok then tell_uncaught(err, task.take_traceback()) end
end

local function start_listener(fn, ...)
  task.start(run_listener, fn, ...)
end

--- An error has left a task.
---@param err any
---@param traceback string
function M.on_uncaught(err, traceback)
  if not process.started then return report.warn(report.describe(err) .. "\n" .. traceback) end
  local was_heard = Emitter.each(start_listener, emitter, "uncaughtException", err, traceback)
  if not was_heard then tell_uncaught(err, traceback) end
end

--- Nobody has handled a rejection.
---@param reason any
---@param promise Promise
---@param traceback string? where it was rejected
function M.on_unhandled(reason, promise, traceback)
  if Emitter.fire(emitter, "unhandledRejection", reason, promise) then return end
  process.exit_code = 1
  print_error("unhandled rejection: " .. text_of(reason, traceback))
end

return M
