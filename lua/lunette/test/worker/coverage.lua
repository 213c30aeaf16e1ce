--- Coverage in a worker: LuaCov counts in a file of the worker's own, which the controller adds up.
local import = ...
local busted_modules = import "test.busted_modules"

local M = {}

-- LuaCov's runner, when it counts here, and the file that is its; either may be known first.
local runner, stats_path

local function direct()
  if not runner or not stats_path then return end
  runner.configuration.statsfile, runner.configuration.runreport = stats_path, false
end

--- Keeps the LuaCov that busted is about to start.
function M.swap()
  busted_modules.swap("busted.modules.luacov", function(real)
    local start = real()
    return function(...)
      local ok, err = start(...)
      if ok then runner = require "luacov.runner" end
      direct()
      return ok, err
    end
  end)
end

--- From now on LuaCov's counts are for that file.
---@param path string
function M.enter(path)
  stats_path = path
  direct()
end

--- Writes what was counted.
function M.save()
  if runner then runner.save_stats() end
end

return M
