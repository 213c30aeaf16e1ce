--- The busted that runs the specs: the project's own when `package.path` leads to one, else the
--- system's. And the ways in which its runner is made a part of something larger, without changing
--- a file of it: the controller and each worker run it as it is, with a few modules of it swapped.
local import = ...
local core_os = import "core.os"

local M = {}

-- Where Debian's lua-busted and what it needs are, should LUA_PATH not lead there.
local SYSTEM_PATH <const> = "/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua"
local SYSTEM_CPATH <const> = "/usr/lib/%s-linux-gnu/lua/5.4/?.so"

-- Triples of the systems' folders by the name of the processor.
local TRIPLES <const> = { x64 = "x86_64", arm64 = "aarch64", ia32 = "i386", arm = "arm" }

-- What the runner loads by and by, so that a worker is forked with all of it. Some of it other
-- versions do not have.
local MODULES <const> = {
  "busted.runner",
  "busted.options",
  "busted.core",
  "busted.context",
  "busted.environment",
  "busted.status",
  "mediator",
  "busted.modules.cli",
  "cliargs.core",
  "busted.modules.configuration_loader",
  "busted.modules.filter_loader",
  "busted.modules.helper_loader",
  "busted.modules.output_handler_loader",
  "busted.modules.luacov",
  "busted",
  "busted.block",
  "luassert",
  "luassert.spy",
  "luassert.mock",
  "luassert.stub",
  "luassert.match",
  "busted.fixtures",
  "busted.luajit",
  "busted.languages.en",
  "busted.modules.test_file_loader",
  "pl.dir",
  "busted.execute",
}

--- Raised by what stands for busted's exit; `code` is what it would have exited with.
---@class BustedExit
---@field code integer
local Exit = { __name = "BustedExit" }
Exit.__index = Exit

--- Whether the error is the runner's wish to end the process.
function M.is_exit(err)
  return getmetatable(err) == Exit
end

--- Ends the runner that called, as busted's exit would end the process.
---@param code integer
function M.exit(code)
  error(setmetatable({ code = code }, Exit), 0)
end

--- The same, with a complaint.
---@param text string
function M.fail(text)
  core_os.write(2, ("busted: error: %s\n"):format(text))
  M.exit(1)
end

local function find()
  if package.searchpath("busted.runner", package.path) then return end
  package.path = package.path .. ";" .. SYSTEM_PATH
  package.cpath = package.cpath .. ";" .. SYSTEM_CPATH:format(TRIPLES[core_os.arch] or core_os.arch)
end

--- Loads busted. Its runner, instead of ending the process, raises what `is_exit` knows. Returns
--- true, or nil and why there is none.
---@return true?, string?
function M.load()
  find()
  local ok, compatibility = pcall(require, "busted.compatibility")
  if not ok then return nil, compatibility end
  local exit = compatibility.exit
  compatibility.exit = M.exit
  ok = pcall(require, "busted.runner")
  for _, name in ipairs(MODULES) do
    pcall(require, name)
  end
  compatibility.exit = exit
  return ok or nil, "busted is incomplete"
end

--- The next call of busted's module `name`, which is a function, calls make(real, ...) instead.
---@param name string
---@param make fun(real: function, ...): any
function M.swap(name, make)
  local real = require(name)
  package.loaded[name] = function(...)
    package.loaded[name] = real
    return make(real, ...)
  end
end

return M
