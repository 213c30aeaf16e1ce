--- What a worker's specs find around them: where they are, their arguments and environment, where
--- what they print goes, and modules that must be this state's own.
local import = ...
local core_os = import "core.os"
local lazy = import "core.lazy"
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

-- luv is opened when it is first asked for.
local function load_lunette()
  local public = import "common.public"
  lazy.hide(public, "uv", "test.worker.uv")
  return public
end

local function set_preload()
  package.preload.lunette = load_lunette
  package.preload["lunette.test"] = function()
    return import "test.worker.public"
  end
  package.preload.luv = function()
    return import "test.worker.uv"
  end
  package.preload.cjson = function()
    return import "core.cjson"
  end
end

-- Specs that start another Lua take its name from arg[-1], and give it options of Lua's such as
-- `-e CODE SCRIPT`, which our own executable knows less of.
local function interpreter()
  for folder in (core_os.getenv "PATH" or ""):gmatch "[^:]+" do
    local path = folder .. "/lua5.4"
    if core_os.stat(path) == "file" then return path end
  end
  return core_os.exec_path()
end

-- busted reads it too.
local function set_arg(arguments)
  arg = table.move(arguments, 1, #arguments, 1, { [0] = "busted", [-1] = interpreter() })
end

local function set_parameters(parameters)
  local luassert = require "luassert"
  for name, value in pairs(parameters) do
    luassert:set_parameter(name, value)
  end
end

--- Makes ready what is the same for all workers.
---@param arguments string[] of busted's command line
function M.prepare(arguments)
  set_preload()
  set_arg(arguments)
end

--- Makes ready what is this worker's own. `options`: capture ({out, err}, names of files),
--- environment, parameters (of luassert's messages), number (of the worker).
---@param options table
function M.enter(options)
  if options.capture then
    out = assert(core_os.capture(1, options.capture.out))
    err = assert(core_os.capture(2, options.capture.err))
  end
  set_environment(options.environment)
  set_parameters(options.parameters)
  random.install(options.number)
end

return M
