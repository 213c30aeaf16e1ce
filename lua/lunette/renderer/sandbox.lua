--- The language side of `sandbox = true`: the globals of a page, in tables of their own.
---
--- The runtime's modules keep Lua's globals. What a page assigns to its own, in whatever table,
--- does not reach them; nor does anything in its tables lead to what it must not have.
local M = {}

-- What each library has for a page: a list, or everything but what is false.
local BASE = {
  "_VERSION", "assert", "collectgarbage", "error", "getmetatable", "ipairs", "next", "pairs",
  "pcall", "rawequal", "rawget", "rawlen", "rawset", "select", "setmetatable", "tonumber",
  "tostring", "type", "warn", "xpcall",
}
local LIBRARIES = {
  coroutine = {},
  debug = { "traceback" },
  math = {},
  os = { "clock", "date", "difftime", "time" },
  string = { dump = false },
  table = {},
  utf8 = {},
}

local function only(from, names)
  local kept = {}
  for _, name in ipairs(names) do
    kept[name] = from[name]
  end
  return kept
end

local function copy(from, choice)
  if choice[1] then return only(from, choice) end
  local kept = {}
  for name, value in pairs(from) do
    if choice[name] ~= false then kept[name] = value end
  end
  return kept
end

-- Text alone: bytecode is not verified, and can do anything.
local function make_load(globals)
  return function(chunk, name, _, ...)
    local env = globals
    if select("#", ...) > 0 then env = ... end
    return load(chunk, name, "t", env)
  end
end

-- The searcher of `require`: the app's own files, which main reads.
local function app_searcher(globals, host)
  return function(name)
    local file, source = host.find_module(name)
    if not file then return source end
    local chunk, err = load(source, "@" .. file, "t", globals)
    if not chunk then
      error(("error loading module '%s' from file '%s':\n\t%s"):format(name, file, err), 0)
    end
    return chunk, file
  end
end

local function preload_searcher(package)
  return function(name)
    local loader = package.preload[name]
    if loader then return loader, ":preload:" end
    return ("\n\tno field package.preload['%s']"):format(name)
  end
end

--- Makes the globals of a sandboxed page. They have no `require` and no `print` yet.
---@param host PageHost
---@return table
function M.globals(host)
  local globals = only(_G, BASE)
  local loaded = { _G = globals }
  for name, choice in pairs(LIBRARIES) do
    globals[name] = copy(_G[name], choice)
    loaded[name] = globals[name]
  end
  globals._G = globals
  globals.load = make_load(globals)
  local package = { config = _G.package.config, loaded = loaded, preload = {} }
  package.searchers = { preload_searcher(package), app_searcher(globals, host) }
  globals.package, loaded.package = package, package
  getmetatable("").__index = globals.string
  return globals
end

return M
