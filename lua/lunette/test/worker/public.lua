--- `require "lunette.test"`, in a worker.
local import = ...
local arguments = import "common.arguments"
local core_os = import "core.os"
local deadline = import "test.worker.deadline"
local dotted = import "common.dotted"

local F = { launch = import("test.worker.launch").launch }

--- Makes a new, empty folder, which is removed when the file's specs have run.
---@return string
function F.tmpdir()
  local uv = import "core.luv"
  return assert(uv.fs_mkdtemp(assert(core_os.tmpdir()) .. "/XXXXXX"))
end

--- Limits what runs, from now on: a test or a hook to that time; in the body of a describe or of a
--- file, also each test and hook in it.
---@param ms integer 0 for no limit
function F.timeout(ms)
  arguments.check("test.timeout", 1, ms, "milliseconds")
  deadline.set(arguments.to_milliseconds(ms))
end

local M = {
  --- Which of the workers this is, from 0 on: no two that run at a time have the same.
  worker = math.tointeger(tonumber(core_os.getenv "LUNETTE_TEST_WORKER")),
  --- How many run at a time.
  workers = math.tointeger(tonumber(core_os.getenv "LUNETTE_TEST_WORKERS")),
}

for name, fn in pairs(F) do
  M[name] = dotted("test", name, fn)
end

return M
