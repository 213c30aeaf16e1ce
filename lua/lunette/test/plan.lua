--- Which files run in which order, and which of them share a worker.
local import = ...
local times = import "test.times"

local M = {}

--- The elements of the files that were loaded, in busted's order. They do not run here: output
--- handlers such as json, which tell all of an element, could not tell of functions.
---@param core table
---@return table[]
function M.loaded(core)
  local children = core.context.children(core.context.get())
  for _, file in ipairs(children) do
    file.run = {}
  end
  return table.move(children, 1, #children, 1, {})
end

--- Begins another run of the suite as busted does: with a new root, and all handlers told.
---@param core table
---@param round table
function M.reset(core, round)
  local old = core.context.get()
  core.context.clear()
  local root = core.context.get()
  for key, value in pairs(old) do
    root[key] = value
  end
  for _, file in ipairs(round.files) do
    core.context.attach(file)
  end
  local utils = require "busted.utils"
  core.randomseed = round.seed or tonumber(round.options.seed) or utils.urandom() or os.time()
  core.safe_publish("suite", { "suite", "reset" }, root, round.number, round.count)
end

local function sort(files)
  table.sort(files, function(a, b)
    return a.name < b.name
  end)
end

--- The files in the order of this round.
---@param core table
---@param round table
---@return table[]
function M.order(core, round)
  local root = core.context.get()
  local files = core.context.children(root)
  if round.options.sort then
    sort(files)
  elseif round.options.shuffle then
    root.randomseed = core.randomseed
    require("busted.utils").shuffle(files, core.randomseed)
  end
  return table.move(files, 1, #files, 1, {})
end

-- What to expect of a file, or of a part of one.
local function expected_of(entry, expected)
  return expected[entry.name] / (entry.part and entry.part.count or 1)
end

-- Units of one entry each, the longest first; equals stay in order.
local function one_by_one(entries, expected)
  local units, position_of = {}, {}
  for position, entry in ipairs(entries) do
    units[position] = { entry }
    position_of[entry] = position
  end
  table.sort(units, function(a, b)
    local first, second = expected_of(a[1], expected), expected_of(b[1], expected)
    if first ~= second then return first > second end
    return position_of[a[1]] < position_of[b[1]]
  end)
  return units
end

-- As many runs of neighbours as there are slots, of about the same length.
local function runs(entries, expected, slots)
  local total, sum, units = 0, 0, {}
  for _, entry in ipairs(entries) do
    total = total + expected[entry.name]
  end
  for _, entry in ipairs(entries) do
    local middle = sum + expected[entry.name] / 2
    local number = math.min(math.floor(middle / total * slots) + 1, slots)
    sum = sum + expected[entry.name]
    units[number] = units[number] or {}
    table.insert(units[number], entry)
  end
  local list = {}
  for number = 1, slots do
    if units[number] then list[#list + 1] = units[number] end
  end
  return list
end

local function matches_any(name, patterns)
  for _, pattern in ipairs(patterns) do
    if name:find(pattern) then return true end
  end
  return false
end

-- An entry for each part of the file: one for each worker.
local function insert_parts(list, index, name, count)
  for part = 1, count do
    table.insert(list, { index = index, name = name, part = { index = part, count = count } })
  end
end

-- The files by how they run: side by side, in parts, alone; and their names.
local function sort_out(files, settings)
  local entries, parts, alone, names = {}, {}, {}, {}
  for index, file in ipairs(files) do
    local is_alone = matches_any(file.name, settings.serial)
    if not is_alone and settings.jobs > 1 and matches_any(file.name, settings.split) then
      insert_parts(parts, index, file.name, settings.jobs)
    else
      table.insert(is_alone and alone or entries, { index = index, name = file.name })
    end
    names[index] = file.name
  end
  return entries, parts, alone, names
end

local function append(list, more)
  return table.move(more, 1, #more, #list + 1, list)
end

--- The files in units, each for one worker: those to run side by side, and those to run alone.
---@param files table[] elements, in their order
---@param settings TestSettings
---@param known Times
---@return table[], table[]
function M.units(files, settings, known)
  local entries, parts, alone, names = sort_out(files, settings)
  local expected = times.expect(names, known)
  if settings.isolate == "none" then
    local units = append(one_by_one(parts, expected), runs(entries, expected, settings.jobs))
    return units, runs(alone, expected, 1)
  end
  return one_by_one(append(parts, entries), expected), one_by_one(alone, expected)
end

return M
