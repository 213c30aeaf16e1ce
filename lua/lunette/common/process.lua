--- `lunette.process` of every role.
local import = ...
local Emitter = import "common.emitter"
local core_os = import "core.os"
local lazy = import "core.lazy"

local M = {}

local process = {}

--- Whether the process is a program that hosts the app.
M.is_embedded = false

M.process = process
M.emitter = Emitter.bind(process, "process")

lazy.fields(process, "hrtime memoryUsage uptime versions", "common.process_functions")

--- When this state began, by the monotonic clock; nil before `setup`.
---@type integer?
M.started = nil

--- What the process ends with unless the app says otherwise: 1 after an error that nobody caught.
M.exit_code = 0

--- Of a page, what it reaches outside its state: its uncaught errors are told there.
---@type PageHost?
M.page = nil

--- Whether the page cannot look at its own process, and asks main.
M.is_blind = false

--- The environment of a state that has a copy, which only it changes: of a page on a thread, and of
--- an app inside a program, whose own it is not; else nil.
---@type table<string, string>?
M.own_env = nil

-- Looked up at once: a sandboxed process cannot any more.
local exec_path = core_os.exec_path()

--- Fills in what a role knows of itself: `type`, `sandboxed`, `contextIsolated`, `argv`; and `env`,
--- for one that has an environment of its own.
---@param fields table
---@param has_powers boolean over this process and others
function M.setup(fields, has_powers)
  M.started = core_os.hrtime()
  for name, value in pairs(fields) do
    process[name] = value
  end
  process.contextIsolated = fields.contextIsolated or false
  process.pid, process.platform, process.arch = core_os.pid(), core_os.platform, core_os.arch
  process.execPath = exec_path
  for name, fn in pairs(has_powers and import "common.process_powers" or {}) do
    process[name] = import "common.dotted"("process", name, fn)
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
end

return M
