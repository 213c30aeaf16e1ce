--- Functions of a module table, which are called with a dot, refuse the colon.
local import = ...
local arguments = import "common.arguments"

--- The function for `owner[name]`: fn, unless a table that holds it came as its first argument.
---@param owner string the table's name in errors
---@param name string
---@param fn function
---@return function
return function(owner, name, fn)
  local function dotted(...)
    local first = ...
    if type(first) == "table" and rawget(first, name) == dotted then
      arguments.not_colon(owner .. "." .. name, first, first)
    end
    return fn(...)
  end
  return dotted
end
