--- Makes busted's traces begin and end where they do when busted runs by itself: they leave out the
--- runtime's functions on the stack.
local import = ...
local short_traceback = import "test.worker.short_traceback"

local getinfo = debug.getinfo
local M = {}

-- Tracebacks of errors that were not raised where the test is told of them.
local origins = setmetatable({}, { __mode = "k" })

--- The error, when busted asks for its trace, came from there.
---@param err any
---@param traceback string?
function M.remember(err, traceback)
  if type(err) == "table" then origins[err] = traceback end
end

local function folder_of(info)
  return info.source:match "^(@.*)[/\\]"
end

-- Whether a function is not the spec's: busted skips these itself, but for the runtime's, which may
-- stand between them.
local function is_foreign(info, busted_folder)
  return info.what == "C" or short_traceback.is_runtime(info)
    or info.short_src:find "luassert[/\\].*%.lua$" or folder_of(info) == busted_folder
end

-- The first level from `level` on that is the spec's, counted as for the caller; nil when there is
-- none.
local function skip(level, busted_folder)
  local info = getinfo(level + 1, "S")
  while info and is_foreign(info, busted_folder) do
    level = level + 1
    info = getinfo(level + 1, "S")
  end
  return info and level
end

-- What came when the spec's functions had returned is told of the place of their element.
local function place_at(element, info)
  local trace = element.trace or { short_src = element.name, currentline = 0 }
  info.short_src, info.currentline = trace.short_src, trace.currentline
end

local function restore(traceback, info)
  debug.traceback = traceback
  return info
end

--- Replaces the function of busted's core that makes traces. All that it keeps of a traceback is
--- above the first C function: the rest, which takes long, is not made.
---@param core table
---@param on_call fun() called first
function M.install(core, on_call)
  local get_trace = core.getTrace
  local busted_folder = folder_of(getinfo(get_trace, "S"))
  function core.getTrace(element, level, message)
    on_call()
    local traceback = debug.traceback
    local first = skip(level or 3, busted_folder)
    debug.traceback = short_traceback.make
    local info = restore(traceback, get_trace(element, (first or level or 3) + 1, message))
    if not first then place_at(element, info) end
    local origin = type(message) == "table" and origins[message]
    if origin then info.traceback = "\n" .. origin end
    return info
  end
end

return M
