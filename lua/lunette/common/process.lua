--- `lunette.process` of every role, and the end of errors that nobody caught.
local import = ...
local Emitter = import "common.emitter"
local core_os = import "core.os"
local core_state = import "core.state"
local dotted = import "common.dotted"
local report = import "common.report"
local task = import "common.task"

local M = {}

local process = {}
local emitter = Emitter.bind(process, "process")
local started

--- Whether the process is a program that hosts the app.
M.is_embedded = false

M.process = process
M.emitter = emitter

--- What the process ends with unless the app says otherwise: 1 after an error that nobody caught.
M.exit_code = 0

--- Writes the text of an uncaught error where people look. A renderer sends it to main instead.
function M.print_error(text)
  report.warn(text, "error")
end

--- Bytes of this process in main memory, or nil. A sandboxed process cannot look: it asks main.
M.resident_memory = core_os.memory

--- The environment of a state that has a copy, which only it changes: of a page on a thread, and of
--- an app inside a program, whose own it is not; else nil.
---@type table<string, string>?
M.own_env = nil

-- Where the public functions are written.
local F = {}

--- Nanoseconds of a monotonic clock.
---@return integer
function F.hrtime()
  return core_os.hrtime()
end

--- Seconds since this state began.
---@return number
function F.uptime()
  return (core_os.hrtime() - started) / 1e9
end

--- `heap` and `heapPeak` of this state, `rss` of the process, in bytes.
---@return {heap: integer, heapPeak: integer, rss: integer}
function F.memoryUsage()
  local heap, peak = core_state.heap()
  return { heap = heap, heapPeak = peak, rss = (M.resident_memory()) }
end

for name, fn in pairs(F) do
  F[name] = dotted("process", name, fn)
end

local function text_of(err, traceback)
  local text = report.describe(err)
  if not traceback or traceback == "" then return text end
  return text .. "\n" .. report.trace(traceback)
end

local function tell_uncaught(err, traceback)
  M.exit_code = 1
  M.print_error("uncaught error: " .. text_of(err, traceback))
end

-- An error of a listener for errors does not go to that listener again.
local function run_listener(fn, ...)
  local ok, err = xpcall(fn, task.catch, ...)
  if not ok then tell_uncaught(err, task.take_traceback()) end
end

local function start_listener(fn, ...)
  task.start(run_listener, fn, ...)
end

local function on_uncaught(err, traceback)
  local was_heard = Emitter.each(start_listener, emitter, "uncaughtException", err, traceback)
  if not was_heard then tell_uncaught(err, traceback) end
end

local function on_unhandled(reason, promise, traceback)
  if Emitter.fire(emitter, "unhandledRejection", reason, promise) then return end
  M.exit_code = 1
  M.print_error("unhandled rejection: " .. text_of(reason, traceback))
end

-- Looked up at once: a sandboxed process cannot any more.
local exec_path = core_os.exec_path()

--- Fills in what a role knows of itself: `type`, `sandboxed`, `contextIsolated`, `argv`; and `env`,
--- for one that has an environment of its own.
---@param fields table
---@param has_powers boolean over this process and others
function M.setup(fields, has_powers)
  started = core_os.hrtime()
  for name, value in pairs(fields) do
    process[name] = value
  end
  process.contextIsolated = fields.contextIsolated or false
  process.pid, process.platform, process.arch = core_os.pid(), core_os.platform, core_os.arch
  process.execPath = exec_path
  process.versions = core_state.versions()
  for name, fn in pairs(F) do
    process[name] = fn
  end
  for name, fn in pairs(has_powers and import "common.process_powers" or {}) do
    process[name] = dotted("process", name, fn)
  end
  M.own_env = fields.env
  if has_powers and not fields.env then process.env = import "common.environment" end
  if fields.env then
    local check = import("common.arguments").check
    rawset(os, "getenv", function(name)
      check("os.getenv", 1, name, "string")
      return fields.env[name]
    end)
  end
  report.on_uncaught, report.on_unhandled = on_uncaught, on_unhandled
end

return M
