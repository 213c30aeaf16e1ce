--- What pages print, on the terminal.
local import = ...
local core_os = import "core.os"
local core_state = import "core.state"

local TO_STDERR = { warn = true, error = true }

local M = {}

--- Writes a line that a page printed: warnings and errors to standard error, the rest to standard
--- output, behind what main itself has printed; or into the log of the program that hosts us.
---@param level string
---@param text string
---@param page integer its number
function M.write(level, text, page)
  if core_state.log(TO_STDERR[level] and level or "info", text, page) then return end
  io.stdout:flush()
  core_os.write(TO_STDERR[level] and 2 or 1, text .. "\n")
end

return M
