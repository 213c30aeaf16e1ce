--- Gives the public table of an unsandboxed state its `uv`: luv is opened when it is first asked
--- for, as most programs never do.
local import = ...

---@param public table
return function(public)
  setmetatable(public, {
    __index = function(t, key)
      if key ~= "uv" then return nil end
      t.uv = import "common.uv"
      return t.uv
    end,
  })
end
