--- Running a page, or a preload script, in this state: its globals, its code, its load event.
local import = ...
local console = import "renderer.console"
local coroutines = import "common.coroutines"
local own_require = import "common.require"
local process = import "common.process"
local report = import "common.report"
local sandbox = import "renderer.sandbox"
local task = import "common.task"
local window = import "renderer.window"

local M = {}

--- Makes this state's globals. `host` has console(level, text), find_module(name), close(), alert(text);
--- `public` makes the table of `require "lunette"`.
function M.set_globals(options, host, public)
  coroutines.install()
  own_require.install()
  console.install(host.console)
  process.print_error = function(text)
    host.console("error", text)
  end
  if options.sandbox then
    sandbox.install(host.find_module)
  else
    sandbox.install_open(options.appPath)
  end
  package.preload.lunette = public
  M.fire = window.install(host)
end

-- Chunk names are relative to the app, so that errors read well.
local function chunk_name(options, path)
  local prefix = options.appPath .. "/"
  if path:sub(1, #prefix) == prefix then return "@" .. path:sub(#prefix + 1) end
  return "@" .. path
end

--- Compiles a script of the app.
---@return function?, string?
function M.compile(options, script)
  return load(script.source, chunk_name(options, script.path), options.sandbox and "t" or "bt")
end

local function run(chunk)
  local ok, err = xpcall(chunk, task.catch)
  if not ok then report.on_uncaught(err, task.take_traceback()) end
end

--- Runs a compiled script until it ends or first suspends; an error in it is told on the console.
function M.run(chunk)
  task.start(run, chunk)
end

--- Runs code for `executeLua`; returns its results.
function M.execute(code)
  local chunk, err = load(code, "=(executeLua)", "t")
  if not chunk then error(err, 0) end
  return chunk()
end

return M
