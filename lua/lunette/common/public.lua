--- What `require "lunette"` gives in every role.
local import = ...
local lazy = import "core.lazy"

local M = {
  process = import("common.process").process,
  version = "0.1.0",
}

lazy.fields(M, "Promise", "common.promise")
lazy.fields(M, "async promisify sleep spawn", "common.async")
lazy.fields(
  M,
  "clearInterval clearTimeout setImmediate setInterval setTimeout",
  "common.timers"
)

lazy.fields(M, "generator json null", function(name)
  if name == "null" then return import("core.state").null end
  return import("common." .. name)
end)

return M
