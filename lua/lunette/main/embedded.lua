--- What the main state of an app inside another program does not do to that: end it, write on its
--- standard streams, and what common/embedded.lua has.
local import = ...
local app = import "main.app"
local arguments = import "common.arguments"
local core_state = import "core.state"
local embedded = import "common.embedded"
local lifecycle = import "main.lifecycle"
local process = import "common.process"
local promises = import "common.promise"

local M = {}

-- The app ends; the script that asked for it does not go on.
local function exit(code)
  arguments.check("os.exit", 1, code, "integer|boolean|nil")
  if code == nil or code == true then code = 0 end
  lifecycle.exit(code or 1)
  promises.pending():await()
end

local function print_to_log(...)
  local texts = table.pack(...)
  for i = 1, texts.n do texts[i] = tostring(texts[i]) end
  core_state.log("info", table.concat(texts, "\t"))
end

--- Changes the globals, once the process module is set up.
function M.install()
  process.is_embedded = true
  os.exit, print = exit, print_to_log
  embedded.install()
  app.relaunch = embedded.refuse "app.relaunch"
  lifecycle.ends_with_windows = false
end

return M
