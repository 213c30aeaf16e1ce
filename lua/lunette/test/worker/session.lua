--- A run of busted in a worker: its runner as it is, in a coroutine, with the relay in the place of
--- the output handler and the files that the controller named in the place of those it would find.
---
--- The runner begins in the process that workers are forked from: it has read all options there,
--- when it stops before the helper (or what -e says). So that is done once, and the helper runs in
--- each worker.
local import = ...
local Emitter = import "common.emitter"
local Relay = import "test.worker.relay"
local busted_modules = import "test.busted_modules"
local core_os = import "core.os"
local coroutines = import "common.coroutines"
local coverage = import "test.worker.coverage"
local deadline = import "test.worker.deadline"
local guard = import "test.worker.guard"
local launch = import "test.worker.launch"
local loop = import "core.loop"
local part = import "test.worker.part"
local process = import "common.process"
local short_traceback = import "test.worker.short_traceback"
local surroundings = import "test.worker.surroundings"
local task = import "common.task"

local raw, raw_exit = coroutines.raw, os.exit
local swap = busted_modules.swap
local M = {}

-- What the controller wants: see M.run.
local options

local relay = Relay.new(surroundings.printed)

-- The coroutine of the runner, and whether it has yet to be stopped.
local co
local is_ahead = true

-- Of busted's loader of spec files: one file.
local load_file

-- Names of busted's loaders of spec files.
local loaders = {}

-- Here the process is forked. What workers would each load next is loaded before.
local function pause()
  if not is_ahead then return end
  for _, name in ipairs(loaders) do
    pcall(require, "busted.modules.files." .. name)
  end
  raw.yield()
  is_ahead = false
end

-- One file: loaded as busted does, and run as the only child of the root.
local function run_file(core, name)
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

local function run_files(core)
  for _, file in ipairs(options.files) do
    if core.skipAll then return end
    part.begin(file.part)
    relay:begin(file.index)
    run_file(core, file.name)
    relay:done(options.detect_open_handles and loop.held_by() or nil)
  end
end

-- What busted.execute does with all files, for these. Helpers hear of the suite here; the output
-- handlers do in the controller.
local function execute(core)
  local block = require "busted.block"(core)
  local root, run, runs = core.context.get(), options.run, options.runs
  core.randomseed = options.seed
  relay:mark "loaded"
  local seed = core.randomize and options.seed or nil
  if core.safe_publish("suite", { "suite", "start" }, root, run, runs, seed) then
    if block.setup(root) then run_files(core) end
    block.lazyTeardown(root)
    block.teardown(root)
  end
  relay:mark "torn-down"
  core.safe_publish("suite", { "suite", "end" }, root, run, runs)
  relay:mark "suite-ended"
end

-- What the options have besides specs to run, or wrong, the controller says. What only it is to do
-- is taken out. What -e runs may end the process that it runs in: that must be a worker.
local function parse_as_worker(real, ...)
  local cli = real(...)
  local parse = cli.parse
  function cli:parse(args)
    local parsed = parse(self, args)
    local runs = parsed and not parsed.version and not parsed.help
    if not runs or not core_os.stat(parsed.directory) then busted_modules.exit(1) end
    parsed["log-success"] = nil
    loaders = parsed.loaders
    if parsed.e and #parsed.e > 0 then pause() end
    return parsed
  end
  return cli
end

local function swap_loaders()
  swap("busted.modules.output_handler_loader", function()
    return function(core, _, handler_options)
      guard.install(core)
      part.install(core, relay)
      relay:listen(core, handler_options.language)
    end
  end)
  for _, name in ipairs { "helper_loader", "filter_loader" } do
    swap("busted.modules." .. name, function(real)
      local load = real()
      return function(...)
        pause()
        return load(...)
      end
    end)
  end
end

local function swap_modules()
  swap("busted.modules.cli", parse_as_worker)
  coverage.swap()
  swap_loaders()
  swap("busted.modules.test_file_loader", function(real, ...)
    local _
    _, load_file = real(...)
    return function() end
  end)
  swap("busted.execute", function(_, core)
    return function()
      execute(core)
    end
  end)
end

local function run_busted()
  swap_modules()
  local runner = require "busted.runner"
  runner { standalone = false }
end

-- The system's status of what os.exit was called with.
local function status_of(code)
  if code == nil or code == true then return 0 end
  return code == false and 1 or code
end

-- A spec that ends the process ends its file: the controller says so.
local function set_exit()
  os.exit = function(code)
    coverage.save()
    relay:exiting(status_of(code), short_traceback.make("", 2):sub(2))
    Emitter.fire(process.emitter, "exit", status_of(code))
    raw_exit(code)
  end
end

local function fail(err)
  if not busted_modules.is_exit(err) then
    core_os.write(2, ("busted: error: %s\n%s\n"):format(err, task.take_traceback()))
  end
  relay:gave_up(busted_modules.is_exit(err) and err.code or 1)
end

-- The runner has ended by itself, or by what stands for its exit.
local function conclude(ok, err)
  pause()
  local has_run = relay:has_loaded() and (ok or busted_modules.is_exit(err))
  launch.kill_all()
  coverage.save()
  if has_run then relay:mark "ended" else fail(err) end
  relay:close()
  loop.stop()
end

--- Runs busted as far as all workers do.
---@param arguments string[] its command line
function M.prepare(arguments)
  surroundings.prepare(arguments)
  co = raw.create(function()
    conclude(xpcall(run_busted, task.catch))
  end)
  assert(raw.resume(co))
end

--- Runs the files. `wanted`: files ({index, name, part}...), run, runs, seed, timeout, coverage (a
--- path), detect_open_handles, and what surroundings.lua reads.
---@param peer Peer
---@param wanted table
function M.run(peer, wanted)
  options = wanted
  surroundings.enter(options)
  coverage.enter(options.coverage)
  relay:connect(peer)
  peer:ref(false)
  set_exit()
  deadline.set_default(options.timeout, function(ms)
    relay:limit(ms)
  end)
  guard.watch(co)
end

--- Nothing is left that could wake whoever waits.
function M.on_idle()
  guard.on_idle()
end

return M
