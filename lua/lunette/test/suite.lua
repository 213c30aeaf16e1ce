--- A suite of spec files: run by workers, reported here, in the order in which busted itself would
--- have run them.
local import = ...
local Host = import "test.host"
local Pool = import "test.pool"
local Replay = import "test.replay"
local busted_modules = import "test.busted_modules"
local obituary = import "test.obituary"
local plan = import "test.plan"
local workplace = import "test.workplace"

local M = {}

-- How luassert words the differences that it tells: output handlers choose it.
local PARAMETERS <const> = {
  "TableFormatLevel",
  "TableFormatShowRecursion",
  "TableErrorHighlightCharacter",
  "TableErrorHighlightColor",
}

--- Before busted is loaded: has the workers' own load it meanwhile.
function M.prepare()
  assert(Host.open_zygote())
end

--- The function that finds and registers the files, in the place of busted's `load_files`.
---@param run table
---@param core table busted's core
---@param load_files function busted's
---@return function
function M.file_loader(_, _, load_files)
  return function(roots, patterns, options)
    return load_files(roots, patterns, options)
  end
end

local function luassert_parameters()
  local luassert, values = require "luassert", {}
  for _, name in ipairs(PARAMETERS) do
    values[name] = luassert:get_parameter(name)
  end
  return values
end

-- What a worker is told.
local function describe(run, core, round)
  local parameters = luassert_parameters()
  return function(unit, host, slot)
    return {
      files = unit,
      arg = run.worker_arguments,
      run = round.number,
      runs = round.count,
      seed = core.randomseed,
      timeout = run.settings.timeout,
      parameters = parameters,
      capture = run.settings.capture and host.capture.paths or nil,
      environment = {
        TMPDIR = workplace.make_folder("tmp" .. host.number),
        LUNETTE_TEST_WORKER = tostring(slot),
        LUNETTE_TEST_WORKERS = tostring(run.settings.jobs),
      },
    }
  end
end

-- The reporting of one round.
---@class Reporter
local Reporter = {}
Reporter.__index = Reporter

-- Prints and publishes what happened outside the files, at `label`, unless another worker said the
-- very same there: each has loaded the same helper.
local function tell_once(self, host, label, entry)
  local piece = host.capture:take(entry.out, entry.err)
  local key = table.concat({ label, piece.out, piece.err, entry.message or "" }, "\0")
  if self._told[key] then return end
  self._told[key] = true
  Replay.print(piece)
  if entry.channel then self._replay:publish(host, entry) end
end

-- What came before a worker's first file.
local function introduce(self, host, begin)
  if host.is_introduced then return end
  host.is_introduced = true
  if host.loaded then tell_once(self, host, "loaded", host.loaded) end
  for index, entry in ipairs(host.before) do
    tell_once(self, host, "before " .. index, entry)
  end
  if begin then tell_once(self, host, "begin", begin) end
end

-- What came behind its last one.
local function dismiss(self, host)
  introduce(self, host)
  for index, entry in ipairs(host.after) do
    tell_once(self, host, "after " .. index, entry)
  end
  if host.ended then tell_once(self, host, "ended", host.ended) end
end

local function play_entry(self, host, file, entry)
  if entry.death then
    Replay.print(host.capture:finish())
    return self._replay:bury(file, obituary.describe(host))
  end
  if entry.mark == "begin" then introduce(self, host, entry) end
  Replay.print(host.capture:take(entry.out, entry.err))
  if entry.channel then self._replay:publish(host, entry) end
end

local function play_file(self, index, file)
  local journal = self._pool.journals[index]
  local entry = journal:next()
  while entry do
    play_entry(self, journal.host, file, entry)
    entry = journal:next()
  end
end

-- Awaits that the worker of the first file has loaded its helper: what that prints comes first.
local function await_first(self)
  local host = self._pool.hosts[1]
  while host and not (host.loaded or host.ending) do
    self._pool:wait()
  end
  if not host then return end
  if host.gave_up then
    Replay.print(host.capture:take(host.gave_up.out, host.gave_up.err))
    busted_modules.exit(host.gave_up.code)
  end
  if host.loaded then tell_once(self, host, "loaded", host.loaded) end
end

local function play_files(self, core, files)
  for index, file in ipairs(files) do
    if core.skipAll then break end
    play_file(self, index, file)
  end
  if core.skipAll then self._pool:stop() end
end

local function finish_round(self)
  self._pool:finish()
  for _, host in ipairs(self._pool.hosts) do
    if host.gave_up then
      Replay.print(host.capture:finish())
    elseif host.ended then
      dismiss(self, host)
    end
  end
end

local function run_round(run, core, round)
  local root = core.context.get()
  local files = plan.order(core, run.settings, round)
  local pool = Pool.start {
    units = plan.units(run, files),
    slots = run.settings.jobs,
    describe = describe(run, core, round),
  }
  local replay = Replay.new(core, files)
  local self = setmetatable({ _pool = pool, _replay = replay, _told = {} }, Reporter)
  await_first(self)
  local seed = core.randomize and core.randomseed or nil
  local steps = { round.number, round.count, seed }
  if core.safe_publish("suite", { "suite", "start" }, root, table.unpack(steps, 1, 3)) then
    play_files(self, core, files)
  end
  finish_round(self)
  core.safe_publish("suite", { "suite", "end" }, root, round.number, round.count)
end

--- What busted.execute does with the loaded files.
---@param run table
---@param core table busted's core
---@param runs integer how often
---@param options {seed: any, shuffle: boolean?, sort: boolean?}
function M.execute(run, core, runs, options)
  local files = plan.loaded(core)
  for number = 1, runs do
    local round = { number = number, count = runs, files = files, options = options }
    if number > 1 then plan.reset(core, round) end
    run_round(run, core, round)
    if core.skipAll then break end
  end
  Host.close_zygote()
end

return M
