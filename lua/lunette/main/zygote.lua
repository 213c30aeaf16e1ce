--- The zygote of this app: started with the first sandboxed page, replaced when it has died.
local import = ...
local command_line = import "main.command_line"
local core_child = import "core.child"
local core_os = import "core.os"
local executable = import "main.executable"
local report = import "common.report"

-- A zygote that dies again and again is given up: renderers are started by themselves then.
local ATTEMPTS <const> = 3

local M = {}

local zygote
local attempts = 0

--- The zygote, or nil when there is none to be had, or `--no-zygote` was given.
---@return userdata?
function M.get()
  if zygote and zygote:is_alive() then return zygote end
  if attempts == ATTEMPTS or command_line.hasSwitch "no-zygote" then return nil end
  attempts = attempts + 1
  local err
  if zygote then zygote:close() end
  zygote, err = core_child.zygote {
    path = executable.path(),
    args = { "--lunette-zygote", tostring(core_os.pid()) },
  }
  if not zygote then report.warn("cannot start a zygote: " .. err) end
  return zygote
end

--- Ends a zygote that does not answer; the renderers that were asked of it are lost.
function M.give_up()
  if zygote then zygote:close() end
end

return M
