-- SPDX-License-Identifier: MIT
-- Draws the chart of a run: lunette bench/chart.lua [build/bench.json] >docs/performance.svg
-- A bar a goal: how far Lunette is from it, on a logarithmic scale; shorter is better.
local lunette = require "lunette"

local path = arg[1] or "build/bench.json"
local file <close> = assert(io.open(path))
local result = lunette.json.decode(file:read "a")

local WIDTH <const>, LEFT <const>, RIGHT <const> = 980, 390, 160
local TOP <const>, STEP <const>, BAR <const> = 56, 22, 14
local LEAST <const>, MOST <const> = 0.1, 10 -- of the goal; beyond, a bar is cut off
local GOOD <const>, BAD <const> = "#2a7f62", "#c0562f"

local ESCAPES <const> = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["`"] = "" }

local function escape(text)
  return (text:gsub("[&<>`]", ESCAPES))
end

-- 1 is at the goal, less is better than it.
local function share_of_goal(row)
  if row.at_most then return row.result / row.at_most end
  return row.at_least / row.result
end

local function x_of(share)
  local clamped = math.min(math.max(share, LEAST), MOST)
  local part = math.log(clamped / LEAST) / math.log(MOST / LEAST)
  return LEFT + part * (WIDTH - LEFT - RIGHT)
end

local lines = {}

local function add(text, ...)
  lines[#lines + 1] = text:format(...)
end

local function add_bar(row, y)
  local end_x = x_of(share_of_goal(row))
  local goal = row.at_most and "≤ " .. row.at_most or "≥ " .. row.at_least
  add('<text x="%d" y="%d" text-anchor="end">%s</text>', LEFT - 8, y + 11, escape(row.title))
  add('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>',
    LEFT, y, end_x - LEFT, BAR, row.met and GOOD or BAD)
  add('<text x="%.1f" y="%d">%.3g %s (goal %s)</text>',
    math.max(end_x, x_of(1)) + 6, y + 11, row.result, row.unit, goal)
end

local rows = {}
for _, row in ipairs(result.rows) do
  if row.met ~= nil then rows[#rows + 1] = row end
end

local height = TOP + #rows * STEP + 12
add('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
  .. 'font-family="sans-serif" font-size="12">', WIDTH, height, WIDTH, height)
add '<rect width="100%%" height="100%%" fill="#ffffff"/>'
add('<text x="12" y="20" font-size="15">Lunette and its goals: each bar is the result as a part of '
  .. 'its goal, logarithmic, shorter is better</text>')
add('<text x="12" y="40" fill="#555555">%s, %s, %d rounds; the line is the goal</text>',
  escape(result.machine.cpu), result.machine.date, result.machine.rounds)
for i, row in ipairs(rows) do add_bar(row, TOP + (i - 1) * STEP) end
add('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#333333" stroke-dasharray="4 3"/>',
  x_of(1), TOP - 6, x_of(1), height - 8)
add "</svg>"
print(table.concat(lines, "\n"))
