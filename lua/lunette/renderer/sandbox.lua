--- The language side of `sandbox = true`: the globals of a page, in tables of their own.
---
--- The runtime's modules keep Lua's globals. What a page assigns to its own, in whatever table,
--- does not reach them; nor does anything in its tables lead to what it must not have. Which
--- functions it has is told by runtime/bind/bind_sandbox.c.
local import = ...
local core = import "core.sandbox"
local lazy = import "core.lazy"

local M = {}

-- Text alone: bytecode is not verified, and can do anything.
local function make_load(globals)
  return function(chunk, name, _, ...)
    local env = globals
    if select("#", ...) > 0 then env = ... end
    return load(chunk, name, "t", env)
  end
end

--- Makes the globals of a sandboxed page. They have no `require` and no `print` yet.
---@param host PageHost
---@return table
function M.globals(host)
  local globals, loaded = core.globals()
  local own = { config = package.config, loaded = loaded, preload = {} }
  lazy.fields(own, "searchers", function()
    return import "renderer.searchers"(globals, host)
  end)
  globals.load = make_load(globals)
  globals.package, loaded.package = own, own
  getmetatable("").__index = globals.string
  return globals
end

return M
