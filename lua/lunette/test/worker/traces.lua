--- Makes busted's traces begin and end where they do when busted runs by itself: they leave out the
--- runtime's functions on the stack.
local M = {}

local RUNTIME <const> = "^=lunette/%l+/"

-- Tracebacks of errors that were not raised where the test is told of them.
local origins = setmetatable({}, { __mode = "k" })

--- The error, when busted asks for its trace, came from there.
---@param err any
---@param traceback string?
function M.remember(err, traceback)
  if type(err) == "table" then origins[err] = traceback end
end

-- The first level from `level` on that is neither C nor the runtime. Counted as for the caller.
local function skip(level)
  local info = debug.getinfo(level + 1, "S")
  local first = level
  while info and (info.what == "C" or info.source:find(RUNTIME)) do
    level = level + 1
    info = debug.getinfo(level + 1, "S")
  end
  return info and level or first
end

-- How a traceback names the function at that level when C has called it, as busted's xpcall would.
local function name_at(level)
  local info = debug.getinfo(level + 1, "S")
  if info.what == "main" then return "in main chunk" end
  return ("in function <%s:%d>"):format(info.short_src, info.linedefined)
end

-- The last level from `level` on above the first function of the runtime.
local function last_above(level)
  local info = debug.getinfo(level + 2, "S")
  while info and info.what ~= "C" and not info.source:find(RUNTIME) do
    level = level + 1
    info = debug.getinfo(level + 2, "S")
  end
  return level
end

-- What is below the first function of the runtime is not the spec's, and the one above it was
-- called by busted as far as the spec is concerned.
local function trim(info, name)
  local text = info and info.traceback
  local index = text and text:find "\n%s*lunette/%l+/[%l_/]+%.lua:"
  if not index then return info end
  info.traceback = text:sub(1, index - 1):gsub("in [^\n]*$", (name:gsub("%%", "%%%%"))) .. "\n"
  return info
end

--- Replaces the function of busted's core that makes traces.
---@param core table
function M.install(core)
  local get_trace = core.getTrace
  function core.getTrace(element, level, message)
    level = skip(level or 3)
    local name = name_at(last_above(level))
    local info = trim(get_trace(element, level + 1, message), name)
    local origin = type(message) == "table" and origins[message]
    if origin then info.traceback = "\n" .. origin end
    return info
  end
end

return M
