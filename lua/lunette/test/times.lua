--- How long files took: remembered from run to run, and for --shard-times in a file that all shards
--- share. A line a file: seconds, a blank, the name.
local import = ...
local core_os = import "core.os"

local M = {}

local PRIVATE <const> = 448 -- rwx------

---@alias Times table<string, number> seconds by the name of a file

--- Reads a file of times; nil when there is none.
---@param path string
---@return Times?
function M.read(path)
  local text = core_os.read_file(path)
  if not text then return nil end
  local times = {}
  for seconds, name in text:gmatch "([%d.]+) ([^\n]+)" do
    times[name] = tonumber(seconds)
  end
  return times
end

--- Writes a file of times, sorted by name. Returns true, or nil and a message.
---@param path string
---@param times Times
---@return true?, string?
function M.write(path, times)
  local lines = {}
  for name, seconds in pairs(times) do
    lines[#lines + 1] = ("%.4f %s\n"):format(seconds, name)
  end
  table.sort(lines, function(a, b)
    return a:match " (.*)" < b:match " (.*)"
  end)
  local file <close>, err = io.open(path, "w")
  if not file then return nil, err end
  file:write(table.concat(lines))
  return true
end

--- The file that remembers the times of this working folder; nil where there is no place for it.
---@return string?
function M.default_path()
  local home, cwd = core_os.home(), core_os.cwd()
  local cache = core_os.getenv "XDG_CACHE_HOME" or home and home .. "/.cache"
  if not cache or not cwd then return nil end
  return ("%s/lunette/test-times/%s"):format(cache, (cwd:gsub("[%%/]", "%%")))
end

-- Makes the folders above a path, as far as that can be done.
local function make_folders(path)
  local uv = import "core.luv"
  local parent = ""
  for part in path:gmatch "([^/]+)/" do
    parent = parent .. "/" .. part
    uv.fs_mkdir(parent, PRIVATE)
  end
end

--- Remembers times beside those that were known. What cannot be kept is not: it only speeds things
--- up.
---@param path string
---@param times Times
function M.remember(path, times)
  if next(times) == nil then return end
  local all = M.read(path) or {}
  for name, seconds in pairs(times) do
    all[name] = seconds
  end
  if M.write(path, all) then return end
  make_folders(path)
  M.write(path, all)
end

--- What to expect of each file: its time, or, from its size, what files of known times take.
---@param names string[]
---@param times Times
---@return Times
function M.expect(names, times)
  local path = require "pl.path"
  local sizes, known_size, known_time = {}, 0, 0
  for _, name in ipairs(names) do
    sizes[name] = (path.getsize(name) or 0) + 1
    if times[name] then
      known_size, known_time = known_size + sizes[name], known_time + times[name]
    end
  end
  local rate = known_time > 0 and known_time / known_size or 1
  local expected = {}
  for _, name in ipairs(names) do
    expected[name] = times[name] or sizes[name] * rate
  end
  return expected
end

return M
