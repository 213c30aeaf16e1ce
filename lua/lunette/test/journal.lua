--- What a worker told of one file, in order: written as it comes, read, by whoever reports, as far
--- as it is there.
local import = ...
local promises = import "common.promise"

---@class Journal
---@field host Host? whose worker runs the file
---@field is_complete boolean
local Journal = {}
Journal.__index = Journal

---@param on_complete fun()?
---@return Journal
function Journal.new(on_complete)
  local self = { is_complete = false, _entries = {}, _first = 1, _last = 0 }
  self._on_complete = on_complete
  return setmetatable(self, Journal)
end

local function wake(self)
  local waiter = self._waiter
  self._waiter = nil
  if waiter then promises.fulfil(waiter) end
end

---@param entry table
function Journal:append(entry)
  self._last = self._last + 1
  self._entries[self._last] = entry
  wake(self)
end

--- Nothing more comes.
function Journal:complete()
  if self.is_complete then return end
  self.is_complete = true
  wake(self)
  if self._on_complete then self._on_complete() end
end

--- Calls fn(entry) for those that were not taken yet.
---@param fn fun(entry: table)
function Journal:each(fn)
  for index = self._first, self._last do
    fn(self._entries[index])
  end
end

--- Awaits the next entry; nil at the end.
---@return table?
function Journal:next()
  while self._first > self._last do
    if self.is_complete then return nil end
    self._waiter = promises.pending()
    self._waiter:await()
  end
  local entry = self._entries[self._first]
  self._entries[self._first] = nil
  self._first = self._first + 1
  return entry
end

return Journal
