--- Why a page did not load: Chromium's codes, with the table that `loadFile` rejects with.
local import = ...
local errors = import "common.errors"
local report = import "common.report"

local ERRNO = {
  ERR_FAILED = -2,
  ERR_ABORTED = -3,
  ERR_FILE_NOT_FOUND = -6,
  ERR_ACCESS_DENIED = -10,
  ERR_NOT_IMPLEMENTED = -11,
  ERR_UNKNOWN_URL_SCHEME = -302,
}

local BY_SYSTEM_ERROR = {
  ENOENT = "ERR_FILE_NOT_FOUND",
  ENOTDIR = "ERR_FILE_NOT_FOUND",
  EACCES = "ERR_ACCESS_DENIED",
}

local M = {}

--- The error of a load with Chromium's code.
---@param code string
---@param url string
---@param description string?
function M.new(code, url, description)
  return errors.LoadError(code, ERRNO[code], url, description)
end

--- The error of a file that could not be read, from the operating system's name for it.
function M.of_file(system_error, url, description)
  return M.new(BY_SYSTEM_ERROR[system_error] or "ERR_FAILED", url, description)
end

--- Says on standard error that a page did not load, in Electron's words, and why.
---@param err table
function M.tell(err)
  local why = err.description == err.message and "" or ": " .. err.description
  report.warn(("Failed to load URL: %s with error: %s%s"):format(err.url, err.code, why))
end

return M
