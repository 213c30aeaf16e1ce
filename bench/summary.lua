-- SPDX-License-Identifier: MIT
-- From samples to figures: medians, bests, ratios and their spread; and tables of them.
local M = {}

--- samples[contender][place][metric] is a list with {v=, min=, p99=} a round.
local function values_of(samples, source)
  local contender, metric, place, field = table.unpack(source, 1, 4)
  local rounds = ((samples[contender] or {})[place] or {})[metric] or {}
  local values = {}
  for _, round in ipairs(rounds) do values[#values + 1] = round[field or "v"] end
  return values
end

local function median(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

local function pick(row, values)
  if not row.best then return median(values) end
  return row.rate and math.max(table.unpack(values)) or math.min(table.unpack(values))
end

local function combine(row, value, base)
  if row.over then return value / base end
  return row.minus and value - base or value
end

-- The same figure for each round by itself: how far to trust it.
local function spread(row, values, bases)
  local least, most = math.huge, -math.huge
  for i, value in ipairs(values) do
    local result = combine(row, value, bases[i] or bases[#bases])
    least, most = math.min(least, result), math.max(most, result)
  end
  return least, most
end

local function is_met(row, result)
  if row.at_most then return result <= row.at_most end
  if row.at_least then return result >= row.at_least end
end

-- nil when one side has not run.
local function evaluate(samples, row)
  local values = values_of(samples, row.value)
  local source = row.over or row.minus
  local bases = source and values_of(samples, source) or {}
  if #values == 0 or source and #bases == 0 then return nil end
  local value, base = pick(row, values), source and pick(row, bases) or nil
  local result = combine(row, value, base)
  local least, most = spread(row, values, bases)
  return {
    title = row.title, to = row.to or "", unit = row.unit or "x", value = value, base = base,
    result = result, least = least, most = most, at_most = row.at_most, at_least = row.at_least,
    met = is_met(row, result),
  }
end

--- The goals' rows, those that could be measured.
---@return table[]
function M.rows(samples, rows)
  local list = {}
  for _, row in ipairs(rows) do list[#list + 1] = evaluate(samples, row) end
  return list
end

local function number(value)
  if not value then return "" end
  if math.abs(value) >= 1e6 then return ("%.2fM"):format(value / 1e6) end
  if math.abs(value) >= 1e4 then return ("%.0fk"):format(value / 1e3) end
  return (math.abs(value) >= 100 and "%.0f" or "%.2f"):format(value)
end

local function goal(row)
  if row.at_most then return "≤ " .. row.at_most end
  return row.at_least and "≥ " .. row.at_least or ""
end

local function verdict(row)
  if row.met == nil then return "" end
  return row.met and "yes" or "**no**"
end

--- Appends the goals' table, as Markdown.
---@param lines string[]
---@param rows table[] of M.rows
function M.add_goals(lines, rows)
  lines[#lines + 1] = "| metric | compared with | Lunette | base | result | rounds | goal | met |"
  lines[#lines + 1] = "| --- | --- | --: | --: | --: | --: | --: | --- |"
  for _, row in ipairs(rows) do
    lines[#lines + 1] = ("| %s | %s | %s | %s | %s %s | %s to %s | %s | %s |"):format(
      row.title, row.to, number(row.value), number(row.base), number(row.result), row.unit,
      number(row.least), number(row.most), goal(row), verdict(row))
  end
end

local CONTENDERS = {
  "C", "C + Lua, static", "C + Lua", "Lunette", "Lunette, no zygote", "luv + cjson", "Node fork",
  "Node thread",
}
local COLUMNS = {
  { "round trip, one core (us)", "rtt_us", "one core" },
  { "synchronous (us)", "sync_us", "one core" },
  { "invokes/s", "pipelined_per_s", "free" },
  { "sends/s", "oneway_per_s", "free" },
  { "1 MiB echo (us)", "mib_echo_us", "free" },
  { "spawn (ms)", "spawn_ms", "free" },
  { "idle PSS (KiB)", "pss_kib", "free" },
}

--- Appends the contenders side by side: the median of each metric.
---@param lines string[]
function M.add_contenders(lines, samples)
  local head = { "| contender" }
  for _, column in ipairs(COLUMNS) do head[#head + 1] = column[1] end
  lines[#lines + 1] = table.concat(head, " | ") .. " |"
  lines[#lines + 1] = "| --- |" .. (" --: |"):rep(#COLUMNS)
  for _, contender in ipairs(CONTENDERS) do
    local cells = { "| " .. contender }
    for _, column in ipairs(COLUMNS) do
      local values = values_of(samples, { contender, column[2], column[3] })
      cells[#cells + 1] = #values > 0 and number(median(values)) or ""
    end
    if samples[contender] then lines[#lines + 1] = table.concat(cells, " | ") .. " |" end
  end
end

return M
