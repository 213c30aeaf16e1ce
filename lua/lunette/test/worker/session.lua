--- A run of busted in a worker: its runner as it is, in a coroutine, with the relay in the place of
--- the output handler and the files that the controller named in the place of those it would find.
local import = ...
local Emitter = import "common.emitter"
local Relay = import "test.worker.relay"
local busted_modules = import "test.busted_modules"
local core_os = import "core.os"
local coroutines = import "common.coroutines"
local guard = import "test.worker.guard"
local deadline = import "test.worker.deadline"
local loop = import "core.loop"
local process = import "common.process"
local surroundings = import "test.worker.surroundings"
local task = import "common.task"

local raw_exit = os.exit
local swap = busted_modules.swap
local M = {}

-- One file: loaded as busted does, and run as the only child of the root.
local function run_file(core, load_file, name)
  local root = core.context.get()
  local children = core.context.children(root)
  for i = #children, 1, -1 do
    children[i] = nil
  end
  local chunk, get_trace, rewrite = load_file(core, name)
  if not chunk then return end
  local file = { getTrace = get_trace, rewriteMessage = rewrite }
  core.executors.file(name, setmetatable(file, { __call = chunk }))
  core.execute(root)
end

local function run_files(core, load_file, options, relay)
  for _, file in ipairs(options.files) do
    if core.skipAll then return end
    relay:begin(file.index)
    run_file(core, load_file, file.name)
    relay:done()
  end
end

-- What busted.execute does with all files, for these. Helpers hear of the suite here; the output
-- handlers do in the controller.
local function execute(core, load_file, options, relay)
  local block = require "busted.block"(core)
  local root, run, runs = core.context.get(), options.run, options.runs
  core.randomseed = options.seed
  relay:mark "loaded"
  local seed = core.randomize and options.seed or nil
  if core.safe_publish("suite", { "suite", "start" }, root, run, runs, seed) then
    if block.setup(root) then run_files(core, load_file, options, relay) end
    block.lazyTeardown(root)
    block.teardown(root)
  end
  core.safe_publish("suite", { "suite", "end" }, root, run, runs)
end

-- What only the controller is to do.
local function parse_as_worker(real, ...)
  local cli = real(...)
  local parse = cli.parse
  function cli:parse(args)
    local options, err = parse(self, args)
    if options then options["log-success"] = nil end
    return options, err
  end
  return cli
end

local function swap_modules(options, relay)
  local load_file
  swap("busted.modules.cli", parse_as_worker)
  swap("busted.modules.output_handler_loader", function()
    return function(core, _, handler_options)
      guard.install(core, options)
      relay:listen(core, handler_options.language)
    end
  end)
  swap("busted.modules.test_file_loader", function(real, ...)
    local _
    _, load_file = real(...)
    return function() end
  end)
  swap("busted.execute", function(_, core)
    return function()
      execute(core, load_file, options, relay)
    end
  end)
end

local function run_busted(options, relay)
  swap_modules(options, relay)
  local runner = require "busted.runner"
  runner { standalone = false }
end

-- The system's status of what os.exit was called with.
local function status_of(code)
  if code == nil or code == true then return 0 end
  return code == false and 1 or code
end

-- A spec that ends the process ends its file: the controller says so.
local function set_exit(relay)
  os.exit = function(code)
    relay:exiting(status_of(code), debug.traceback("", 2):sub(2))
    Emitter.fire(process.emitter, "exit", status_of(code))
    raw_exit(code)
  end
end

-- The runner has ended by itself, or by what stands for its exit.
local function conclude(relay, ok, err)
  local has_run = relay:has_loaded()
  if not ok and not busted_modules.is_exit(err) then
    core_os.write(2, ("busted: error: %s\n%s\n"):format(err, task.take_traceback()))
  elseif ok or has_run then
    return relay:mark "ended"
  end
  relay:gave_up(not ok and err.code or 1)
end

--- Runs the files. `options`: files ({index, name}...), arg, cwd, run, runs, seed, and what
--- surroundings.lua and guard.lua read.
---@param peer Peer
---@param options table
function M.run(peer, options)
  surroundings.prepare(peer, options)
  local relay = Relay.new(peer, surroundings.printed)
  peer:ref(false)
  set_exit(relay)
  deadline.on_limit(function(ms)
    relay:limit(ms)
  end)
  local co = coroutines.raw.create(function()
    conclude(relay, xpcall(run_busted, task.catch, options, relay))
    peer:drain(math.maxinteger // 1000000)
    peer:close "the specs have run"
    loop.stop()
  end)
  guard.watch(co)
  coroutines.raw.resume(co)
end

--- Nothing is left that could wake whoever waits.
function M.on_idle()
  guard.on_idle()
end

return M
