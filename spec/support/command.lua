--- Commands of the system that a spec needs: a compiler, make.
local app = require "spec.support.app"

local M = {}

--- Whether the system has a program of that name.
function M.exists(name)
  return os.execute(("command -v %s >/dev/null 2>&1"):format(name)) == true
end

--- Runs a command of the shell to its end; raises with what it said when it fails.
---@param text string
---@param options {cwd: string?, env: table?}?
---@return string stdout
function M.run(text, options)
  local result = app.spawn("/bin/sh", { "-c", text }, options).wait()
  if result.status ~= 0 then
    error(("%s\nstatus %d\n%s%s"):format(text, result.status, result.stdout, result.stderr), 2)
  end
  return result.stdout
end

return M
