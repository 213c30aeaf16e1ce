--- Seeds from the clock: specs that say math.randomseed(os.time()), to draw names that nobody else
--- has, say it in several workers in the same second.
local import = ...
local core_state = import "core.state"

local M = {}

-- A seed so near to the present is taken for one.
local SECONDS <const> = 2

--- Replaces math.randomseed: a seed drawn from the clock gets the worker's number as its second
--- part. Any other seed gives the numbers that it always does.
---@param number integer
function M.install(number)
  local randomseed = math.randomseed
  math.randomseed = function(...)
    local seed = ...
    local is_clock = select("#", ...) == 1 and math.tointeger(seed)
      and math.abs(math.tointeger(seed) - os.time()) <= SECONDS
    if is_clock then return randomseed(math.tointeger(seed), number) end
    return randomseed(...)
  end
  randomseed(core_state.random(), core_state.random()) -- that of the process it was forked from
end

return M
