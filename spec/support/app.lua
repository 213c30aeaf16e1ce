--- Runs apps under test, each in a process of its own, with a deadline.
---
---   local app = require "spec.support.app"
---   local result = app.run { ["main.lua"] = [[...]], ["page.lua"] = [[...]] }
---   assert.equal("hello\n", result.stdout)
---
--- The app gets a global-free helper as `require "check"`: see CHECK below.
local lunette = require "lunette"
local uv = lunette.uv

local M = {}

--- How long an app may take, in milliseconds; slow machines raise it.
local USUAL <const> = 20000
M.DEADLINE = tonumber(os.getenv "LUNETTE_SPEC_DEADLINE") or USUAL

--- How much longer than the release build another one may take for what has a limit of its own.
M.PATIENCE = math.max(1, M.DEADLINE / USUAL)

--- What windows of the apps under test have as their isolation unless they say: nil leaves it to
--- Lunette. Specs of what pages can do run for "process" and "thread": spec/threads.
M.isolation = nil ---@type "thread"?

--- `it` for what only a renderer with a process of its own can do; elsewhere the test is left out.
---@param name string
---@param fn function
function M.it_in_process(name, fn)
  if not M.isolation then require("busted").it(name, fn) end
end

-- Stands in front of the main script, in its first line. Tail calls leave places in errors right.
local ON_THREADS <const> = ([[
  do
    local Window = require "lunette".BrowserWindow
    local meta, new = getmetatable(Window), Window.new
    local call = meta.__call
    local function copy(from)
      local to = {}
      for key, value in pairs(from) do to[key] = value end
      return to
    end
    local function on_thread(options)
      local given = options == nil and {} or options
      if type(given) ~= "table" or given == Window then return options end
      local preferences = given.webPreferences == nil and {} or given.webPreferences
      if type(preferences) ~= "table" then return options end
      given, preferences = copy(given), copy(preferences)
      if preferences.isolation == nil then preferences.isolation = "thread" end
      given.webPreferences = preferences
      return given
    end
    Window.new = function(options) return new(on_thread(options)) end
    meta.__call = function(class, options) return call(class, on_thread(options)) end
  end
]]):gsub("\n%s*", " ")

--- The executable under test.
M.executable = lunette.process.execPath

local scandir = function(path)
  local names, request = {}, assert(uv.fs_scandir(path))
  for name, kind in function() return uv.fs_scandir_next(request) end do
    names[name] = kind
  end
  return names
end

local function remove(path, kind)
  if kind ~= "directory" then return uv.fs_unlink(path) end
  for name, inner in pairs(scandir(path)) do
    remove(path .. "/" .. name, inner)
  end
  uv.fs_rmdir(path)
end

--- Makes a temporary folder with the files, by relative path. Remove it with `M.remove`.
---@param files table<string, string>
---@return string
function M.folder(files)
  local dir = assert(uv.fs_mkdtemp(uv.os_tmpdir() .. "/lunette-spec-XXXXXX"))
  for name, text in pairs(files) do
    local parent = ""
    for part in name:gmatch("([^/]+)/") do
      parent = parent .. "/" .. part
      uv.fs_mkdir(dir .. parent, 448)
    end
    local file = assert(io.open(dir .. "/" .. name, "w"))
    if name == "main.lua" and M.isolation == "thread" then file:write(ON_THREADS) end
    file:write(text)
    file:close()
  end
  return dir
end

function M.remove(dir)
  remove(dir, "directory")
end

-- Runs the main loop from within a spec, which busted calls without a task.
local function collect(pipe, into)
  pipe:read_start(function(_, data)
    if data then into[#into + 1] = data end
  end)
end

local function environment(extra)
  local list = {}
  for name, value in pairs(uv.os_environ()) do
    if not (extra and extra[name] ~= nil) then list[#list + 1] = name .. "=" .. value end
  end
  for name, value in pairs(extra or {}) do
    list[#list + 1] = name .. "=" .. value
  end
  return list
end

--- Starts a process. Returns a handle: pid, write(text), close_input(), kill(signal), output() (all
--- so far), wait() -> {stdout, stderr, status, signal}. wait() raises when the deadline
--- passes, and the process is killed then.
---@param path string
---@param args string[]
---@param options {cwd: string?, env: table?, deadline: integer?}?
function M.spawn(path, args, options)
  options = options or {}
  local out, err = {}, {}
  local stdin, stdout, stderr = uv.new_pipe(false), uv.new_pipe(false), uv.new_pipe(false)
  local promise, resolve = lunette.Promise.withResolvers()
  local handle, pid
  handle, pid = uv.spawn(path, {
    args = args,
    stdio = { stdin, stdout, stderr },
    cwd = options.cwd,
    env = environment(options.env),
  }, function(code, signal)
    handle:close()
    resolve(code, signal)
  end)
  assert(handle, pid)
  collect(stdout, out)
  collect(stderr, err)
  local process = { pid = pid }

  function process.output()
    return table.concat(out), table.concat(err)
  end

  function process.write(text)
    stdin:write(text)
  end

  function process.close_input()
    if not stdin:is_closing() then stdin:close() end
  end

  function process.kill(signal)
    return uv.kill(pid, signal or "sigterm")
  end

  function process.wait()
    local ok, code, signal = promise:timeout(options.deadline or M.DEADLINE):pawait()
    if not ok then
      process.kill "sigkill"
      promise:await()
      local text = "the process did not end in time; standard output:\n%s\nstandard error:\n%s"
      error(text:format(process.output()), 2)
    end
    lunette.sleep(0) -- what it wrote last is in the pipes
    process.close_input()
    local so, se = process.output()
    stdout:close()
    stderr:close()
    return { stdout = so, stderr = se, status = code, signal = signal }
  end

  return process
end

--- Runs an app of these files until it ends. `options.args` follow the app on its command line.
---@param files table<string, string> main.lua and the others
---@param options {args: string[]?, env: table?, deadline: integer?}?
---@return {stdout: string, stderr: string, status: integer, signal: integer}
function M.run(files, options)
  local dir = M.folder(files)
  local args = { dir }
  for _, arg in ipairs(options and options.args or {}) do
    args[#args + 1] = arg
  end
  local process = M.spawn(M.executable, args, options)
  local ok, result = pcall(process.wait)
  M.remove(dir)
  if not ok then error(result, 0) end
  return result
end

--- Children of a process that are alive, by /proc.
---@param pid integer
---@return integer[]
function M.children(pid)
  local list = {}
  for name in pairs(scandir "/proc") do
    local file = name:find("^%d+$") and io.open("/proc/" .. name .. "/stat")
    if file then
      local state, parent = file:read("a"):match("%) (%a) (%d+)")
      file:close()
      if tonumber(parent) == pid and state ~= "Z" then list[#list + 1] = tonumber(name) end
    end
  end
  return list
end

--- Whether a process lives.
function M.is_alive(pid)
  local file = io.open(("/proc/%d/stat"):format(pid))
  if not file then return false end
  local state = file:read("a"):match("%) (%a)")
  file:close()
  return state ~= "Z"
end

--- Awaits that predicate() is true; raises after the deadline.
---@param predicate fun(): any
---@param what string for the error
function M.wait_until(predicate, what, deadline)
  local last = uv.hrtime() + (deadline or M.DEADLINE) * 1000000
  repeat
    local value = predicate()
    if value then return value end
    lunette.sleep(5)
  until uv.hrtime() > last
  error("not in time: " .. what, 2)
end

return M
