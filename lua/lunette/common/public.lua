--- What `require "lunette"` gives in every role.
local import = ...
local async = import "common.async"
local json = import "common.json"
local timers = import "common.timers"

local M = {
  Promise = import "common.combinators",
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
  process = import("common.process").process,
  version = "0.1.0",
}

return M
