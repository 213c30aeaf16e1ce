--- Parts of the API that this version does not have: each says so when it is used.

--- A table whose functions raise an error that names them.
---@param name string
---@param functions string[]
---@return table
local function not_yet(name, functions)
  local t = {}
  for _, fn in ipairs(functions) do
    t[fn] = function()
      error(("%s.%s is not supported by this version"):format(name, fn), 2)
    end
  end
  return setmetatable(t, {
    __call = function()
      error(name .. " is not supported by this version", 2)
    end,
  })
end

return not_yet
