--- `app.commandLine`: the switches that the app was started with, and those that it adds itself.
---
--- As Chromium reads it: --name and --name=value are switches up to a lone --, all else arguments.
local import = ...
local arguments = import "common.arguments"

-- What the runtime calls of this module, out of the sight of users.
local internal = {}

local M = setmetatable({}, { __index = internal })

-- Name to value, which is "" for a switch without one.
local switches = {}
local others = {}

local function check_text(method, text)
  local name = "app.commandLine." .. method
  arguments.not_colon(name, M, text, 3)
  arguments.check(name, 1, text, "string", 3)
end

--- Adds a switch, or changes its value.
---@param switch string with or without its dashes
---@param value? string|number
function M.appendSwitch(switch, value)
  check_text("appendSwitch", switch)
  arguments.check("app.commandLine.appendSwitch", 2, value, "string|number|nil")
  switches[switch:match("^%-?%-?(.*)$")] = value and tostring(value) or ""
end

--- Adds an argument behind the others.
---@param value string
function M.appendArgument(value)
  check_text("appendArgument", value)
  others[#others + 1] = value
end

---@param switch string
---@return boolean
function M.hasSwitch(switch)
  check_text("hasSwitch", switch)
  return switches[switch] ~= nil
end

---@param switch string
---@return string value "" when the switch has none, or is not there
function M.getSwitchValue(switch)
  check_text("getSwitchValue", switch)
  return switches[switch] or ""
end

---@param switch string
function M.removeSwitch(switch)
  check_text("removeSwitch", switch)
  switches[switch] = nil
end

--- Takes the command line that the app was started with, instead of what there was.
---@param argv string[] as `process.argv`: the app is 1, its arguments follow
function internal.parse(argv)
  switches, others = {}, {}
  local has_ended = false
  for index = 2, #argv do
    local name, value = argv[index]:match("^%-%-?([^=]+)=?(.*)$")
    has_ended = has_ended or argv[index] == "--"
    if name and not has_ended then
      switches[name] = value
    else
      others[#others + 1] = argv[index]
    end
  end
end

--- What another process would be started with: switches in the order of their names, arguments.
---@return string[]
function internal.to_list()
  local list = {}
  for name, value in pairs(switches) do
    list[#list + 1] = "--" .. name .. (value ~= "" and "=" .. value or "")
  end
  table.sort(list)
  return table.move(others, 1, #others, #list + 1, list)
end

return M
