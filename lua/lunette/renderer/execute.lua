--- Code for `executeLua`, in the page's globals.
local import = ...
local page = import "renderer.page"
local promises = import "common.promise"

local function await_first(...)
  local first = ...
  if promises.is(first) then return first:await() end
  return ...
end

--- Runs code for `executeLua`; returns its results, awaited when they are a promise.
---@param code string
---@return any ...
return function(code)
  local chunk, err = load(code, "=(executeLua)", "t", page.globals)
  if not chunk then error(err, 0) end
  return await_first(chunk())
end
