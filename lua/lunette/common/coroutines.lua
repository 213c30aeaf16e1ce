--- The `coroutine` table of a state: Lua's own, but it knows which coroutines await.
---
--- A coroutine that awaits has yielded to the runtime. For whoever resumed it that looks like a
--- yield of nothing, and nobody but the runtime may resume it.
local import = ...
local core = import "core.task"
local AWAITS = import("common.task").AWAITS

local raw = {}
for name, fn in pairs(coroutine) do
  raw[name] = fn
end

local M = {}

local HANDS_OFF = "cannot resume a coroutine that awaits a promise: the runtime resumes it then"

local function strip(ok, first, ...)
  if first == AWAITS then return ok end
  return ok, first, ...
end

local function resume(co, ...)
  if type(co) == "thread" and core.is_waiting(co) then return false, HANDS_OFF end
  return strip(raw.resume(co, ...))
end

-- As Lua's own: a failed coroutine is closed, and a string error gets the caller's position.
local function pass(co, ok, ...)
  if ok then return ... end
  local err = ...
  if raw.status(co) == "dead" then
    local closed, close_err = raw.close(co)
    if not closed then err = close_err end
  end
  error(err, type(err) == "string" and 3 or 0)
end

local function wrap(fn)
  local co = raw.create(fn)
  return function(...)
    local function run(...)
      return pass(co, ...)
    end
    return run(resume(co, ...))
  end
end

local function running()
  local co, is_main = raw.running()
  core.escape(co)
  return co, is_main
end

local function close(co)
  local results = table.pack(raw.close(co))
  core.forget(co)
  return table.unpack(results, 1, results.n)
end

--- Replaces the functions in the global table `coroutine`.
function M.install()
  local t = coroutine
  t.resume, t.wrap, t.running, t.close = resume, wrap, running, close
end

--- Lua's own functions.
M.raw = raw

return M
