--- Slows a page down that dies and is loaded again, over and over.
---
--- The first deaths in a row cost nothing; behind them each new renderer waits twice as long as the
--- one before. A renderer that lived for a while, or that the app killed, ends the row.
local import = ...
local core_os = import "core.os"

local FREE_DEATHS <const> = 2
local FIRST_DELAY_MS <const>, LONGEST_DELAY_MS <const> = 100, 10000
local STABLE_NS <const> = 10000 * 1000000

---@class CrashLoop
local CrashLoop = { __name = "CrashLoop" }
CrashLoop.__index = CrashLoop

---@return CrashLoop
function CrashLoop.new()
  return setmetatable({ deaths = 0 }, CrashLoop)
end

--- A renderer has gone.
---@param started integer when it was started, in nanoseconds
---@param by_app boolean? whether the app ended it
function CrashLoop:died(started, by_app)
  local was_stable = core_os.hrtime() - started >= STABLE_NS
  self.deaths = (by_app or was_stable) and 0 or self.deaths + 1
end

--- How many milliseconds the next start has to wait.
---@return integer
function CrashLoop:delay()
  local beyond = self.deaths - FREE_DEATHS
  if beyond <= 0 then return 0 end
  return math.min(FIRST_DELAY_MS << math.min(beyond - 1, 20), LONGEST_DELAY_MS)
end

return CrashLoop
