--- Which part of the files is this machine's: --shard I/N.
local import = ...
local core_os = import "core.os"
local path = import "common.path"
local times = import "test.times"

local M = {}

--- The I and N of "I/N"; nil when that is none.
---@param text any
---@return {index: integer, count: integer}?
function M.parse(text)
  local index, count = tostring(text):match "^(%d+)/(%d+)$"
  index, count = math.tointeger(tonumber(index)), math.tointeger(tonumber(count))
  if not index or index < 1 or index > count then return nil end
  return { index = index, count = count }
end

-- The name that a file has on every machine: relative to the working folder.
local function relative(name)
  local cwd = assert(core_os.cwd())
  local full = path.resolve(cwd, name)
  if full:sub(1, #cwd + 1) == cwd .. "/" then return full:sub(#cwd + 2) end
  return full
end

-- The shard of each file, from 1, by position in the sorted list: neighbours are spread.
local function deal(names, count)
  local shards = {}
  for position, name in ipairs(names) do
    shards[name] = (position - 1) % count + 1
  end
  return shards
end

-- The longest first, each to the shard that has least to do.
local function balance(names, count, known)
  local expected, loads, shards = times.expect(names, known), {}, {}
  local longest = table.move(names, 1, #names, 1, {})
  table.sort(longest, function(a, b)
    if expected[a] ~= expected[b] then return expected[a] > expected[b] end
    return a < b
  end)
  for index = 1, count do
    loads[index] = 0
  end
  for _, name in ipairs(longest) do
    local least = 1
    for index = 2, count do
      if loads[index] < loads[least] then least = index end
    end
    shards[name], loads[least] = least, loads[least] + expected[name]
  end
  return shards
end

--- Those of the files that are this shard's, in their order.
---@param files string[]
---@param shard {index: integer, count: integer}
---@param known Times?
---@return string[]
function M.pick(files, shard, known)
  local names = {}
  for index, file in ipairs(files) do
    names[index] = relative(file)
  end
  table.sort(names)
  local shards = known and balance(names, shard.count, known) or deal(names, shard.count)
  local picked = {}
  for _, file in ipairs(files) do
    if shards[relative(file)] == shard.index then picked[#picked + 1] = file end
  end
  return picked
end

return M
