--- The runtime's error values, and how whatever a program raised crosses to another state.
local import = ...
local null = import("core.state").null

local M = {}

-- How deep a field may go: with the tables around it, it must fit into a message.
local MAX_DEPTH <const> = 990

local function name_and_message(err)
  return ("%s: %s"):format(err.name, err.message)
end

local AbortError = { __name = "AbortError", __tostring = name_and_message }
local TimeoutError = { __name = "TimeoutError", __tostring = name_and_message }
local PeerGoneError = { __name = "PeerGoneError", __tostring = name_and_message }

local RemoteError = {
  __name = "RemoteError",
  __tostring = function(err)
    return ("Error invoking remote method '%s': %s"):format(err.channel, err.message)
  end,
}

-- Electron's message, and behind it what is known besides.
local LoadError = {
  __name = "LoadError",
  __tostring = function(err)
    if err.description == err.message then return err.message end
    return ("%s: %s"):format(err.message, err.description)
  end,
}

--- What a cancelled promise rejects with.
---@param message? string
---@return table
function M.AbortError(message)
  message = message or "the operation was cancelled"
  return setmetatable({ name = "AbortError", message = message }, AbortError)
end

--- What `promise:timeout` rejects with.
---@param milliseconds number
---@return table
function M.TimeoutError(milliseconds)
  local message = ("not settled within %s ms"):format(milliseconds)
  return setmetatable({ name = "TimeoutError", message = message }, TimeoutError)
end

--- What waits for another state rejects with when that state goes.
---@param reason string why it went, such as "crashed"
---@return table
function M.PeerGoneError(reason)
  local fields = { name = "PeerGoneError", message = reason, reason = reason }
  return setmetatable(fields, PeerGoneError)
end

--- What a page that cannot be loaded rejects with.
---@param code string Chromium's name of the error, such as "ERR_FILE_NOT_FOUND"
---@param errno integer Chromium's number of it
---@param url string
---@param description? string
---@return table
function M.LoadError(code, errno, url, description)
  local err = { name = "LoadError", code = code, errno = errno, url = url }
  err.message = ("%s (%d) loading '%s'"):format(code, errno, url)
  err.description = description or err.message
  return setmetatable(err, LoadError)
end

-- Whether a value can be cloned. A table that is being looked at already is fine so far.
local function can_cross(value, depth, seen)
  local kind = type(value)
  if kind == "userdata" then return value == null end
  if kind ~= "table" then return kind ~= "function" and kind ~= "thread" end
  if seen[value] then return true end
  if depth == MAX_DEPTH then return false end
  seen[value] = true
  for key, item in next, value do
    local can = can_cross(key, depth + 1, seen) and can_cross(item, depth + 1, seen)
    if not can then return false end
  end
  return true
end

-- The text of any value, whatever its __tostring does.
local function text_of(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("(a %s whose tostring failed)"):format(type(value))
end

--- The table that crosses for a raised value: those fields of a raised table that can be cloned,
--- `message` (the table's own, if that is a string, else the text of what was raised) and
--- `traceback`. Never raises.
---@param err any
---@param traceback? string
---@return table
function M.to_wire(err, traceback)
  local wire = {}
  for key, value in next, type(err) == "table" and err or {} do
    if can_cross(key, 0, {}) and can_cross(value, 0, {}) then wire[key] = value end
  end
  if type(wire.message) ~= "string" then wire.message = text_of(err) end
  wire.traceback = traceback
  return wire
end

--- The error that a call on a channel rejects with. Never raises.
---@param channel string
---@param wire any what `to_wire` made on the other side, which becomes the error; or whatever a
---hostile peer sent instead
---@return table
function M.from_wire(channel, wire)
  if type(wire) ~= "table" then wire = { message = wire } end
  if type(wire.message) ~= "string" then wire.message = text_of(wire.message) end
  if wire.name == nil then wire.name = "RemoteError" end
  wire.channel = channel
  return setmetatable(wire, RemoteError)
end

return M
