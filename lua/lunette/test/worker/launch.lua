--- `launch` of `require "lunette.test"`: starts an app under test, and gives a handle to it.
local import = ...
local Peer = import "common.peer"
local arguments = import "common.arguments"
local core_os = import "core.os"
local promises = import "common.promise"

local TIMEOUT_MS <const> = 20000
local POLL_MS <const> = 5
local AGENT_FD <const> = 3 -- where the app finds its end of the link

---@class LaunchOptions
---@field args string[]? that follow the app on its command line
---@field env table<string, string|false>? on top of ours; false: not there
---@field cwd string?
---@field timeout integer? milliseconds that each wait takes at most: 20 s unless said
---@field program string? that embeds Lunette and runs the app: it can only be watched from outside

---@class App
---@field pid integer
local App = { __name = "App" }
App.__index = App

---@class AppWindow
---@field id integer
---@field title string
---@field url string
---@field visible boolean
---@field loading boolean
---@field pid integer of the renderer
local Window = { __name = "AppWindow" }
Window.__index = Window

local check_self = arguments.check_self

-- Apps that have not ended.
local running = {}

-- A complaint has what the app has printed.
local function late(self, what)
  local text = "%s: not in %d ms, or before its end; the app's output:\n%s\nits standard error:\n%s"
  return text:format(what, self._timeout, self:output())
end

local function check_in_time(self, what, ok, ...)
  if ok then return ... end
  local err = ...
  local is_late = type(err) == "table" and err.name == "TimeoutError"
  error(is_late and late(self, what) or err, 0)
end

local function await(self, promise, what)
  return check_in_time(self, what, promise:timeout(self._timeout):pawait())
end

