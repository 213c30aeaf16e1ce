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

--- The globals of what runs in this state; set by `open`.
---@type table
M.globals = nil

--- What a page reaches outside its state.
---@class PageHost
---@field console fun(level: string, text: string)
---@field find_module fun(name: string): string?, string see sandbox.lua
---@field close fun()
---@field alert fun(text: string)
---@field memory fun(): integer? bytes of this process, for a page with a sandbox
---@field exit fun(...) os.exit of a page without a sandbox

local function open_globals(options, host)
  local app_path = options.appPath
  package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(app_path, app_path, package.path)
  os.exit = host.exit
  if options.embedded then import("common.embedded").install() end
  return _G
end

--- Makes the globals of this state's page.
---@param options {sandbox: boolean, appPath: string, embedded: boolean?}
---@param host PageHost
---@param public fun(): table makes the table of `require "lunette"`
function M.open(options, host, public)
  coroutines.install()
  local globals = options.sandbox and sandbox.globals(host)
    or open_globals(options, host)
  own_require.install(globals, public)
  console.install(globals, host)
  process.page, process.is_blind = host, options.sandbox
  M.fire = window.install(globals, host)
  M.globals = globals
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
  local mode = options.sandbox and "t" or "bt"
  return load(script.source, chunk_name(options, script.path), mode, M.globals)
end

--- Runs a compiled script until it ends or first suspends. An error in it goes to `on_error`;
--- without one it is told on the console, like any that nobody caught.
---@param chunk function
---@param on_error? fun(err: any, traceback: string)
function M.run(chunk, on_error)
  task.start(function()
    local ok, err = xpcall(chunk, task.catch)
    if ok then return end
    local on = on_error or report.on_uncaught
    on(err, task.take_traceback())
  end)
end

return M
