-- SPDX-License-Identifier: MIT
-- `make soak`: lunette spec/soak/run.lua [--minutes=N] [--seed=N]. Tells what was done, and fails
-- with a line for each promise that was broken.
package.path = "./?.lua;" .. package.path
local lunette = require "lunette"
local soak = require "spec.soak.soak"
local switch = lunette.app.commandLine.getSwitchValue

local MIB <const> = 1 << 20

local minutes = tonumber(switch "minutes") or 1
local seed = math.tointeger(tonumber(switch "seed")) or os.time()
print(("soak: %g minutes, seed %d"):format(minutes, seed))
io.stdout:flush()

local result = soak.run { seconds = math.ceil(minutes * 60), seed = seed }

local function list(counts)
  local words = {}
  for name, count in pairs(counts) do words[#words + 1] = name .. " " .. count end
  table.sort(words)
  return table.concat(words, ", ")
end

print(("%d apps, %d messages handled"):format(result.apps, result.handled))
print("done to windows: " .. list(result.did))
print("renderers gone: " .. list(result.gone))
for _, size in ipairs(result.sizes) do
  local before, after = size[1] / MIB, size[2] / MIB
  print(("%s: %s %.2f MiB, then %.2f"):format(size.name, size.field, before, after))
end
for text in pairs(result.skipped) do print("skipped: " .. text) end
for _, text in ipairs(result.faults) do print("fault: " .. text) end
print(#result.faults .. " faults")
os.exit(#result.faults == 0 and 0 or 1)
