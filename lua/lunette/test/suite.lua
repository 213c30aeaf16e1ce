--- A suite of spec files: found here, run by workers, and reported in the order in which busted
--- itself would have run them.
local import = ...
local Host = import "test.host"
local Pool = import "test.pool"
local Reporter = import "test.reporter"
local coverage = import "test.coverage"
local plan = import "test.plan"
local roster = import "test.roster"
local times = import "test.times"
local watch = import "test.watch"

local M = {}

-- How luassert words the differences that it tells: output handlers choose it.
local PARAMETERS <const> = {
  "TableFormatLevel",
  "TableFormatShowRecursion",
  "TableErrorHighlightCharacter",
  "TableErrorHighlightColor",
}

local function luassert_parameters()
  local luassert, values = require "luassert", {}
  for _, name in ipairs(PARAMETERS) do
    values[name] = luassert:get_parameter(name)
  end
  return values
end

-- What a worker is told.
local function describer(run, core, round)
  local parameters = luassert_parameters()
  return function(unit, host, slot)
    return {
      files = unit,
      run = round.number,
      runs = round.count,
      seed = core.randomseed,
      timeout = run.settings.timeout,
      detect_open_handles = run.settings["detect-open-handles"],
      coverage = coverage.path(host),
      parameters = parameters,
      capture = run.settings.capture and host.capture.paths or nil,
      environment = {
        TMPDIR = host.tmpdir,
        LUNETTE_TEST_WORKER = tostring(slot),
        LUNETTE_TEST_WORKERS = tostring(run.settings.jobs),
      },
    }
  end
end

local function start_pool(run, core, round, files)
  local units, alone = plan.units(files, run.settings, run.known_times)
  return Pool.start {
    units = units,
    alone = alone,
    slots = run.settings.jobs,
    describe = describer(run, core, round),
  }
end

-- The workers of a round, or what stands for them; and what ends the watch over them.
local function start_workers(run, core, round, files)
  if run.playback then return run.playback:pool(round, files), function() end end
  local pool = start_pool(run, core, round, files)
  return pool, watch.start(pool, run.settings.slow)
end

-- All files, between the events of the suite.
local function report_round(run, core, round, reporter)
  local root, number, count = core.context.get(), round.number, round.count
  local seed = core.randomize and core.randomseed or nil
  local is_begun = core.safe_publish("suite", { "suite", "start" }, root, number, count, seed)
  if is_begun then reporter:play() end
  reporter:finish()
  if run.playback then run.playback:set_duration(core, root, round) end
  core.safe_publish("suite", { "suite", "end" }, root, number, count)
  reporter:tell_end "suite_ended"
  return root.duration
end

local function run_round(run, core, round)
  local files, recording = plan.order(core, round), run.recording
  if recording then recording:round(round.number, core.randomseed) end
  local pool, stop_watching = start_workers(run, core, round, files)
  run.pool = pool -- for a signal to stop
  local reporter = Reporter.new(core, pool, files, recording)
  reporter:begin()
  roster.tell_errors(run, core)
  local duration = report_round(run, core, round, reporter)
  stop_watching()
  if recording then recording:finish_round(duration) end
  return reporter
end

-- What helpers print at the exit comes behind what the output handler does then.
local function tell_exit(core, reporter)
  core.subscribe({ "exit" }, function()
    reporter:tell_end "ended"
    return nil, true
  end)
end

local function remember(run, measured)
  local path = not run.playback and times.default_path()
  if path then times.remember(path, measured) end
  local shared = run.settings["shard-times"]
  if not shared or run.settings.shard then return end
  local ok, err = times.write(shared, measured)
  if not ok then run.loss = err end
end

--- What busted.execute does with the loaded files.
---@param run table gets `loss`, what could not be written
---@param core table busted's core
---@param runs integer how often
---@param options {seed: any, shuffle: boolean?, sort: boolean?}
function M.execute(run, core, runs, options)
  local files, reporter = plan.loaded(core), nil
  local path = times.default_path()
  run.known_times = path and times.read(path) or {}
  for number = 1, runs do
    local round = { number = number, count = runs, files = files, options = options }
    if run.playback then run.playback:prepare(core, round) end
    if number > 1 then plan.reset(core, round) end
    reporter = run_round(run, core, round)
    if core.skipAll or run.status then break end
  end
  Host.close_zygote()
  if run.coverage then coverage.collect(run.pool.hosts, run.coverage.config) end
  tell_exit(core, reporter)
  remember(run, reporter.times)
end

return M
