--- The `coroutine` table of a state: Lua's own, but it knows which coroutines await.
---
--- A coroutine that awaits has yielded to the runtime. For whoever resumed it that looks like a
--- yield of nothing, and nobody but the runtime may resume it.
local import = ...
local arguments = import "common.arguments"
local core = import "core.task"
local AWAITS = import("common.task").AWAITS

local raw = {}
for name, fn in pairs(coroutine) do
  raw[name] = fn
end

-- These know what runs, so that a renderer on a thread can be stopped.
raw.resume, raw.close = core.resume, core.close

local is_waiting, raw_resume = core.is_waiting, raw.resume
local M = {}

local HANDS_OFF = "cannot resume a coroutine that awaits a promise: the runtime resumes it then"

local function strip(ok, first, ...)
  if first == AWAITS then return ok end
  return ok, first, ...
end

local function resume(co, ...)
  arguments.check("coroutine.resume", 1, co, "thread")
  if is_waiting(co) then return false, HANDS_OFF end
  return strip(raw_resume(co, ...))
end

-- As Lua's own: a failed coroutine is closed, and a string error gets the caller's position.
local function pass(co, ok, ...)
  if ok then return ... end
  local err = ...
  if raw.status(co) == "dead" then
    local closed, close_err = raw.close(co)
    if not closed then err = close_err end
  end
  error(err, type(err) == "string" and 2 or 0)
end

local function wrap(fn)
  arguments.check("coroutine.wrap", 1, fn, "function")
  local co = raw.create(fn)
  return function(...)
    return pass(co, resume(co, ...))
  end
end

local function running()
  local co, is_main = raw.running()
  core.escape(co)
  return co, is_main
end

local function close(co)
  arguments.check("coroutine.close", 1, co, "thread")
  local status = raw.status(co)
  if status == "running" or status == "normal" then
    error(("cannot close a %s coroutine"):format(status), 2)
  end
  core.forget(co)
  return raw.close(co)
end

--- Replaces the functions in the global table `coroutine`.
function M.install()
  local t = coroutine
  t.resume, t.wrap, t.running, t.close = resume, wrap, running, close
end

--- Lua's own functions.
M.raw = raw

return M
