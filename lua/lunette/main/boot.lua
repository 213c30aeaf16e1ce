--- Boot of the main state: finds the app, makes its globals, runs its script.
local import = ...
local app_files = import "main.app_files"
local app_info = import "main.app_info"
local arguments = import "common.arguments"
local command_line = import "main.command_line"
local core_child = import "core.child"
local core_os = import "core.os"
local coroutines = import "common.coroutines"
local executable = import "main.executable"
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

local function set_globals(options)
  coroutines.install()
  own_require.install(_G)
  if options.embedded then
    import("main.embedded").install()
  else
    os.exit = exit
  end
  app_files.add_searcher(package)
  local dir = app_info.dir
  package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(dir, dir, package.path)
  package.preload.lunette = function()
    return import "main.init"
  end
  local argv = process.process.argv
  arg = table.move(argv, 2, #argv, 1, { [0] = argv[1] or argv[0] })
end

-- What the main script raised before it first suspended: the program that hosts us is told.
local failure

-- The coroutine of the main script, as long as that runs or awaits.
local script

-- An error in the main script, before anybody could have listened, ends the app.
local function run_script(chunk, is_embedded, ...)
  script = not is_embedded and coroutines.raw.running()
  local ok, err = xpcall(chunk, task.catch, ...)
  script = nil
  if ok then return end
  if is_embedded and not lifecycle.is_ready() then
    failure = report.describe(err) .. "\n" .. task.take_traceback()
    return
  end
  report.on_uncaught(err, task.take_traceback())
  if process.exit_code ~= 0 then lifecycle.exit(process.exit_code) end
end

local function load_script(options)
  if options.code then
    return load(options.code, options.embedded and "=(code)" or "=(command line)")
  end
  if not app_info.script then return function() end end
  local text = app_files.in_memory(app_info.script)
  if text then return load(text, "@" .. app_info.script, "t") end
  return loadfile(app_info.script)
end

-- Finds out what the app is. Returns nil and a message when there is none.
local function find_app(options)
  app_files.use(options.files or {})
  if options.app then return app_info.find(options.app, options.files) end
  if options.code or not options.embedded then
    app_info.use_code(options.code)
  else
    app_info.use_memory(options.files or {})
  end
  return true
end

local function run_embedded(chunk, argv)
  import("main.engine").start()
  task.start(run_script, chunk, true, table.unpack(argv, 2))
  task.enqueue(lifecycle.set_ready)
  if failure then return nil, failure end
  return true
end

local function watch_signals()
  for _, signal in ipairs { SIGINT, SIGTERM } do
    loop.signal(signal, lifecycle.quit)
  end
end

-- The runtime's own commands, by name.
local COMMANDS <const> = { test = "test.command" }

-- The executable was given neither an app nor code: what its command line begins with is a command.
local function run_command(options)
  app_info.argv = options.argv
  import(COMMANDS[options.argv[1]]).start(options.argv)
  return true
end

--- Runs the app. `options`: argv (0 the executable, 1 the app), app or code, files (path to text),
--- embedded (whether the process is somebody else's), executable (of renderers), stop_signal (of
--- renderers on threads; 0: none). Returns nil and a message when there is no such app; embedded,
--- also when its script fails.
function M.run(options)
  local is_command = not (options.embedded or options.app or options.code)
  if is_command then return run_command(options) end
  app_info.argv, app_info.stop_signal = options.argv, options.stop_signal
  executable.choose(options.executable)
  local ok, no_app = find_app(options)
  if not ok then return nil, no_app end
  process.setup({
    type = "browser",
    sandboxed = false,
    argv = options.argv,
    env = options.embedded and core_os.environ() or nil,
  }, true)
  command_line.parse(options.argv)
  set_globals(options)
  if not options.embedded then
    watch_signals()
    if core_os.getenv "LUNETTE_TEST_LINK" then import("test.agent").start() end
  end
  local chunk, err = load_script(options)
  if not chunk and options.embedded then return nil, err end
  if not chunk then
    report.warn(err)
    process.exit_code = 1
    return true
  end
  import "main.browser_window"
  if options.embedded then return run_embedded(chunk, options.argv) end
  task.start(run_script, chunk, false, table.unpack(options.argv, 2))
  task.enqueue(lifecycle.set_ready)
  return true
end

-- Nothing is left to wait for, and still the main script waits: it would end half-way, unseen.
local function tell_unsettled()
  if not script or lifecycle.exit_code then return end
  process.exit_code = 1
  local trace = report.trace(debug.traceback(script))
  report.warn("the main script awaits what can no longer happen\n" .. trace, "error")
end

--- The loop has ended. The exit status, and the command lines to start now.
---@return integer, string[][]
function M.conclude()
  tell_unsettled()
  return lifecycle.conclude(), lifecycle.relaunches
end

return M
