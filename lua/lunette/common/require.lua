--- `require`: as Lua's, but a module may await while it loads. Whoever requires it meanwhile waits.
local import = ...
local arguments = import "common.arguments"
local coroutines = import "common.coroutines"
local promises = import "common.promise"
local task = import "common.task"

local raw = coroutines.raw
local M = {}

-- Of the globals whose `require` this is.
local package

-- Modules that are being loaded: name to {promise, coroutine that loads it}.
local loading = {}

local function find_loader(name)
  local tried = {}
  for _, searcher in ipairs(package.searchers) do
    local loader, extra = searcher(name)
    if type(loader) == "function" then return loader, extra end
    if type(loader) == "string" then tried[#tried + 1] = loader end
  end
  local text = table.concat(tried)
  error(("module '%s' not found:%s%s"):format(name, text:find("^\n") and "" or "\n\t", text), 3)
end

local function keep(name, value)
  if value ~= nil then package.loaded[name] = value end
  if package.loaded[name] == nil then package.loaded[name] = true end
  return package.loaded[name]
end

local function load(name, loader, extra)
  local entry = { promise = promises.pending(), co = raw.running() }
  loading[name] = entry
  local ok, value = xpcall(loader, task.catch, name, extra)
  loading[name] = nil
  if not ok then
    entry.promise._handled = true
    promises.reject(entry.promise, value, task.take_traceback())
    error(value, 0)
  end
  value = keep(name, value)
  promises.settle(entry.promise, "fulfilled", value, extra)
  return value, extra
end

local function require(name)
  arguments.check("require", 1, name, "string")
  local value = package.loaded[name]
  if value ~= nil then return value end
  local entry = loading[name]
  if entry then
    if entry.co ~= raw.running() then return entry.promise:await() end
    error(("module '%s' requires itself, by way of others"):format(name), 2)
  end
  local loader, extra = find_loader(name)
  return load(name, loader, extra)
end

--- Puts it into a state's globals, whose `package` it uses.
---@param globals table
function M.install(globals)
  package = globals.package
  globals.require = require
end

return M
