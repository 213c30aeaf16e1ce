--- The language side of `sandbox = true`: what a page does not have, and what it has instead.
local M = {}

-- Of `os`, what neither reads nor changes anything outside the state.
local OS_ALLOWED = { "clock", "date", "difftime", "time" }
local DEBUG_ALLOWED = { "traceback" }

local function only(t, names)
  local kept = {}
  for _, name in ipairs(names) do
    kept[name] = t[name]
  end
  return kept
end

local raw_load = load

-- Text alone: bytecode is not verified, and can do anything.
local function load_text(chunk, name, _, ...)
  if select("#", ...) == 0 then return raw_load(chunk, name, "t") end
  return raw_load(chunk, name, "t", (...))
end

-- The searcher of `require`: the app's own files, which main reads.
local function app_searcher(find_module)
  return function(name)
    local file, source = find_module(name)
    if not file then return source end
    local chunk, err = raw_load(source, "@" .. file, "t")
    if not chunk then
      error(("error loading module '%s' from file '%s':\n\t%s"):format(name, file, err), 0)
    end
    return chunk, file
  end
end

local function preload_searcher(name)
  local loader = package.preload[name]
  if loader then return loader, ":preload:" end
  return ("\n\tno field package.preload['%s']"):format(name)
end

--- Takes from this state's globals what a sandboxed page must not have.
---@param find_module fun(name: string): string?, string
function M.install(find_module)
  local loaded = package.loaded
  io, dofile, loadfile = nil, nil, nil
  loaded.io = nil
  os = only(os, OS_ALLOWED)
  debug = only(debug, DEBUG_ALLOWED)
  string.dump = nil
  load = load_text
  package = {
    loaded = loaded,
    preload = {},
    searchers = { preload_searcher, app_searcher(find_module) },
  }
  loaded.os, loaded.debug, loaded.package = os, debug, package
end

--- What a page without a sandbox has: everything, and the app's folder in front of package.path.
---@param app_path string
function M.install_open(app_path)
  package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(app_path, app_path, package.path)
end

return M
