--- `app`: the app as a whole.
local import = ...
local app_info = import "main.app_info"
local arguments = import "common.arguments"
local clone = import "core.clone"
local command_line = import "main.command_line"
local core_os = import "core.os"
local lifecycle = import "main.lifecycle"
local options_of = import "common.options"
local paths = import "main.paths"
local report = import "common.report"

local check = arguments.check
local app = lifecycle.app

-- Every function of app is called with a dot.
local function not_colon(name, first)
  arguments.not_colon("app." .. name, app, first, 3)
end

--- A promise for the app's being ready; also when asked later.
---@return Promise
function app.whenReady(...)
  not_colon("whenReady", (...))
  return lifecycle.when_ready()
end

---@return boolean
function app.isReady(...)
  not_colon("isReady", (...))
  return lifecycle.is_ready()
end

--- Asks everybody by `before-quit`, `close` and `will-quit`, then ends the app.
function app.quit(...)
  not_colon("quit", (...))
  lifecycle.quit()
end

--- Ends the app without asking.
---@param code integer?
function app.exit(code)
  not_colon("exit", code)
  check("app.exit", 1, code, "integer|nil")
  lifecycle.exit(code or 0)
end

local RELAUNCH_FIELDS = { args = { "table" }, execPath = { "string" } }

-- Why it cannot stand on a command line, or nil.
local function fault_of_word(word)
  if type(word) ~= "string" then return "must be a string, got " .. type(word) end
  return word:find("\0", 1, true) and "has a zero byte"
end

--- Starts another instance when this one has ended; does not end it. Each call starts one more.
---@param options {args: string[]?, execPath: string?}? args: behind the executable; those of this
---instance by default
function app.relaunch(options)
  not_colon("relaunch", options)
  options = options_of.check("app.relaunch", options, RELAUNCH_FIELDS)
  local args = options.args or app_info.command()
  local line = { options.execPath or core_os.exec_path() }
  table.move(args, 1, #args, 2, line)
  for i, word in ipairs(line) do
    local fault = fault_of_word(word)
    local name = i == 1 and "execPath" or ("args[%d]"):format(i - 1)
    if fault then error(("app.relaunch: option '%s' %s"):format(name, fault), 2) end
  end
  lifecycle.relaunches[#lifecycle.relaunches + 1] = line
end

---@return string the app's folder
function app.getAppPath(...)
  not_colon("getAppPath", (...))
  return app_info.dir
end

---@return string from lunette.json, else the name of the folder or file
function app.getName(...)
  not_colon("getName", (...))
  return app_info.name
end

---@return string from lunette.json, else "0.0.0"
function app.getVersion(...)
  not_colon("getVersion", (...))
  return app_info.version
end

--- A folder by its name in Electron, such as "userData".
---@param name string
---@return string
function app.getPath(name)
  not_colon("getPath", name)
  check("app.getPath", 1, name, "string")
  return paths.get(name, app_info.name)
end

-- A later instance has left `bytes`; anybody of this user may have.
local function on_second_instance(bytes)
  local argv, cwd, data = clone.decode(bytes)
  if type(argv) ~= "table" or type(cwd) ~= "string" or type(data) ~= "string" then return end
  lifecycle.when_ready():andThen(function()
    lifecycle.announce("second-instance", argv, cwd, (clone.decode(data)))
  end)
end

---@param data string encoded
local function acquire(data)
  local id = app_info.name .. ":" .. app_info.dir
  local message = clone.encode(app_info.argv, core_os.cwd() or "", data)
  return core_os.instance_acquire(id, message, on_second_instance)
end

--- Whether this is the only instance of the app. If not, the first one gets `second-instance`
--- (event, argv, cwd, data), and this one had better quit.
---@param data any? what can be sent; dropped when it is larger than 32 MiB
---@return boolean
function app.requestSingleInstanceLock(data)
  not_colon("requestSingleInstanceLock", data)
  if lifecycle.lock then return true end
  local ok, bytes = pcall(clone.encode, data)
  if not ok then error("app.requestSingleInstanceLock: " .. bytes, 2) end
  local first, lock, code = acquire(bytes)
  if code == "E2BIG" then
    report.warn "app.requestSingleInstanceLock: the data is larger than 32 MiB and is dropped"
    first, lock = acquire(clone.encode())
  end
  if first == nil then
    report.warn("app.requestSingleInstanceLock: " .. lock)
    return true
  end
  lifecycle.lock = first and lock or nil
  return first
end

--- The switches and arguments behind the app on the command line.
app.commandLine = command_line

return app
