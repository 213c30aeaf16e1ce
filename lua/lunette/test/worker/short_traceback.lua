--- A traceback as Lua makes it, but only so far as busted keeps it: down to the first C function.
local M = {}

local RUNTIME <const> = "^=lunette/%l+/"

-- Lua leaves levels out of more than so many.
local ALL_LEVELS <const> = 21

local getinfo, full_traceback = debug.getinfo, debug.traceback

--- Whether a function is the runtime's; `info` has its source.
---@param info table
---@return boolean
function M.is_runtime(info)
  return info.source:find(RUNTIME) ~= nil
end

local function find_in(fields, fn)
  for name, value in next, fields do
    if type(name) == "string" and rawequal(value, fn) then return name end
  end
end

-- The name of a function that is a field of a loaded module.
local function global_name(fn)
  for module, fields in next, package.loaded do
    if type(module) == "string" then
      if rawequal(fields, fn) then return module end
      local name = type(fields) == "table" and find_in(fields, fn)
      if name then return module == "_G" and name or module .. "." .. name end
    end
  end
end

local function place(info)
  return ("function <%s:%d>"):format(info.short_src, info.linedefined)
end

-- `is_called_by_runtime`: then, as far as the spec is concerned, busted called it from C.
local function function_name(info, is_called_by_runtime)
  local name = global_name(info.func)
  if name then return ("function '%s'"):format(name) end
  if info.what == "main" then return "main chunk" end
  if is_called_by_runtime or info.namewhat == "" then return place(info) end
  return ("%s '%s'"):format(info.namewhat, info.name)
end

local function is_end(info)
  return info.what == "C" or M.is_runtime(info)
end

local function line_of(info, below)
  local name = function_name(info, below and below.what ~= "C" and M.is_runtime(below))
  local line = ("\n\t%s:%d: in %s"):format(info.short_src, info.currentline, name)
  return info.istailcall and line .. "\n\t(...tail calls...)" or line
end

-- More levels than Lua shows: the first ones, and how many there are.
local function deep_traceback(message, level)
  local text = full_traceback(message, level + 1)
  return (text:gsub("(%(skipping %d+ levels%)).*$", "%1\n"))
end

--- In the place of debug.traceback.
---@param message string
---@param level integer
---@return string
function M.make(message, level)
  local lines, first = { message, "\nstack traceback:" }, level
  local info = getinfo(level + 1, "Slntf")
  while info and not is_end(info) do
    level = level + 1
    if #lines > ALL_LEVELS + 1 then return (deep_traceback(message, first + 1)) end
    local below = getinfo(level + 1, "Slntf")
    lines[#lines + 1] = line_of(info, below)
    info = below
  end
  return table.concat(lines) .. (info and "\n" or "")
end

return M
