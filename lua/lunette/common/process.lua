--- `lunette.process` of every role, and the end of errors that nobody caught.
local import = ...
local Emitter = import "common.emitter"
local arguments = import "common.arguments"
local core_os = import "core.os"
local core_state = import "core.state"
local report = import "common.report"

local M = {}

local process = {}
local emitter = Emitter.bind(process, "process")
local started

M.process = process
M.emitter = emitter

--- What the process ends with unless the app says otherwise: 1 after an error that nobody caught.
M.exit_code = 0

--- Writes the text of an uncaught error where people look. A renderer sends it to main instead.
M.print_error = report.warn

--- Nanoseconds of a monotonic clock.
---@return integer
process.hrtime = core_os.hrtime

--- Seconds since this state began.
---@return number
function process.uptime()
  return (core_os.hrtime() - started) / 1e9
end

--- `heap` and `heapPeak` of this state, `rss` of the process, in bytes.
---@return {heap: integer, heapPeak: integer, rss: integer}
function process.memoryUsage()
  local heap, peak = core_state.heap()
  return { heap = heap, heapPeak = peak, rss = core_os.memory() }
end

-- What a sandboxed state does not have.
local function add_powers()
  --- The working directory.
  function process.cwd()
    return assert(core_os.cwd())
  end

  --- Changes the working directory.
  ---@param path string
  function process.chdir(path)
    arguments.check("process.chdir", 1, path, "string")
    local ok, err = core_os.chdir(path)
    if not ok then error("process.chdir: " .. err, 2) end
  end

  --- Sends a signal (default SIGTERM) to a process.
  ---@param pid integer
  ---@param signal string|integer?
  function process.kill(pid, signal)
    arguments.check("process.kill", 1, pid, "integer")
    arguments.check("process.kill", 2, signal, "string|integer|nil")
    local ok, err = core_os.kill(pid, signal or "SIGTERM")
    if not ok then error("process.kill: " .. err, 2) end
    return true
  end

  --- The environment: read and assigned like a table.
  process.env = setmetatable({}, {
    __index = function(_, name)
      return type(name) == "string" and core_os.getenv(name) or nil
    end,
    __newindex = function(_, name, value)
      arguments.check("process.env", 1, name, "string")
      assert(core_os.setenv(name, value ~= nil and tostring(value) or nil))
    end,
    __pairs = function()
      return pairs(core_os.environ())
    end,
  })
end

local function text_of(err, traceback)
  local text = report.describe(err)
  if not traceback or traceback == "" then return text end
  return text .. "\n" .. traceback
end

local function on_uncaught(err, traceback)
  if Emitter.fire(emitter, "uncaughtException", err, traceback) then return end
  M.exit_code = 1
  M.print_error("uncaught error: " .. text_of(err, traceback))
end

local function on_unhandled(reason, promise)
  if Emitter.fire(emitter, "unhandledRejection", reason, promise) then return end
  M.exit_code = 1
  M.print_error("unhandled rejection: " .. text_of(reason, promise._traceback))
end

--- Fills in what a role knows of itself: `type`, `sandboxed`, `contextIsolated`, `argv`.
---@param fields table
function M.setup(fields)
  started = core_os.hrtime()
  for name, value in pairs(fields) do
    process[name] = value
  end
  process.pid, process.platform, process.arch = core_os.pid(), core_os.platform, core_os.arch
  process.execPath = core_os.exec_path()
  process.versions = core_state.versions()
  if not fields.sandboxed then add_powers() end
  report.on_uncaught, report.on_unhandled = on_uncaught, on_unhandled
end

return M
