--- `app`: the app as a whole.
local import = ...
local app_info = import "main.app_info"
local arguments = import "common.arguments"
local core_os = import "core.os"
local json = import "common.json"
local lifecycle = import "main.lifecycle"
local command_line = import "main.command_line"
local paths = import "main.paths"
local report = import "common.report"
local task = import "common.task"

local check = arguments.check
local app = lifecycle.app

--- A promise for the app's being ready; also when asked later.
---@return Promise
function app.whenReady()
  return lifecycle.when_ready()
end

---@return boolean
function app.isReady()
  return lifecycle.is_ready()
end

--- Asks everybody by `before-quit`, `close` and `will-quit`, then ends the app.
function app.quit()
  lifecycle.quit()
end

--- Ends the app without asking.
---@param code integer?
function app.exit(code)
  arguments.not_colon("app.exit", app, code)
  check("app.exit", 1, code, "integer|nil")
  lifecycle.exit(code or 0)
end

local RELAUNCH_FIELDS = { args = { "table" }, execPath = { "string" } }

--- Starts another instance when this one has ended; does not end it. Each call starts one more.
---@param options {args: string[]?, execPath: string?}? args: behind the executable; by default as now
function app.relaunch(options)
  arguments.not_colon("app.relaunch", app, options)
  options = import("common.options").check("app.relaunch", options, RELAUNCH_FIELDS)
  local list = { options.execPath or core_os.exec_path() }
  local from = options.args or app_info.argv
  table.move(from, 1, #from, 2, list)
  lifecycle.relaunches[#lifecycle.relaunches + 1] = list
end

---@return string the app's folder
function app.getAppPath()
  return app_info.dir
end

---@return string from lunette.json, else the name of the folder or file
function app.getName()
  return app_info.name
end

---@return string from lunette.json, else "0.0.0"
function app.getVersion()
  return app_info.version
end

--- A folder by its name in Electron, such as "userData".
---@param name string
---@return string
function app.getPath(name)
  check("app.getPath", 1, name, "string")
  return paths.get(name, app_info.name)
end

local has_lock = false

local function on_second_instance(text)
  local ok, message = pcall(json.decode, text)
  if not ok or type(message) ~= "table" then return end
  lifecycle.when_ready():andThen(function()
    lifecycle.announce("second-instance", message.argv or {}, message.cwd or "", message.data)
  end)
end

--- Whether this is the only instance of the app. If not, the first one gets `second-instance`
--- (event, argv, cwd, data), and this one had better quit.
---@param data any? what JSON can carry
---@return boolean
function app.requestSingleInstanceLock(data)
  if has_lock then return true end
  local message = json.encode { argv = app_info.argv, cwd = core_os.cwd() or "", data = data }
  local first, err = core_os.instance_acquire(app_info.name .. ":" .. app_info.dir, message, function(text)
    task.start(on_second_instance, text)
  end)
  if first == nil then report.warn("app.requestSingleInstanceLock: " .. err) end
  has_lock = first ~= false
  return has_lock
end

--- Whether this instance holds the lock.
---@return boolean
function app.hasSingleInstanceLock()
  return has_lock
end

--- The switches and arguments behind the app on the command line.
app.commandLine = command_line

return app
