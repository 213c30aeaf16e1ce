--- The executable that renderers are started from.
local import = ...
local core_os = import "core.os"

local M = {}

local chosen

--- Chooses another one than that of this process.
---@param path string?
function M.choose(path)
  chosen = path
end

---@return string
function M.path()
  return chosen or core_os.exec_path()
end

return M
