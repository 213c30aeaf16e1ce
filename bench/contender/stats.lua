-- SPDX-License-Identifier: MIT
-- Median, least and 99th percentile of samples.
local M = {}

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
