--- What main rarely asks a page for, by channel.
local import = ...
local boot = import "renderer.boot"
local ipc_renderer = import "renderer.ipc_renderer"

local M = {}

M["contents-gone"] = function(_, id)
  ipc_renderer.forget_contents(id)
end

M["execute-lua"] = function(_, code)
  if boot.is_isolated then return import("renderer.context_bridge").execute(code) end
  return import "renderer.execute"(code)
end

return M
