--- Runs units of files, each in a worker of its own, a number of them at a time; each unit's worker
--- tells of its files into their journals.
local import = ...
local Host = import "test.host"
local Journal = import "test.journal"
local promises = import "common.promise"
local split = import "test.split"
local watch = import "test.watch"

---@class PoolOptions
---@field units table[] lists of {index, name, part}, in the order in which to begin them
---@field alone table[] such lists, each of which runs when nothing else does
---@field slots integer how many run at a time
---@field describe fun(unit, host: Host, slot: integer): table what a worker is told
---@class Pool
---@field journals table<integer, Journal> by the index of the file
---@field hosts Host[] in the order of their start
---@field failed_host Host? the first whose busted could not even begin
local Pool = {}
Pool.__index = Pool

local start_unit

-- Those that are to run alone do so when all others have run.
local function next_unit(self, slot)
  if self.is_stopped then return end
  local unit = table.remove(self._units, 1)
  if not unit and self._running == 0 then unit = table.remove(self._alone, 1) end
  if unit then start_unit(self, slot, unit) end
end

-- A unit's worker has no more to do: the slot is free.
local function unit_ended(self, host)
  self._running = self._running - 1
  next_unit(self, host.slot)
end

local function notify(self)
  local waiters = self._waiters
  self._waiters = {}
  for _, waiter in ipairs(waiters) do
    promises.fulfil(waiter)
  end
end

local function append(_, host, entry)
  host.current:append(entry)
end

-- By mark: what an entry tells of the worker itself.
local MARKS <const> = {
  loaded = function(self, host, entry)
    host:set_limit(0)
    host.loaded = entry
    notify(self)
  end,
  begin = function(self, host, entry)
    host.begun = host.begun + 1
    host.current = self._journal_of[host.unit[host.begun]]
    host.current.host = host
    host.current:append(entry)
  end,
  done = function(_, host, entry)
    host.current:append(entry)
    host.current:complete()
    host.current = nil
  end,
  test = append,
  tested = append,
  ["gave-up"] = function(self, host, entry)
    host.gave_up = entry
    self.failed_host = self.failed_host or host
    self:stop()
  end,
}

-- What comes of the files that a worker will not run any more.
local function complete_rest(self, host)
  for index = host.begun + 1, #host.unit do
    self._journal_of[host.unit[index]]:complete()
  end
end

MARKS["torn-down"] = function(_, host, entry)
  host.torn_down = entry
end

MARKS["suite-ended"] = function(_, host, entry)
  host.suite_ended = entry
end

function MARKS.ended(self, host, entry)
  host.ended = entry
  complete_rest(self, host)
  unit_ended(self, host)
end

local function on_entry(self, host, entry)
  if entry.limit then return host:set_limit(entry.limit) end
  if entry.exiting then host.exiting = entry.exiting end
  local act = MARKS[entry.mark]
  if act then act(self, host, entry) end
  watch.note(host, entry)
  if act or not entry.channel then return end
  if host.current then return host.current:append(entry) end
  table.insert(host.begun == 0 and host.before or host.after, entry)
end

-- Its current file, or the first, when it did not get so far, is what it died of. What it did not
-- come to is for another worker.
local function on_death(self, host)
  local journal = host.current
  if not journal then
    host.begun = host.begun + 1
    journal = host.unit[host.begun] and self._journal_of[host.unit[host.begun]]
  end
  if journal then
    journal.host = host
    journal:append { death = true }
    journal:complete()
  end
  local rest = table.move(host.unit, host.begun + 1, #host.unit, 1, {})
  if #rest > 0 then table.insert(self._units, 1, rest) end
  unit_ended(self, host)
end

local function complete_all(self, units)
  for _, unit in ipairs(units) do
    for _, file in ipairs(unit) do
      self._journal_of[file]:complete()
    end
  end
end

local function on_gone(self, host)
  self._alive = self._alive - 1
  local is_cut_short = host.unit and not host.ended
  if is_cut_short and not host.gave_up and not self.is_stopped then
    on_death(self, host)
  elseif is_cut_short then
    complete_all(self, { host.unit })
  end
  notify(self)
end

local function start_host(self, slot)
  self._count = self._count + 1
  local host = assert(Host.start(self._count, {
    on_entry = function(...) on_entry(self, ...) end,
    on_gone = function(...) on_gone(self, ...) end,
  }))
  self._alive = self._alive + 1
  host.slot, host.begun, host.before, host.after = slot, 0, {}, {}
  return host
end

function start_unit(self, slot, unit)
  local host = self._spares[slot] or start_host(self, slot)
  self._spares[slot] = nil
  self._running = self._running + 1
  host.unit = unit
  table.insert(self.hosts, host)
  local told = self._describe(unit, host, slot)
  host:run(told)
  host:set_limit(told.timeout or 0) -- for what -e says, and for the helper
  if #self._units > 0 then self._spares[slot] = start_host(self, slot) end
end

-- A file's own journal, or that of a part of it.
local function make_journal(self, parts, file)
  local journal = self.journals[file.index] or Journal.new()
  self.journals[file.index] = journal
  if not file.part then return journal end
  parts[file.index] = parts[file.index] or split.journals(file.name, journal, file.part.count)
  return parts[file.index][file.part.index]
end

local function make_journals(self, units)
  local parts = {}
  for _, unit in ipairs(units) do
    for _, file in ipairs(unit) do
      self._journal_of[file] = make_journal(self, parts, file)
    end
  end
end

--- Begins the units.
---@param options PoolOptions
---@return Pool
function Pool.start(options)
  local self = setmetatable({
    journals = {},
    hosts = {},
    is_stopped = false,
    _journal_of = {},
    _units = options.units,
    _alone = options.alone,
    _running = 0,
    _describe = options.describe,
    _spares = {},
    _waiters = {},
    _alive = 0,
    _count = 0,
  }, Pool)
  make_journals(self, options.units)
  make_journals(self, options.alone)
  for slot = 0, options.slots - 1 do
    next_unit(self, slot)
  end
  return self
end

--- Awaits that something happens to the workers: one has loaded, or gone.
function Pool:wait()
  local promise = promises.pending()
  table.insert(self._waiters, promise)
  promise:await()
end

--- Begins nothing more, and ends what runs. What its workers have told by then still comes.
function Pool:stop()
  if self.is_stopped then return end
  self.is_stopped = true
  complete_all(self, self._units)
  complete_all(self, self._alone)
  for _, host in ipairs(self.hosts) do
    host:kill()
  end
  notify(self)
end

--- Awaits the end of all workers.
function Pool:finish()
  for _, host in pairs(self._spares) do
    host:kill()
  end
  while self._alive > 0 do
    self:wait()
  end
end

return Pool
