--- What `require "lunette"` gives in every role.
local import = ...
local async = import "common.async"
local json = import "common.json"
local process = import "common.process"
local timers = import "common.timers"

local M = {
  Promise = import("common.promise").Promise,
  async = async.async,
  spawn = async.spawn,
  sleep = async.sleep,
  generator = async.generator,
  promisify = async.promisify,
  setTimeout = timers.setTimeout,
  setInterval = timers.setInterval,
  setImmediate = timers.setImmediate,
  clearTimeout = timers.clearTimeout,
  clearInterval = timers.clearInterval,
  null = json.null,
  json = json,
  process = process.process,
  version = "0.1.0",
}

-- luv is opened when it is first asked for: most programs never do.
if not process.process.sandboxed then
  setmetatable(M, {
    __index = function(t, key)
      if key ~= "uv" then return nil end
      t.uv = import("common.uv")
      return t.uv
    end,
  })
end

return M
