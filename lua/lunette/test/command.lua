--- `lunette test`: runs busted's own runner in this process, the controller. It finds the files,
--- chooses the output handler and reports; what runs the specs, in workers, is suite.lua.
local import = ...
local Host = import "test.host"
local Playback = import "test.playback"
local Recording = import "test.recording"
local busted_modules = import "test.busted_modules"
local core_os = import "core.os"
local coroutines = import "common.coroutines"
local help = import "test.help"
local loop = import "core.loop"
local own_require = import "common.require"
local process = import "common.process"
local roster = import "test.roster"
local settings = import "test.settings"
local suite = import "test.suite"
local task = import "common.task"
local workplace = import "test.workplace"

local FAILED <const>, USAGE <const>, INTERRUPTED <const> = 1, 2, 130
local SIGINT <const>, SIGTERM <const> = 2, 15

local raw_exit = os.exit
local swap = busted_modules.swap
local M = {}

local function set_globals(argv, rest)
  process.setup({ type = "browser", sandboxed = false, argv = argv }, true)
  coroutines.install()
  own_require.install(_G)
  package.preload.lunette = function()
    return import "common.public"
  end
  arg = table.move(rest, 1, #rest, 2, { "--ignore-lua", [0] = "busted" })
  os.exit = function(code) -- a handler's
    workplace.remove()
    raw_exit(code)
  end
end

-- What workers do is not done here too: specs' surroundings, the helper, coverage.
local function strip(run, options)
  if options.coverage and not run.playback then
    run.coverage = { config = options["coverage-config-file"] }
  end
  options.coverage, options.helper, options.e = false, nil, {}
end

-- With --replay the paths are those of recordings.
local function open_recordings(run, options)
  local err
  if run.settings.replay then
    run.playback, err = Playback.open(options.ROOT)
    if not run.playback then return nil, err end
    options["repeat"] = run.playback:count()
  elseif run.settings.record then
    run.recording, err = Recording.create(run.settings.record)
    if not run.recording then return nil, err end
    run.settings.order = { shuffle = options["shuffle-files"], sort = options["sort-files"] }
  end
  return true
end

local function parse_as_controller(run, real, ...)
  local cli = real(...)
  local parse = cli.parse
  function cli:parse(args)
    local options, err = parse(self, args)
    if not options then return nil, err end
    if options.lua and run.names_lua then help.warn_of_lua() end
    run.settings, err = settings.complete(run.own, options)
    if not run.settings then return nil, "busted: error: " .. err end
    local ok, problem = open_recordings(run, options)
    if not ok then return nil, "busted: error: " .. problem end
    strip(run, options)
    return options
  end
  return cli
end

local function swap_modules(run)
  swap("busted.modules.cli", function(...)
    return parse_as_controller(run, ...)
  end)
  swap("busted.modules.test_file_loader", function(real, core, loaders)
    local load_files, _, list_files = real(core, loaders)
    if run.playback then return roster.playback_loader(run, core) end
    return roster.file_loader(run, core, load_files, list_files)
  end)
  swap("busted.execute", function(_, core)
    return function(runs, options)
      run.has_begun = true
      suite.execute(run, core, runs, options)
    end
  end)
end

-- The exit status of a run of busted's runner.
local function status_of(run, ok, err)
  if run.status then return run.status end
  if ok then return 0 end
  if not busted_modules.is_exit(err) then
    core_os.write(2, ("busted: error: %s\n%s\n"):format(err, task.take_traceback()))
    return FAILED
  end
  if err.code == 0 then return 0 end
  return run.has_begun and FAILED or USAGE
end

-- What is complete is reported; the second time, nothing is.
local function interrupt(run)
  if run.status or not run.pool then
    workplace.remove()
    raw_exit(INTERRUPTED)
  end
  run.status = INTERRUPTED
  run.pool:stop()
end

local function watch_signals(run)
  for _, signal in ipairs { SIGINT, SIGTERM } do
    loop.signal(signal, function()
      interrupt(run)
    end)
  end
end

local function run_busted(run)
  swap_modules(run)
  local runner = require "busted.runner"
  runner { standalone = false }
end

local function finish(status)
  io.stdout:flush()
  workplace.remove()
  process.exit_code = status
  loop.stop()
end

local function fail(status, text)
  core_os.write(2, text .. "\n")
  return status
end

local NO_BUSTED <const> = "lunette test: there is no busted here; Debian has it as lua-busted, "
  .. "LuaRocks as busted: "

-- What the run was to leave, and has not, is its failure too.
local function check_left(run, status)
  if run.recording then
    local ok, err = run.recording:close(run.status == nil)
    if not ok then run.loss = ("%s: %s"):format(run.settings.record, err) end
  end
  if not run.loss then return status end
  return math.max(status, fail(FAILED, "busted: error: " .. run.loss))
end

-- What is begun first, as it takes its time beside all else: the process that workers come from.
local function prepare(own)
  local ok, err = workplace.open()
  if not ok then return nil, "no place for temporary files: " .. err end
  if own.replay then return true end
  ok, err = Host.open_zygote(arg)
  return ok, err and "no process for workers: " .. err
end

local function run_command(argv)
  local own, rest = settings.take(argv)
  if not own then return fail(USAGE, "busted: error: " .. rest) end
  set_globals(argv, rest)
  local ok, err = prepare(own)
  if not ok then return fail(FAILED, "lunette test: " .. err) end
  ok, err = busted_modules.load()
  if not ok then return fail(FAILED, NO_BUSTED .. err) end
  if help.is_wanted(rest) then return help.print() end
  local run = { own = own, load_errors = {}, names_lua = help.names_lua(rest) }
  watch_signals(run)
  return check_left(run, status_of(run, xpcall(run_busted, task.catch, run)))
end

--- Starts the command. `argv`: 0 the executable, 1 "test", its arguments.
---@param argv table
function M.start(argv)
  task.start(function()
    finish(run_command(argv))
  end)
end

return M