local function environment(uv, options)
  local list, variables = {}, uv.os_environ()
  if not options.program then variables.LUNETTE_TEST_LINK = tostring(AGENT_FD) end
  for name, value in pairs(options.env or {}) do
    variables[name] = value
  end
  for name, value in pairs(variables) do
    if value then list[#list + 1] = name .. "=" .. value end
  end
  return list
end

local function read_all(pipe, into)
  local promise = promises.pending()
  pipe:read_start(function(err, text)
    if text then
      into[#into + 1] = text
      return
    end
    pipe:close()
    promises.fulfil(promise, err)
  end)
  return promise
end

local function connect(self, fd)
  local owner = { _routes = { handlers = {}, listeners = {} }, _internal = {} }
  function owner._on_gone()
    self._peer:close "the app has ended"
  end
  self._peer = Peer.new("main", owner, "an app under test")
  assert(self._peer:boot {})
  assert(self._peer:connect(fd))
end

-- What can ask the app, which knows of us.
local function peer_of(self)
  return self._peer or error("the app is run by another program, which cannot be asked", 3)
end

local function spawn(self, uv, app, options)
  local args = table.move(options.args or {}, 1, #(options.args or {}), 2, { app })
  local stdout, stderr = uv.new_pipe(false), uv.new_pipe(false)
  local pair = options.program and {} or assert(uv.socketpair())
  self._ended = promises.pending()
  local process
  process, self.pid = uv.spawn(options.program or core_os.exec_path(), {
    args = args,
    env = environment(uv, options),
    cwd = options.cwd,
    stdio = { nil, stdout, stderr, pair[2] },
  }, function(code, signal)
    process:close()
    running[self] = nil
    promises.fulfil(self._ended, code, signal)
  end)
  if pair[2] then uv.fs_close(pair[2]) end
  if not process and pair[1] then uv.fs_close(pair[1]) end
  assert(process, self.pid)
  if pair[1] then connect(self, pair[1]) end
  self._read = { read_all(stdout, self._out), read_all(stderr, self._err) }
end

--- Starts the app of this folder or file, in a process of its own.
---@param app string
---@param options LaunchOptions?
---@return App
local function launch(app, options)
  arguments.check("test.launch", 1, app, "string")
  arguments.check("test.launch", 2, options, "table|nil")
  options = options or {}
  local self = setmetatable({ _out = {}, _err = {} }, App)
  self._timeout = options.timeout or TIMEOUT_MS
  spawn(self, import "common.uv", app, options)
  running[self] = true
  return self
end

--- What it has printed so far, on standard output and on standard error.
---@return string, string
function App:output()
  check_self("App:output", self, App)
  return table.concat(self._out), table.concat(self._err)
end

--- Awaits that its output matches a pattern; what that captures.
---@param pattern string
---@return string ...
function App:waitForOutput(pattern)
  check_self("App:waitForOutput", self, App)
  arguments.check("App:waitForOutput", 1, pattern, "string")
  local due = core_os.hrtime() + self._timeout * 1000000
  while not self:output():find(pattern) do
    if core_os.hrtime() > due or self._ended:status() ~= "pending" then
      error(late(self, "output that matches '" .. pattern .. "'"), 0)
    end
    promises.Promise.delay(POLL_MS):await()
  end
  return self:output():match(pattern)
end

--- Runs code in its main state, where `...` are the arguments; the results, awaited.
---@param code string
---@return any ...
function App:evaluate(code, ...)
  check_self("App:evaluate", self, App)
  arguments.check("App:evaluate", 1, code, "string")
  return await(self, peer_of(self):request("evaluate", code, ...), "evaluate")
end

--- Its windows, as they are now.
---@return AppWindow[]
function App:windows()
  check_self("App:windows", self, App)
  local list = await(self, peer_of(self):request "windows", "windows")
  for _, window in ipairs(list) do
    window._app = self
    setmetatable(window, Window)
  end
  return list
end

--- Awaits the next event of `app`; its arguments, without the event itself.
---@param name string such as "browser-window-created"
---@return any ...
function App:waitForEvent(name)
  check_self("App:waitForEvent", self, App)
  arguments.check("App:waitForEvent", 1, name, "string")
  return await(self, peer_of(self):request("wait-event", nil, name), name)
end

--- Awaits its end.
---@return {stdout: string, stderr: string, status: integer, signal: integer}
function App:wait()
  check_self("App:wait", self, App)
  if self._result then return self._result end
  local code, signal = await(self, self._ended, "the app's end")
  await(self, self._read[1], "the end of its output")
  await(self, self._read[2], "the end of its standard error")
  local stdout, stderr = self:output()
  self._result = { stdout = stdout, stderr = stderr, status = code, signal = signal }
  return self._result
end

--- Quits it as app.quit() does, and awaits its end.
---@return {stdout: string, stderr: string, status: integer, signal: integer}
function App:stop()
  check_self("App:stop", self, App)
  peer_of(self):request("quit"):catch(function() end)
  return self:wait()
end

--- Sends a signal.
---@param signal string|integer|nil SIGTERM unless said
function App:kill(signal)
  check_self("App:kill", self, App)
  import("common.uv").kill(self.pid, signal or "sigterm")
end

--- Runs code in the window's page; the results, awaited.
---@param code string
---@return any ...
function Window:evaluate(code)
  check_self("AppWindow:evaluate", self, Window)
  arguments.check("AppWindow:evaluate", 1, code, "string")
  local peer = self._app._peer
  return await(self._app, peer:request("evaluate-window", self.id, code), "evaluate")
end

--- Awaits the next event of the window or of its web contents; its arguments.
---@param name string such as "did-finish-load"
---@return any ...
function Window:waitForEvent(name)
  check_self("AppWindow:waitForEvent", self, Window)
  arguments.check("AppWindow:waitForEvent", 1, name, "string")
  return await(self._app, self._app._peer:request("wait-event", self.id, name), name)
end

local M = { launch = launch }

--- Ends the apps that specs have left running.
function M.kill_all()
  for app in pairs(running) do
    app:kill "sigkill"
  end
end

return M
