--- What a worker's specs find around them: where they are, their arguments and environment, where
--- what they print goes, and modules that must be this state's own.
local import = ...
local core_os = import "core.os"
local random = import "test.worker.random"

local M = {}

-- Descriptors of the files that standard output and error go to; nil without capture.
local out, err

--- How many bytes were printed on standard output and error so far.
---@return integer, integer
function M.printed()
  if not out then return 0, 0 end
  return core_os.captured(out, err)
end

local function set_environment(variables)
  for name, value in pairs(variables) do
    assert(core_os.setenv(name, value))
  end
end

local function set_preload()
  package.preload.lunette = function()
    local public = import "common.public"
    import "common.add_uv"(public)
    return public
  end
  package.preload.luv = function()
    return import "common.uv"
  end
  package.preload.cjson = function()
    return import "core.cjson"
  end
end

-- busted reads `arg`, and so do programs which start another copy of what runs them: [-1] is it.
local function set_arg(options)
  arg = table.move(options.arg, 1, #options.arg, 1, { [0] = "busted", [-1] = core_os.exec_path() })
end

local function set_parameters(parameters)
  local luassert = require "luassert"
  for name, value in pairs(parameters) do
    luassert:set_parameter(name, value)
  end
end

--- Makes all that ready. `options`: arg, capture ({out, err}, names of files), environment,
--- parameters (of luassert's messages), worker.
---@param options table
function M.prepare(_, options)
  if options.capture then
    out = assert(core_os.capture(1, options.capture.out))
    err = assert(core_os.capture(2, options.capture.err))
  end
  set_environment(options.environment)
  set_preload()
  set_arg(options)
  set_parameters(options.parameters)
  random.install(options.number)
end

return M
