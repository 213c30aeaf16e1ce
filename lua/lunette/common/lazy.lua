--- What is loaded when it is first used: most renderers use a part of the runtime only, and each
--- has its own copy of what it loads.
local import = ...

local M = {}

-- What was not loaded yet: those that loads it.
local waiting = {}

--- Stands for a module, of which nothing but its fields is used.
---@param name string
---@return table
function M.module(name)
  local metatable = {}
  function metatable:__index(key)
    local module = import(name)
    metatable.__index = module -- from now on without a call
    return module[key]
  end
  waiting[#waiting + 1] = function()
    import(name)
  end
  return setmetatable({}, metatable)
end

-- Of each table with such fields: what makes those that were not read yet, by name.
local makers_of = setmetatable({}, { __mode = "k" })

local function load_field(t, name)
  local makers = makers_of[t]
  local make = makers[name]
  if not make then return nil end
  local value = make(name)
  makers[name] = nil
  if rawget(t, name) == nil then rawset(t, name, value) end
  return rawget(t, name)
end

local function load_fields(t)
  local makers = makers_of[t]
  while next(makers) do
    load_field(t, next(makers))
  end
end

--- Gives `t` fields that are made when they are first read, or when somebody walks through all of
--- `t` with pairs.
---@param t table
---@param makers table<string, fun(name: string): any> what makes each; it is used up
function M.fields(t, makers)
  local metatable = getmetatable(t) or {}
  if makers_of[t] then
    for name, make in pairs(makers) do
      makers_of[t][name] = make
    end
    return
  end
  makers_of[t] = makers
  metatable.__index = load_field
  function metatable.__pairs()
    load_fields(t)
    return next, t, nil
  end
  waiting[#waiting + 1] = function()
    load_fields(t)
  end
  setmetatable(t, metatable)
end

--- Gives such a table one more field, which pairs does not show before it was read.
---@param t table
---@param name string
---@param module string that is its value
function M.hide(t, name, module)
  local metatable = getmetatable(t)
  local index = metatable.__index
  function metatable.__index(self, key)
    if key ~= name then return index(self, key) end
    rawset(self, name, import(module))
    return rawget(self, name)
  end
end

--- Loads all of it now: for a zygote, whose renderers share what it has loaded.
function M.load_all()
  while #waiting > 0 do
    table.remove(waiting)()
  end
end

return M
