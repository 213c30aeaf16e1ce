-- luacheck 1.1 (Debian: lua-check)
std = "lua54"
max_line_length = 100
self = false -- methods need not use self
cache = false

-- The runtime's own versions take the place of these.
files["lua/lunette/common/coroutines.lua"] = { globals = { "coroutine" } }

files["apps"] = { read_globals = { "window", "console", "document" } }
files["spec"] = { std = "+busted" }
files[".luacheckrc"] = { std = "+luacheckrc" }
