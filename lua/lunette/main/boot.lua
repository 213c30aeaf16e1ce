--- Boot of the main state: finds the app, makes its globals, runs its script.
local import = ...
local app_info = import "main.app_info"
local arguments = import "common.arguments"
local command_line = import "main.command_line"
local core_child = import "core.child"
local coroutines = import "common.coroutines"
local lifecycle = import "main.lifecycle"
local loop = import "core.loop"
local own_require = import "common.require"
local process = import "common.process"
local report = import "common.report"
local task = import "common.task"

local SIGINT <const>, SIGTERM <const> = 2, 15

local M = {}

-- Ends the process where it stands, after the events of an exit.
local raw_exit = os.exit
local function exit(code)
  arguments.check("os.exit", 1, code, "integer|boolean|nil")
  if code == nil or code == true then code = 0 end
  lifecycle.exit(code or 1)
  if lifecycle.lock then lifecycle.lock:close() end
  for _, line in ipairs(lifecycle.relaunches) do
    core_child.relaunch(line[1], table.move(line, 2, #line, 1, {}))
  end
  raw_exit(lifecycle.exit_code)
end

local function set_globals()
  coroutines.install()
  own_require.install(_G)
  os.exit = exit
  local dir = app_info.dir
  package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(dir, dir, package.path)
  package.preload.lunette = function()
    return import "main.init"
  end
  local argv = process.process.argv
  arg = table.move(argv, 2, #argv, 1, { [0] = argv[1] or argv[0] })
end

-- An error in the main script, before anybody could have listened, ends the app.
local function run_script(chunk, ...)
  local ok, err = xpcall(chunk, task.catch, ...)
  if ok then return end
  report.on_uncaught(err, task.take_traceback())
  if process.exit_code ~= 0 then lifecycle.exit(process.exit_code) end
end

local function load_script(options)
  if options.code then return load(options.code, "=(command line)") end
  return loadfile(app_info.script)
end

local function watch_signals()
  for _, signal in ipairs { SIGINT, SIGTERM } do
    loop.signal(signal, lifecycle.quit)
  end
end

--- Runs the app. `options`: argv (0 the executable, 1 the app), app or code, signals (whether
--- SIGINT and SIGTERM quit). Returns nil and a message when there is no such app.
function M.run(options)
  app_info.argv = options.argv
  if options.code then
    app_info.use_code(options.code)
  else
    local ok, err = app_info.find(options.app)
    if not ok then return nil, err end
  end
  process.setup({ type = "browser", sandboxed = false, argv = options.argv }, true)
  command_line.parse(options.argv)
  set_globals()
  if options.signals then watch_signals() end
  local chunk, err = load_script(options)
  if not chunk then
    report.warn(err)
    process.exit_code = 1
    return true
  end
  import "main.browser_window"
  task.start(run_script, chunk, table.unpack(options.argv, 2))
  task.enqueue(lifecycle.set_ready)
  return true
end

--- The loop has ended. The exit status, and the command lines to start now.
---@return integer, string[][]
function M.conclude()
  return lifecycle.conclude(), lifecycle.relaunches
end

return M
