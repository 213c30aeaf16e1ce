--- What `common.require` does for a module that is not loaded yet: it may await while it loads, and
--- whoever requires it meanwhile waits.
local import = ...
local coroutines = import "common.coroutines"
local promises = import "common.promise"

local running = coroutines.raw.running

-- Has the `package` of the globals whose `require` this is.
local own = import "common.require"

-- Modules that are being loaded: name to {name, promise, the coroutine that loads it}.
local loading = {}

-- Coroutines that wait for a module which another one loads: to its entry in `loading`.
local waiting = setmetatable({}, { __mode = "k" })

local function find_loader(name)
  local tried = {}
  for _, searcher in ipairs(own.package.searchers) do
    local loader, extra = searcher(name)
    if type(loader) == "function" then return loader, extra end
    if type(loader) == "string" then tried[#tried + 1] = "\n\t" .. loader:gsub("^\n\t", "") end
  end
  error(("module '%s' not found:%s"):format(name, table.concat(tried)), 3)
end

local function keep(name, value)
  local loaded = own.package.loaded
  if value ~= nil then loaded[name] = value end
  if loaded[name] == nil then loaded[name] = true end
  return loaded[name]
end

-- A module that is being loaded. Closed when that has ended: without a value, it failed, and those
-- who wait fail likewise. (A protected call would lose the traceback.)
local Entry = {}

function Entry:__close(err)
  loading[self.name] = nil
  if self.promise:status() ~= "pending" then return end
  promises.handle(self.promise)
  promises.reject(self.promise, err)
end

local function load(name, loader, extra)
  local entry <close> =
    setmetatable({ name = name, promise = promises.pending(), co = running() }, Entry)
  loading[name] = entry
  local value = keep(name, loader(name, extra))
  promises.fulfil(entry.promise, value, extra)
  return value, extra
end

-- Whether what `entry` waits for is, by way of others, something that `co` loads.
local function is_circle(entry, co)
  while entry do
    if entry.co == co then return true end
    entry = waiting[entry.co]
  end
  return false
end

local function stop_waiting(co, ok, ...)
  waiting[co] = nil
  if not ok then error((...), 0) end
  return ...
end

local function wait_for(name, entry)
  local co = running()
  if is_circle(entry, co) then
    error(("module '%s' requires itself, by way of others"):format(name), 3)
  end
  waiting[co] = entry
  return stop_waiting(co, pcall(entry.promise.await, entry.promise))
end

--- Called by `require` in a tail call, so that an error is at the caller of that.
---@param name string
---@return any value, any extra
return function(name)
  local value, extra
  if loading[name] then
    value, extra = wait_for(name, loading[name])
  else
    local loader
    loader, extra = find_loader(name)
    value, extra = load(name, loader, extra)
  end
  return value, extra
end
