--- Boot of a renderer: says hello to main, is told what to run, runs it.
local import = ...
local Emitter = import "common.emitter"
local Peer = import "common.peer"
local core_child = import "core.child"
local core_state = import "core.state"
local ipc_renderer = import "renderer.ipc_renderer"
local lazy = import "core.lazy"
local loop = import "core.loop"
local page = import "renderer.page"
local process = import "common.process"
local report = import "common.report"
local task = import "common.task"

local EXIT_FLUSH_MS <const> = 1000

-- How long a page that prints more than main reads waits for it, a line.
local PRINT_WAIT_MS <const> = 1000

local context_bridge = lazy.module "renderer.context_bridge"

local M = {}

-- The owner of the peer.
local renderer = { _routes = ipc_renderer.routes }
local peer = Peer.new("peer", renderer, "main")

function renderer:_on_message(sender_id, _, channel, ...)
  ipc_renderer.on_message(sender_id, channel, ...)
end

-- Main has closed the window, or is gone: there is nothing left to do here.
function renderer:_on_gone(fault)
  peer:close(fault or "main has gone")
  Emitter.fire(process.emitter, "exit", process.exit_code)
  loop.stop()
end

-- Whether the system contains this process, which tells `process.sandboxed`: main only asks for it.
local is_contained = false

-- Ends the renderer where it stands: what os.exit does in a process.
local leave = os.exit

local function leave_thread(code)
  core_state.leave(code == false and 1 or math.tointeger(tonumber(code)) or 0)
end

-- Exit codes by which the runtime itself says how a renderer ended: main is told when they are not.
local OWN_CODES <const> = { [core_child.OUT_OF_MEMORY] = true, [core_child.LAUNCH_FAILED] = true }

-- What the system makes of the first argument of os.exit.
local function exit_code(code)
  return (math.tointeger(tonumber(code)) or 0) & 0xff
end

---@type PageHost
local host = {
  console = function(level, text)
    local is_taken, why = peer:send_internal("console", level, text)
    if is_taken == nil then
      peer:send_internal("console", level, "(a line is not shown: " .. why .. ")")
    end
    if not is_taken then peer:drain(PRINT_WAIT_MS) end
  end,
  find_module = function(name)
    return peer:request_sync("find-module", name)
  end,
  memory = function()
    local is_known, bytes = pcall(peer.request_sync, peer, "memory")
    return is_known and bytes or nil -- at the end there is no main to ask
  end,
  close = function()
    peer:send_internal "close-window"
  end,
  alert = function(text)
    peer:send_internal("console", "info", "[alert] " .. text)
  end,
  exit = function(...)
    Emitter.fire(process.emitter, "exit", process.exit_code)
    if OWN_CODES[exit_code(...)] then peer:send_internal "leaving" end
    peer:drain(EXIT_FLUSH_MS)
    leave(...)
  end,
}

-- Without it the page still runs, as in Electron.
local function run_preload(options)
  local preload = options.preload
  if not preload or not preload.source then return end
  local function fail(err, traceback)
    local text = report.describe(err)
    if traceback then text = text .. "\n" .. traceback end
    peer:send_internal("preload-error", preload.path, text)
  end
  local chunk, err = page.compile(options, preload)
  if chunk then
    page.run(chunk, fail)
  else
    fail(err)
  end
end

-- The page in this very state. Returns true, or nil and why it does not compile.
local function run_page(options)
  local chunk, err = page.compile(options, options.page)
  if not chunk then return nil, err end
  page.run(chunk)
  page.fire "load"
  return true
end

-- What differs with contextIsolation: who runs the page, and code in it.
local world

local function choose_world(is_isolated)
  if is_isolated then
    world = { run = context_bridge.run_page, execute = context_bridge.execute }
  else
    world = { run = run_page, execute = page.execute }
  end
end

local function make_argv(options)
  local argv = table.move(options.argv, 1, #options.argv, 1, { [0] = options.argv[0] })
  return table.move(options.additionalArguments, 1, #options.additionalArguments, #argv + 1, argv)
end

-- Tells main how the page began.
local function tell_main(...)
  local is_taken, why = peer:send_internal(...)
  if is_taken == nil then error(why) end
end

local function begin(options)
  if options.memoryLimit then core_state.limit(options.memoryLimit) end
  math.randomseed(core_state.random(), core_state.random()) -- the zygote's would be everybody's
  options.argv = make_argv(options)
  options.sandboxed = is_contained
  process.setup({
    type = "renderer",
    sandboxed = is_contained,
    contextIsolated = options.contextIsolation,
    argv = options.argv,
    env = options.env,
  }, not options.sandbox)
  peer:configure(options)
  loop.spin(options.poll)
  choose_world(options.contextIsolation)
  if options.contextIsolation then context_bridge.open(options, host) end
  page.open(options, host, function()
    local public = import "renderer.init"
    if not options.sandbox then import "common.add_uv"(public) end
    return public
  end)
  run_preload(options)
  local ok, err = world.run(options)
  if ok then
    tell_main "page-loaded"
  else
    tell_main("page-failed", err)
  end
end

-- Were memory too short for it, main would wait for ever: then the renderer ends.
function renderer:_on_boot(options)
  if options.isolation == "thread" then leave = leave_thread end
  local ok, err = xpcall(begin, task.catch, options)
  if ok then return end
  pcall(report.on_uncaught, err, task.take_traceback())
  leave(core_child.LAUNCH_FAILED)
end

renderer._internal = {
  ping = function()
    peer:send_internal "pong"
  end,
  ["contents-gone"] = function(_, id)
    ipc_renderer.forget_contents(id)
  end,
  ["execute-lua"] = function(_, code)
    return world.execute(code)
  end,
}

--- For a zygote: loads what pages load when they first need it, for all of them.
function M.load_all()
  import "renderer.init"
  lazy.load_all()
end

--- Connects to main.
---@param link_fd integer|lightuserdata a descriptor, or the end of a channel
---@param contained boolean the system's sandbox is around this process
---@param ... string parts of it that the system lacks
function M.start(link_fd, contained, ...)
  is_contained = contained
  ipc_renderer.connect(peer)
  peer:greet(link_fd)
  for _, part in ipairs { ... } do
    peer:send_internal("sandbox-lacks", part)
  end
end

return M
