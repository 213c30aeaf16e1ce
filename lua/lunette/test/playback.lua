--- Plays recordings of all shards of a suite as one run: stands where the pool of workers would.
local import = ...
local Journal = import "test.journal"
local Recording = import "test.recording"

---@class Playback
---@field head table of the first recording
local Playback = {}
Playback.__index = Playback

-- The host of that number in a round of a recording.
local function host_of(round, hosts, number)
  if not hosts[number] then
    hosts[number] = { number = #round.hosts + 1, before = {}, after = {}, ending = {} }
    table.insert(round.hosts, hosts[number])
  end
  return hosts[number]
end

local function journal_of(round, host, name)
  local journal = round.journals[name] or Journal.new()
  round.journals[name], journal.host = journal, host
  return journal
end

-- By role: where an entry belongs.
local ROLES <const> = {
  loaded = function(_, host, entry)
    host.loaded = entry
  end,
  before = function(_, host, entry)
    table.insert(host.before, entry)
  end,
  after = function(_, host, entry)
    table.insert(host.after, entry)
  end,
  torn_down = function(_, host, entry)
    host.torn_down = entry
  end,
  suite_ended = function(_, host, entry)
    host.suite_ended = entry
  end,
  ended = function(_, host, entry)
    host.ended = entry
  end,
  file = function(round, host, entry)
    if entry.mark == "begin" then host.journal = journal_of(round, host, entry.name) end
    host.journal:append(entry)
  end,
  death = function(round, host, entry)
    journal_of(round, host, entry.file):append(entry)
  end,
}

local function add_entry(round, hosts, item)
  item.entry.piece = item.piece
  ROLES[item.role](round, host_of(round, hosts, item.host), item.entry)
end

-- By kind: what an item adds; `state` has the round and the hosts of the recording that is read.
local KINDS <const> = {
  head = function() end,
  ["end"] = function() end,
  ["load-error"] = function(self, _, item)
    local name = item.element.name
    if name then self._errors[name] = item else table.insert(self._lost, item) end
  end,
  round = function(self, state, item)
    local round = self._rounds[item.number]
    round = round or { seed = item.seed, hosts = {}, journals = {}, duration = 0 }
    self._rounds[item.number], state.round, state.hosts = round, round, {}
  end,
  entry = function(_, state, item)
    add_entry(state.round, state.hosts, item)
  end,
  ["round-end"] = function(_, state, item)
    state.round.duration = math.max(state.round.duration, item.duration)
  end,
}

local function add(self, items)
  local state = {}
  for _, item in ipairs(items) do
    KINDS[item.kind](self, state, item)
  end
end

-- All shards must be there, once.
local function check_shards(heads, paths)
  local found, count = {}, nil
  for index, head in ipairs(heads) do
    local part = head.shard or { index = 1, count = 1 }
    count = count or part.count
    if part.count ~= count then return nil, paths[index] .. ": of another number of shards" end
    if found[part.index] then
      return nil, ("%s: shard %d/%d once more"):format(paths[index], part.index, count)
    end
    found[part.index] = true
  end
  for index = 1, count do
    if not found[index] then return nil, ("shard %d/%d is missing"):format(index, count) end
  end
  return true
end

--- Reads the recordings. Returns nil and a message when they are not those of one whole suite.
---@param paths string[]
---@return Playback?, string?
function Playback.open(paths)
  local self = setmetatable({ _rounds = {}, _errors = {}, _lost = {} }, Playback)
  local heads = {}
  for index, path in ipairs(paths) do
    local items, err = Recording.read(path)
    if not items then return nil, err end
    heads[index] = items[1]
    add(self, items)
  end
  local ok, err = check_shards(heads, paths)
  if not ok then return nil, err end
  self.head = heads[1]
  return self
end

--- Registers the files as busted would, or tells why they did not compile.
---@param core table busted's core
function Playback:load(core)
  for _, item in ipairs(self._lost) do
    core.publish(item.channel, item.element, nil, item.message, {})
  end
  for _, name in ipairs(self.head.files) do
    local item = self._errors[name]
    if item then
      core.publish(item.channel, item.element, nil, item.message, {})
    else
      core.executors.file(name, function() end)
    end
  end
end

--- How many rounds there were.
---@return integer
function Playback:count()
  return #self._rounds
end

--- Gives a round the order of files that it had when it was recorded.
---@param core table busted's core
---@param round table
function Playback:prepare(core, round)
  round.seed = self._rounds[round.number].seed
  round.options = self.head.order
  core.randomseed = round.seed
end

-- Elements of files have the numbers that the files have in this report.
local function renumber(journals, indices)
  for _, journal in pairs(journals) do
    journal:each(function(entry)
      for _, definition in ipairs(entry.new or {}) do
        if definition.file then definition.file = indices[definition.name] end
      end
    end)
  end
end

--- What stands for the pool of workers in a round.
---@param round table
---@param files table[]
---@return table
function Playback:pool(round, files)
  local recorded, journals, indices = self._rounds[round.number], {}, {}
  for index, file in ipairs(files) do
    indices[file.name] = index
    journals[index] = recorded.journals[file.name] or Journal.new()
    journals[index]:complete()
  end
  renumber(recorded.journals, indices)
  local function nothing() end
  return { hosts = recorded.hosts, journals = journals, stop = nothing, finish = nothing }
end

--- Gives the suite, which is about to end, the time that it took: that of the longest shard.
---@param core table
---@param root table
---@param round table
function Playback:set_duration(core, root, round)
  local monotime = core.monotime
  local duration = self._rounds[round.number].duration
  core.monotime = function()
    core.monotime = monotime
    return root.starttick + duration
  end
end

return Playback
