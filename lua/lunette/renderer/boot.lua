--- Boot of a renderer: says hello to main, is told what to run, runs it.
local import = ...
local Emitter = import "common.emitter"
local Peer = import "common.peer"
local core_state = import "core.state"
local ipc_renderer = import "renderer.ipc_renderer"
local lazy = import "core.lazy"
local loop = import "core.loop"
local page = import "renderer.page"
local process = import "common.process"
local report = import "common.report"
local task = import "common.task"

local context_bridge = lazy.module "renderer.context_bridge"

local M = {}

--- Whether the page has a world of its own, and whether it is on a thread: known once it began.
M.is_isolated, M.is_on_thread = false, false

-- The owner of the peer.
local renderer = { _routes = ipc_renderer.routes }
local peer = Peer.new("peer", renderer, "main")

--- The end of the link to main.
M.peer = peer

function renderer:_on_message(sender_id, _, channel, ...)
  ipc_renderer.on_message(sender_id, channel, ...)
end

-- Main has closed the window, or is gone: there is nothing left to do here.
function renderer:_on_gone(fault)
  peer:close(fault or "main has gone")
  Emitter.fire(process.emitter, "exit", process.exit_code)
  loop.stop()
end

---@type PageHost
local host = lazy.module "renderer.page_host"

-- Whether the system contains this process, which tells `process.sandboxed`: main only asks for it.
local is_contained = false

-- The page in this very state. Returns true, or nil and why it does not compile.
local function run_page(options)
  local chunk, err = page.compile(options, options.page)
  if not chunk then return nil, err end
  page.run(chunk)
  page.fire "load"
  return true
end

-- The arguments of the process, and the page's.
local function make_argv(options)
  local more = options.additionalArguments
  return table.move(more, 1, #more, #options.argv + 1, options.argv)
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
  M.is_isolated = options.contextIsolation
  if M.is_isolated then context_bridge.open(options, host) end
  page.open(options, host, function()
    local public = import "renderer.init"
    if not options.sandbox then import "common.add_uv"(public) end
    return public
  end)
  if options.preload and options.preload.source then import "renderer.preload"(options) end
  local run = M.is_isolated and context_bridge.run_page or run_page
  local ok, err = run(options)
  if ok then
    tell_main "page-loaded"
  else
    tell_main("page-failed", err)
  end
end

-- Were memory too short for it, main would wait for ever: then the renderer ends.
function renderer:_on_boot(options)
  M.is_on_thread = options.isolation == "thread"
  local ok, err = xpcall(begin, task.catch, options)
  if ok then return end
  pcall(report.on_uncaught, err, task.take_traceback())
  core_state.leave()
end

renderer._internal = {
  ping = function()
    peer:send_internal "pong"
  end,
}

lazy.fields(renderer._internal, "contents-gone execute-lua", "renderer.requests")

--- For a zygote: loads what pages load when they first need it, for all of them.
function M.load_all()
  for _, name in ipairs { "init", "preload", "window_functions" } do
    import("renderer." .. name)
  end
  for _, name in ipairs { "dotted", "event", "require_module" } do
    import("common." .. name)
  end
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
