--- Which files run in which order, and which of them share a worker.
local M = {}

--- The elements of the files that were loaded, in busted's order.
---@param core table
---@return table[]
function M.loaded(core)
  local children = core.context.children(core.context.get())
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
  core.randomseed = tonumber(round.options.seed) or utils.urandom() or os.time()
  core.safe_publish("suite", { "suite", "reset" }, root, round.number, round.count)
end

local function sort(files)
  table.sort(files, function(a, b)
    return a.name < b.name
  end)
end

--- The files in the order of this round.
---@param core table
---@return table[]
function M.order(core, _, round)
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

--- The files in units, each for one worker.
---@return table[]
function M.units(_, files)
  local units = {}
  for index, file in ipairs(files) do
    units[index] = { { index = index, name = file.name } }
  end
  return units
end

return M
