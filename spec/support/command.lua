--- Commands of the system that a spec needs: a compiler, make.
local app = require "spec.support.app"

local M = {}

--- Whether the system has a program of that name.
function M.exists(name)
  return os.execute(("command -v %s >/dev/null 2>&1"):format(name)) == true
end

-- Compilers take their time on a busy machine.
local DEADLINE <const> = 6 * app.DEADLINE

--- Runs a command of the shell to its end; raises with what it said when it fails.
---@param text string
---@param options {cwd: string?, env: table?}?
---@return string stdout
function M.run(text, options)
  local given = setmetatable({ deadline = DEADLINE }, { __index = options })
  local result = app.spawn("/bin/sh", { "-c", text }, given).wait()
  if result.status ~= 0 then
    error(("%s\nstatus %d\n%s%s"):format(text, result.status, result.stdout, result.stderr), 2)
  end
  return result.stdout
end

return M
