--- What pages print, on the terminal.
local import = ...
local core_os = import "core.os"

local TO_STDERR = { warn = true, error = true }

local M = {}

--- Writes a line that a page printed: warnings and errors to standard error, the rest to standard
--- output, behind what main itself has printed.
---@param level string
---@param text string
function M.write(level, text)
  io.stdout:flush()
  core_os.write(TO_STDERR[level] and 2 or 1, text .. "\n")
end

return M
