--- What stands in a worker where an output handler would: tells the controller of each event, with
--- how much was printed before it.
---
--- An entry that crosses has: out, err (bytes printed so far), and one of
---   channel, element, parent, ...  an event, to be published there
---   mark      how far the run has come: "loaded" (the helper), "begin" and "done" (a file),
---             "torn-down", "suite-ended", "ended"; or "gave-up". With --split also "test",
---             with its number, its name and whether it is run here, and then "tested"
---   limit     milliseconds that what runs may take
---   exiting   what os.exit was called with, and where
--- Elements cross by number; `new` defines those that the entry is the first to mention.
local import = ...
local portable = import "test.worker.portable"

-- How long an event waits for a controller that is busy: it is not to be lost with a crash.
local DRAIN_MS <const> = 3600 * 1000

local TIMES <const> = { "starttick", "starttime", "endtick", "endtime", "duration" }

-- Elements whose errors busted's own handlers listen to apart from all others: a helper may keep
-- these from going on to the general listeners.
local OUTCOMES <const> = { "it", "file", "describe" }

---@class Relay
local Relay = {}
Relay.__index = Relay

---@param printed fun(): integer, integer
---@return Relay
function Relay.new(printed)
  return setmetatable({ _printed = printed, _ids = {}, _count = 0 }, Relay)
end

--- Whom to tell.
---@param peer Peer
function Relay:connect(peer)
  self._peer = peer
end

local function send(self, entry)
  entry.out, entry.err = self._printed()
  self._peer:send_internal("entry", entry)
  self._peer:drain(DRAIN_MS)
end

--- Tells how far the run has come.
---@param name string
function Relay:mark(name)
  self._is_loaded = true
  send(self, { mark = name })
end

--- Whether the files were about to run.
function Relay:has_loaded()
  return self._is_loaded
end

--- The file with this index in the controller's list is next.
---@param index integer
function Relay:begin(index)
  self._file = index
  send(self, { mark = "begin", file = index })
end

--- It has run.
---@param handles table<string, integer>? what it left open, by type
function Relay:done(handles)
  send(self, { mark = "done", handles = handles })
end

--- A test of a file that is run in part begins, or is left out.
---@param number integer
---@param name string
---@param is_ours boolean
function Relay:test(number, name, is_ours)
  send(self, { mark = "test", number = number, name = name, is_ours = is_ours })
end

--- It has run, with its hooks.
function Relay:tested()
  send(self, { mark = "tested" })
end

--- The runner would have ended the process before the first file.
---@param code integer
function Relay:gave_up(code)
  send(self, { mark = "gave-up", code = code })
end

--- What runs now is limited to that time; nil: not any more.
---@param ms integer?
function Relay:limit(ms)
  send(self, { limit = ms or 0 })
end

--- The process is about to end, as a spec wants it.
---@param code integer
---@param traceback string
function Relay:exiting(code, traceback)
  send(self, { exiting = { code = code, traceback = traceback } })
end

--- There is nothing more to tell.
function Relay:close()
  self._peer:drain(DRAIN_MS)
  self._peer:close "the specs have run"
end

-- The number of an element, which is defined in entry.new before its first use. The root is 0.
local function number_of(self, element, entry)
  if not element then return nil end
  local id = self._ids[element]
  if id then return id end
  local parent = number_of(self, self._core.context.parent(element), entry)
  id = self._count + 1
  self._count, self._ids[element] = id, id
  local definition = portable.element(element)
  definition.id, definition.parent = id, parent
  if element.descriptor == "file" then definition.file = self._file end
  entry.new = entry.new or {}
  table.insert(entry.new, definition)
  return id
end

local function take_times(element)
  local times = {}
  for _, name in ipairs(TIMES) do
    times[name] = element[name]
  end
  return times
end

-- A file, describe or test has started or ended.
local function tell_step(self, channel, element, parent, status)
  local entry = { channel = channel, status = status, times = take_times(element) }
  entry.element = number_of(self, element, entry)
  entry.parent = number_of(self, parent, entry)
  entry.seed = parent and parent.randomseed
  send(self, entry)
end

-- An error, a failure or a pending test.
local function tell_outcome(self, status, element, parent, message, trace)
  if trace and trace == self._told then return end -- by the listener to its descriptor
  self._told = trace
  local entry = { channel = { status, element.descriptor }, message = message }
  entry.element = number_of(self, element, entry)
  entry.parent = number_of(self, parent, entry)
  entry.seed = parent and parent.randomseed
  entry.trace = trace == element.trace and "element" or portable.trace(trace)
  send(self, entry)
end

local function subscribe_steps(self, core)
  for _, kind in ipairs { "file", "describe", "test" } do
    for _, edge in ipairs { "start", "end" } do
      local channel = { kind, edge }
      core.subscribe(channel, function(...)
        tell_step(self, channel, ...)
        return nil, true
      end)
    end
  end
end

local function subscribe_outcomes(self, core)
  for _, status in ipairs { "error", "failure", "pending" } do
    local function listener(...)
      tell_outcome(self, status, ...)
      return nil, true
    end
    for _, descriptor in ipairs(OUTCOMES) do
      core.subscribe({ status, descriptor }, listener)
    end
    core.subscribe({ status }, listener)
  end
end

--- Subscribes to all that output handlers listen to. The language is that of assertions' messages.
---@param core table busted's core
---@param language string
function Relay:listen(core, language)
  require "busted.languages.en"
  if language ~= "en" then require("busted.languages." .. language) end
  self._core = core
  self._ids[core.context.get()] = 0
  subscribe_steps(self, core)
  subscribe_outcomes(self, core)
end

return Relay
