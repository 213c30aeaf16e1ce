-- luacheck 1.1 (Debian: lua-check)
std = "lua54"
max_line_length = 100
self = false -- methods need not use self
cache = false

-- The modules that make the globals of a role, or put the runtime's versions of Lua's in place.
local makers = {
  ["common/coroutines"] = { "coroutine" },
  ["main/boot"] = { "arg", "os" },
  ["common/embedded"] = { "os", "package" },
  ["main/embedded"] = { "os", "print" },
  ["renderer/page"] = { "os" },
  ["test/command"] = { "arg", "os" },
  ["test/worker/random"] = { "math" },
  ["test/worker/session"] = { "os" },
  ["test/worker/surroundings"] = { "arg" },
  ["test/worker/traces"] = { "debug" },
}
for module, names in pairs(makers) do
  files["lua/lunette/" .. module .. ".lua"] = { globals = names }
end

files["apps"] = { read_globals = { "window", "console", "document" } }
for _, file in ipairs { "conf", "lunette", "main" } do
  files["apps/engine-love/" .. file .. ".lua"] = { std = "luajit+love" }
end
files["spec"] = { std = "+busted" }
files[".luacheckrc"] = { std = "+luacheckrc" }
