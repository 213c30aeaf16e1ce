--- What `lunette.process` has over this process and others: not in a sandbox.
local import = ...
local arguments = import "common.arguments"
local core_os = import "core.os"

local F = {}

-- Raises what the system said at the caller of the public function.
local function check_result(name, ok, err)
  if not ok then error(("process.%s: %s"):format(name, err), 3) end
  return ok
end

--- The working directory.
---@return string
function F.cwd()
  local path = check_result("cwd", core_os.cwd())
  return path
end

--- Changes the working directory.
---@param path string
function F.chdir(path)
  arguments.check("process.chdir", 1, path, "string")
  if path:find("\0", 1, true) then
    arguments.fail("process.chdir", 1, "string without zero bytes expected")
  end
  check_result("chdir", core_os.chdir(path))
end

local MAX_PID <const> = 0x7fffffff

--- Sends a signal (default SIGTERM) to a process.
---@param pid integer
---@param signal string|integer?
---@return boolean
function F.kill(pid, signal)
  arguments.check("process.kill", 1, pid, "integer")
  arguments.check("process.kill", 2, signal, "string|integer|nil")
  if math.abs(pid) > MAX_PID then arguments.fail("process.kill", 1, "process id expected") end
  local is_signal, ok, err = pcall(core_os.kill, pid, signal or "SIGTERM")
  if not is_signal then
    arguments.fail("process.kill", 2, ("signal expected, got %s"):format(signal))
  end
  check_result("kill", ok, err)
  return ok
end

return F
