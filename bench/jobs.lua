-- SPDX-License-Identifier: MIT
-- What is run: a contender's name, its command, and where its processes may run.

local M = {}

M.ONE_CORE, M.TWO_CORES, M.FREE = "one core", "two cores", "free"

local function has_program(name)
  return os.execute(("command -v %s >/dev/null 2>&1"):format(name)) == true
end

local list

local function add(name, place, ...)
  list[#list + 1] = { name = name, place = place, command = { ... } }
end

local function add_bare(build)
  local bare = build .. "/bench/bare"
  for _, place in ipairs { M.ONE_CORE, M.TWO_CORES } do add("C", place, bare, "rtt") end
  add("C", M.ONE_CORE, bare, "sync")
  add("C", M.FREE, bare, "echo")
  add("C", M.FREE, bare, "memcpy")
  for _, count in ipairs { "10", "100" } do add("C", M.FREE, bare, "fan", count) end
  add("C", M.FREE, bare, "paced", "100")
end

local function add_threads(build, lunette)
  local threads, app = build .. "/bench/threads", "bench/contender"
  add("C threads", M.ONE_CORE, threads, "rtt")
  add("C threads", M.FREE, threads, "spawn")
  for place, mode in pairs { [M.ONE_CORE] = "rtt", [M.FREE] = "full" } do
    add("Lunette, thread", place, lunette, app, "--isolation=thread", mode)
  end
  add("Lunette, thread", M.FREE, lunette, app, "--isolation=thread", "spawn")
end

local function add_floors(build)
  local script = "bench/c/floor.lua"
  local plain, static = build .. "/bench/floor", build .. "/bench/floor-static"
  add("C + Lua", M.FREE, plain, "spawn")
  add("C + Lua, static", M.FREE, static, "spawn")
  add("C + Lua, static", M.ONE_CORE, static, "rtt", script)
  add("C + Lua, static", M.FREE, static, "full", script)
  add("C + Lua, static", M.FREE, static, "codec")
end

local function add_peers()
  if has_program "lua5.4" and os.execute "lua5.4 -lluv -lcjson -e '' 2>/dev/null" then
    local script = "bench/peers/luv_cjson.lua"
    add("luv + cjson", M.ONE_CORE, "lua5.4", script, "rtt")
    add("luv + cjson", M.ONE_CORE, "lua5.4", script, "sync")
    add("luv + cjson", M.FREE, "lua5.4", script, "full")
    add("luv + cjson", M.FREE, "lua5.4", script, "spawn")
  end
  if not has_program "node" then return end
  for _, transport in ipairs { "fork", "thread" } do
    local name = "Node " .. transport
    add(name, M.ONE_CORE, "node", "bench/peers/node.mjs", transport, "rtt")
    add(name, M.FREE, "node", "bench/peers/node.mjs", transport, "full")
    add(name, M.FREE, "node", "bench/peers/node.mjs", transport, "spawn")
  end
  add("Node thread", M.ONE_CORE, "node", "bench/peers/node.mjs", "thread", "sync")
end

local function add_lunette(lunette)
  local app = "bench/contender"
  for _, place in ipairs { M.ONE_CORE, M.TWO_CORES } do
    add("Lunette", place, lunette, app, "rtt")
  end
  add("Lunette, polling", M.TWO_CORES, lunette, app, "--poll=50", "rtt")
  for _, mode in ipairs { "sync", "walls", "large", "codec" } do
    add("Lunette", M.ONE_CORE, lunette, app, mode)
  end
  for _, mode in ipairs {
    "full", "spawn", "fan10", "fan100", "paced100", "thousand1000", "burst", "flood", "stall",
  } do
    add("Lunette", M.FREE, lunette, app, mode)
  end
  add("Lunette, no zygote", M.FREE, lunette, app, "--no-zygote", "spawn")
end

-- A program that hosts an app.
local function add_engine(build)
  for _, mode in ipairs { "idle", "flood", "collect" } do
    add("Lunette", M.FREE, build .. "/bench/engine", mode)
  end
end

local function add_starts(build, lunette)
  local bare, hello = build .. "/bench/bare", "bench/contender/hello.lua"
  add("Lunette", M.FREE, bare, "exec", "version_ms", lunette, "--version")
  add("Lunette", M.FREE, bare, "exec", "hello_ms", lunette, hello)
  if not has_program "lua5.4" then return end
  add("lua5.4", M.FREE, bare, "exec", "version_ms", "lua5.4", "-v")
  add("lua5.4", M.FREE, bare, "exec", "hello_ms", "lua5.4", hello)
end

-- Specs, by `lunette test` and one after the other.
local function add_suites(lunette)
  add("Lunette", M.FREE, lunette, "bench/suite.lua", "parallel")
  add("busted, serial", M.FREE, lunette, "bench/suite.lua", "serial")
end

--- All jobs.
---@param lunette string the executable; the baselines lie beside it
---@return {name: string, place: string, command: string[]}[]
function M.list(lunette)
  local build = lunette:match "^(.*)/"
  list = {}
  add_bare(build)
  add_floors(build)
  add_peers()
  add_lunette(lunette)
  add_engine(build)
  add_threads(build, lunette)
  add_starts(build, lunette)
  add_suites(lunette)
  return list
end

return M
