--- The record of a run, for a report of it elsewhere: what was told of each file, with what was
--- printed in between.
---
--- A recording is a sequence of items, tables with a `kind`, each behind its length:
---   head        version, files (all, not only those of the shard), shard, seed, order
---   load-error  channel, element, message: before the suite starts
---   round       number, seed
---   entry       host, role, entry, piece: see reporter.lua
---   round-end   duration
---   end         nothing is missing
local import = ...
local clone = import "core.clone"
local core_os = import "core.os"

local VERSION <const> = 1

---@class Recording
local Recording = {}
Recording.__index = Recording

--- Begins a file. Returns nil and a message when it cannot be written.
---@param path string
---@return Recording?, string?
function Recording.create(path)
  local file, err = io.open(path, "wb")
  if not file then return nil, err end
  return setmetatable({ _file = file }, Recording)
end

-- The first failure is kept for the end: the suite runs on all the same.
local function write(self, kind, item)
  item.kind = kind
  local ok, err = self._file:write(string.pack("<s4", clone.encode(item)))
  if not ok then self._failure = self._failure or err end
end

--- What the run is of.
---@param files string[]
---@param settings TestSettings
---@param seed integer
function Recording:begin(files, settings, seed)
  write(self, "head", {
    version = VERSION, files = files, shard = settings.shard, seed = seed, order = settings.order,
  })
end

--- What loading has published.
---@param arguments table channel, element, parent (nil), message
function Recording:load_error(arguments)
  local element = arguments[2]
  write(self, "load-error", {
    channel = arguments[1],
    element = { descriptor = element.descriptor, name = element.name },
    message = arguments[4],
  })
end

---@param number integer
---@param seed integer
function Recording:round(number, seed)
  write(self, "round", { number = number, seed = seed })
end

---@param host Host
---@param role string
---@param entry table
---@param piece {out: string, err: string}
function Recording:entry(host, role, entry, piece)
  write(self, "entry", { host = host.number, role = role, entry = entry, piece = piece })
end

---@param duration number
function Recording:finish_round(duration)
  write(self, "round-end", { duration = duration })
end

--- Ends the file; as one that is whole unless the run was cut short. Returns true, or nil and why
--- it could not be written.
---@param is_whole boolean
---@return true?, string?
function Recording:close(is_whole)
  if is_whole then write(self, "end", {}) end
  local ok, err = self._file:close()
  local failure = self._failure or not ok and err
  if failure then return nil, failure end
  return true
end

--- The items of a file, in order. Or nil and a message.
---@param path string
---@return table[]?, string?
function Recording.read(path)
  local text, err = core_os.read_file(path)
  if not text then return nil, err end
  local items, at = {}, 1
  while at <= #text do
    local ok, bytes, after = pcall(string.unpack, "<s4", text, at)
    local item = ok and clone.decode(bytes)
    if type(item) ~= "table" then return nil, path .. ": not a recording, or a part of one" end
    items[#items + 1], at = item, after
  end
  local head, last = items[1], items[#items]
  if not head or head.kind ~= "head" or last.kind ~= "end" then
    return nil, path .. ": not a recording, or a part of one"
  end
  if head.version ~= VERSION then return nil, path .. ": a recording of another version" end
  return items
end

return Recording
