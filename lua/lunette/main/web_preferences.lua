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
      backlog = { "positive integer" },
      depth = { "positive integer" },
      openInvokes = { "positive integer" },
      waitingListeners = { "positive integer" },
      values = { "positive integer" },
      channelSize = { "positive integer" },
      descriptors = { "positive integer" },
    },
  },
}

-- What the runtime's own data structures end at.
local MOST <const> = {
  messageSize = 0x7fffffff,
  backlog = 0x7fffffff,
  depth = 1000,
  openInvokes = 1 << 20,
  waitingListeners = 0x7fffffff,
  values = 1 << 16,
  channelSize = 0xffff,
  descriptors = 0x7fffffff,
}

-- The defaults that a memory limit makes smaller: what could not be received is not sent.
local MESSAGE_SIZE <const>, QUEUE_SIZE <const>, HIGH_WATER_MARK <const> = 1 << 28, 1 << 28, 1 << 23

local NOT_YET = {
  { "webviewTag", "webPreferences.webviewTag is not supported by this version" },
}

local function refuse_what_is_missing(preferences, level)
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

local function check_limits(limits, level)
  for name, most in pairs(MOST) do
    if (limits[name] or 0) > most then
      local text = "webPreferences.limits.%s must be at most %d, got %d"
      error(text:format(name, most, limits[name]), level + 1)
    end
  end
end

-- What belongs to a process, a thread cannot have for itself.
local function check_thread(preferences, level)
  if preferences.isolation ~= "thread" or not preferences.limits.descriptors then return end
  local text = "webPreferences.limits.descriptors is for a process: "
    .. 'a renderer with isolation = "thread" has those of main'
  error(text, level + 1)
end

local function fit_into_memory(limits, memory)
  limits.messageSize = limits.messageSize or math.min(MESSAGE_SIZE, memory)
  limits.queueSize = limits.queueSize or math.min(QUEUE_SIZE, memory)
  limits.highWaterMark = limits.highWaterMark or math.min(HIGH_WATER_MARK, limits.queueSize)
end

--- Fills in the defaults that depend on other fields. `preferences` were checked already.
---@param preferences table changed in place
---@param level integer of the user's call, as for `error`
function M.complete(preferences, level)
  refuse_what_is_missing(preferences, level + 1)
  check_arguments(preferences.additionalArguments, level + 1)
  check_limits(preferences.limits, level + 1)
  check_thread(preferences, level + 1)
  if preferences.memoryLimit then fit_into_memory(preferences.limits, preferences.memoryLimit) end
  if preferences.contextIsolation == nil then
    preferences.contextIsolation = preferences.preload ~= nil
  end
  if preferences.sandbox == nil then preferences.sandbox = not preferences.nodeIntegration end
  return preferences
end

return M
