--- What the runtime says on standard error, and the funnel for errors that nobody caught.
local import = ...
local core_os = import "core.os"
local core_state = import "core.state"

local M = {}

--- Writes one line on standard error, or into the log of the program that hosts us.
---@param text string
---@param level "warn"|"error"|nil
function M.warn(text, level)
  if core_state.log(level or "warn", text) then return end
  core_os.write(2, "lunette: " .. text .. "\n")
end

--- The text of any error value, whatever its `tostring` does.
---@param value any
---@return string
function M.describe(value)
  local ok, text = pcall(tostring, value)
  if not ok then return "(an error whose tostring failed)" end
  if type(value) ~= "table" or getmetatable(value) then return text end
  return "(error object is a table: " .. text .. ")"
end

--- What to do with an error that left a task, and with a rejection that nobody handled. The process
--- module replaces both once it is there.
---@param err any
---@param traceback string
function M.on_uncaught(err, traceback)
  M.warn(M.describe(err) .. "\n" .. traceback)
end

---@param reason any
---@param promise Promise
---@param traceback string? where it was rejected
function M.on_unhandled(reason, promise, traceback)
  M.warn(("unhandled rejection of %s: %s\n%s"):format(promise, M.describe(reason), traceback or ""))
end

return M
