--- Coverage of a run: adds up what LuaCov counted in the workers, and reports it if LuaCov is to.
local import = ...
local workplace = import "test.workplace"

local M = {}

--- The file of a worker's counts.
---@param host Host
---@return string
function M.path(host)
  return workplace.path(host.number .. ".stats")
end

local function add(runner, data, counts)
  for name, lines in pairs(counts) do
    if data[name] then
      runner.update_stats(data[name], lines)
    else
      data[name] = lines
    end
  end
end

--- Adds the counts of these workers to LuaCov's file.
---@param hosts Host[]
---@param config string? the file of LuaCov's configuration
function M.collect(hosts, config)
  local runner, stats = require "luacov.runner", require "luacov.stats"
  local configuration = runner.load_config(config)
  local data = stats.load(configuration.statsfile) or {}
  for _, host in ipairs(hosts) do
    add(runner, data, stats.load(M.path(host)) or {})
  end
  stats.save(configuration.statsfile, data)
  if configuration.runreport then runner.run_report(configuration) end
end

return M
