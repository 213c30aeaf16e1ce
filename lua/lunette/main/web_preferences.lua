--- `webPreferences`: what may stand in it, and what follows from what.

local M = {}

--- For `options.check`.
M.fields = {
  preload = { "string" },
  contextIsolation = { "boolean" },
  sandbox = { "boolean" },
  nodeIntegration = { "boolean", default = false },
  isolation = { "string", one_of = { "process", "thread" }, default = "process" },
  memoryLimit = { "positive integer" },
  unresponsiveTimeout = { "non-negative integer", default = 5000 },
  codec = { "string", one_of = { "clone", "json" }, default = "clone" },
  webviewTag = { "boolean", default = false },
  additionalArguments = { "table", default = {} },
  limits = {
    "table",
    fields = {
      messageSize = { "positive integer" },
      highWaterMark = { "positive integer" },
      queueSize = { "positive integer" },
    },
  },
}

local NOT_YET = {
  { "webviewTag", "webPreferences.webviewTag is not supported by this version" },
}

local function refuse_what_is_missing(preferences, level)
  if preferences.isolation == "thread" then
    error('webPreferences.isolation = "thread" is not supported by this version', level + 1)
  end
  for _, entry in ipairs(NOT_YET) do
    if preferences[entry[1]] then error(entry[2], level + 1) end
  end
end

local function check_arguments(list, level)
  for i, value in ipairs(list) do
    if type(value) ~= "string" then
      local text = "webPreferences.additionalArguments[%d] must be a string, got %s"
      error(text:format(i, type(value)), level + 1)
    end
  end
end

--- Fills in the defaults that depend on other fields. `preferences` were checked already.
---@param preferences table changed in place
---@param level integer of the user's call, as for `error`
function M.complete(preferences, level)
  refuse_what_is_missing(preferences, level + 1)
  check_arguments(preferences.additionalArguments, level + 1)
  if preferences.contextIsolation == nil then
    preferences.contextIsolation = preferences.preload ~= nil
  end
  if preferences.sandbox == nil then preferences.sandbox = not preferences.nodeIntegration end
  return preferences
end

return M
