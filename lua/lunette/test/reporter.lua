--- Reports one round of a suite: takes what the workers told, file by file in the serial order, and
--- has it published.
local import = ...
local Replay = import "test.replay"
local busted_modules = import "test.busted_modules"
local obituary = import "test.obituary"

---@class Reporter
---@field times Times how long each file took
local Reporter = {}
Reporter.__index = Reporter

---@param core table busted's core
---@param pool Pool or what plays a recording
---@param files table[] the elements of the files, by index
---@param recording Recording? keeps all that is reported
---@return Reporter
function Reporter.new(core, pool, files, recording)
  return setmetatable({
    times = {},
    _core = core,
    _pool = pool,
    _files = files,
    _recording = recording,
    _replay = Replay.new(core, files),
    _told = {},
  }, Reporter)
end

-- What was printed up to an entry; `role` says what the entry is to its worker.
local function take(self, host, role, entry)
  local piece = entry.piece
  if not piece and role == "death" then piece = host.capture:finish() end
  piece = piece or host.capture:take(entry.out, entry.err)
  if self._recording then self._recording:entry(host, role, entry, piece) end
  return piece
end

-- Prints and publishes what happened outside the files, at `place`, unless another worker said the
-- very same there: each has loaded the same helper.
local function tell_once(self, host, role, entry, place)
  local piece = take(self, host, role, entry)
  local key = table.concat({ place or role, piece.out, piece.err, entry.message or "" }, "\0")
  if self._told[key] then return end
  self._told[key] = true
  Replay.print(piece)
  if entry.channel then self._replay:publish(host, entry) end
end

local function tell_loaded(self, host)
  if not host.loaded or host.has_told_loaded then return end
  host.has_told_loaded = true
  tell_once(self, host, "loaded", host.loaded)
end

-- What came before a worker's first file.
local function introduce(self, host)
  if host.is_introduced then return end
  host.is_introduced = true
  tell_loaded(self, host)
  for index, entry in ipairs(host.before) do
    tell_once(self, host, "before", entry, "before " .. index)
  end
end

-- What came behind its last one.
local function dismiss(self, host)
  introduce(self, host)
  for index, entry in ipairs(host.after) do
    tell_once(self, host, "after", entry, "after " .. index)
  end
  if host.torn_down then tell_once(self, host, "torn_down", host.torn_down) end
end

local function bury(self, host, file, entry)
  introduce(self, host)
  entry.text = entry.text or obituary.describe(host)
  entry.file = file.name
  Replay.print(take(self, host, "death", entry))
  self._replay:bury(file, entry.text, entry.inside)
end

-- What a file has left open, on standard error.
local function name_handles(file, handles)
  local list = {}
  for type, count in pairs(handles) do
    list[#list + 1] = ("%d %s"):format(count, type)
  end
  table.sort(list)
  if #list == 0 then return end
  io.stderr:write(("lunette test: %s left open: %s\n"):format(file.name, table.concat(list, ", ")))
end

local function play_entry(self, host, file, entry)
  if entry.death then return bury(self, host, file, entry) end
  if entry.mark == "begin" then
    local is_first = not host.is_introduced
    introduce(self, host)
    entry.name = file.name
    if is_first then return tell_once(self, host, "file", entry, "begin") end
  end
  Replay.print(take(self, host, "file", entry))
  if entry.channel then self._replay:publish(host, entry) end
  if entry.handles then name_handles(file, entry.handles) end
end

local function play_file(self, index, file)
  local journal = self._pool.journals[index]
  local entry = journal:next()
  while entry do
    play_entry(self, journal.host, file, entry)
    entry = journal:next()
  end
  if self._replay:is_open() then
    bury(self, journal.host, file, { death = true, text = "interrupted" })
  end
  self.times[file.name] = file.duration
end

--- Awaits that the first worker has loaded its helper: what that prints comes before all else.
function Reporter:begin()
  local pool = self._pool
  local host = pool.hosts[1]
  while host and not (host.loaded or host.ending or pool.failed_host) do
    pool:wait()
  end
  local failed = pool.failed_host
  if failed then
    Replay.print(failed.capture:finish())
    pool:finish()
    busted_modules.exit(failed.gave_up.code)
  end
  if host then tell_loaded(self, host) end
end

--- Reports all files.
function Reporter:play()
  for index, file in ipairs(self._files) do
    if self._core.skipAll then break end
    play_file(self, index, file)
  end
  if self._core.skipAll then self._pool:stop() end
end

--- Awaits the workers' ends, and reports what they said behind their files.
function Reporter:finish()
  self._pool:finish()
  for _, host in ipairs(self._pool.hosts) do
    if host.ended then dismiss(self, host) end
  end
end

--- Prints what helpers said at the end of the suite ("suite_ended"), or of the run ("ended").
---@param role string
function Reporter:tell_end(role)
  for _, host in ipairs(self._pool.hosts) do
    if host[role] then tell_once(self, host, role, host[role]) end
  end
end

return Reporter
