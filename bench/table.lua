-- SPDX-License-Identifier: MIT
-- Prints the tables of a run again: lunette bench/table.lua [build/bench.json]
local lunette = require "lunette"
local goals = require "rows"
local summary = require "summary"

local path = arg[1] or "build/bench.json"
local file <close> = assert(io.open(path))
local result = lunette.json.decode(file:read "a")
local machine, lines = result.machine, {}

lines[1] = ("%s, %d cores, %s, %s; %d rounds."):format(
  machine.cpu, machine.cores, machine.system, machine.date, machine.rounds)
lines[2] = ""
summary.add_goals(lines, summary.rows(result.samples, goals))
lines[#lines + 1] = ""
summary.add_contenders(lines, result.samples)
print(table.concat(lines, "\n"))
