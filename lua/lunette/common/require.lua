--- `require`: as Lua's, but a module may await while it loads.
local import = ...
local arguments = import "common.arguments"

local M = {}

--- That of the globals whose `require` this is.
---@type table
M.package = nil

-- What makes `require "lunette"`: of all modules most pages load no other.
local make_public

local function require(name)
  arguments.check("require", 1, name, "string")
  local package = M.package
  local value = package.loaded[name]
  if value then return value end
  local make = name == "lunette" and make_public
  if not make or package.preload.lunette ~= make then
    return import "common.require_module"(name)
  end
  value = make()
  package.loaded.lunette = value
  return value, ":preload:"
end

--- Puts it into a state's globals, whose `package` it uses.
---@param globals table
---@param public (fun(): table)? makes the table of `require "lunette"`, and never awaits
function M.install(globals, public)
  M.package, make_public = globals.package, public
  globals.package.preload.lunette = public
  globals.require = require
end

return M
