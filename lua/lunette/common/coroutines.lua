--- The `coroutine` table of a state: Lua's own, but it knows which coroutines await. What is the
--- program's is in C (runtime/bind/bind_coroutine.c).
local import = ...
local core = import "core.coroutine"

local raw = {}
for name, fn in pairs(coroutine) do
  raw[name] = fn
end

-- These know what runs, so that a renderer on a thread can be stopped.
raw.resume, raw.close = core.raw_resume, core.raw_close

return {
  --- Replaces the functions in the global table `coroutine`.
  install = core.install,
  --- Lua's own functions.
  raw = raw,
}
