-- SPDX-License-Identifier: MIT
-- `lunette test --coverage`: what LuaCov counts in the workers is added up. A small stand-in plays
-- LuaCov, which counts the lines of one module; the functions used of it are LuaCov's.
local suite = require "spec.support.suite"

local RUNNER <const> = [[
  local stats = require "luacov.stats"
  local runner = { data = {}, defaults = {} }
  function runner.load_config(name)
    runner.configuration = { statsfile = "stats", exclude = {}, runreport = name == "report" }
    return runner.configuration
  end
  function runner.update_stats(old, extra)
    for line, hits in pairs(extra) do old[line] = (old[line] or 0) + hits end
  end
  function runner.save_stats()
    local all = stats.load(runner.configuration.statsfile) or {}
    for name, lines in pairs(runner.data) do
      all[name] = all[name] or {}
      runner.update_stats(all[name], lines)
    end
    stats.save(runner.configuration.statsfile, all)
    runner.data = {}
  end
  function runner.run_report() print("report", io.open(runner.configuration.statsfile):read "a") end
  local function count(_, line)
    local name = debug.getinfo(2, "S").source
    if name ~= "@./src/counted.lua" then return end
    runner.data[name] = runner.data[name] or {}
    runner.data[name][line] = (runner.data[name][line] or 0) + 1
  end
  return setmetatable(runner, { __call = function(_, name)
    runner.load_config(name)
    debug.sethook(count, "l")
  end })
]]

local STATS <const> = [[
  local stats = {}
  function stats.load(path)
    local file = io.open(path)
    if not file then return nil end
    local data = {}
    for name, line, hits in file:read "a":gmatch "(%S+) (%d+) (%d+)\n" do
      data[name] = data[name] or {}
      data[name][tonumber(line)] = tonumber(hits)
    end
    file:close()
    return data
  end
  function stats.save(path, data)
    local file, list = io.open(path, "w"), {}
    for name, lines in pairs(data) do
      for line, hits in pairs(lines) do
        list[#list + 1] = ("%s %d %d\n"):format(name, line, hits)
      end
    end
    table.sort(list)
    file:write(table.concat(list)):close()
  end
  return stats
]]

local FILES <const> = {
  ["luacov/runner.lua"] = RUNNER,
  ["luacov/stats.lua"] = STATS,
  ["src/counted.lua"] = "return function()\n  return 1\nend\n",
}
for i = 1, 4 do
  FILES[("spec/f%d_spec.lua"):format(i)] = ([[
    local counted = require "counted"
    it("t", function() for _ = 1, %d do counted() end end)
  ]]):format(i)
end

describe("lunette test --coverage", function()
  it("adds up what all workers counted, and has it reported", function()
    local result = suite.run(FILES, { "-c", "--coverage-config-file=report", "-o", "TAP" })
    assert.equal("", result.stderr)
    local counts = "@./src/counted.lua 2 10\n@./src/counted.lua 3 4\n"
    assert.matches("report\t" .. counts, result.stdout, 1, true)
  end)

  it("says that LuaCov is not there as busted does", function()
    local files = { ["spec/a_spec.lua"] = "it('a', function() end)" }
    assert.same(suite.run_plainly(files, { "-c" }), suite.run(files, { "-c" }))
  end)
end)
