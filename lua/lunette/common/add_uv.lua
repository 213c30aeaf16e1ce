--- Gives the public table of an unsandboxed state its `uv`: luv is opened when it is first asked
--- for, as most programs never do.
local import = ...
local lazy = import "core.lazy"

---@param public table
return function(public)
  lazy.hide(public, "uv", "common.uv")
end
