-- SPDX-License-Identifier: MIT
-- Median, least and 99th percentile of samples.
local M = {}

--- A count made smaller for a quick run.
---@param scale number 0 to 1
---@return integer
function M.scaled(count, scale)
  return math.max(math.floor(count * scale), 5)
end

---@param samples number[] sorted by this
function M.of(samples)
  table.sort(samples)
  return {
    v = samples[#samples // 2 + 1],
    min = samples[1],
    p99 = samples[math.floor(#samples * 0.99) + 1],
  }
end

return M
