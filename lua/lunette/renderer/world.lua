--- The world of an isolated page: what runs in its state.
local import = ...
local async = import "common.async"
local bridge = import "renderer.bridge"
local page = import "renderer.page"
local process = import "common.process"

local PUBLIC = {
  "Promise",
  "async",
  "spawn",
  "sleep",
  "generator",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "null",
  "json",
  "process",
}

local options

-- `require "lunette"` of the page: nothing that reaches main.
local function make_public()
  local all, some = import "common.public", {}
  for _, name in ipairs(PUBLIC) do
    some[name] = all[name]
  end
  return some
end

-- A question to the preload's world, which has the link to main.
local function asker(op)
  return function(...)
    return bridge.ask(op, ...)
  end
end

local host = {
  console = asker "console",
  close = asker "close",
  alert = asker "alert",
  exit = asker "exit",
  find_module = asker "find-module",
  memory = asker "memory",
}

bridge.on("open", function(given)
  options = given
  process.setup({
    type = "renderer",
    sandboxed = options.sandboxed,
    contextIsolated = true,
    argv = options.argv,
    env = options.env,
  }, not options.sandbox)
  page.open(options, host, make_public)
end)

bridge.on("expose", function(name, api)
  local globals = page.globals
  local window = globals.window
  if rawget(window, name) ~= nil or rawget(globals, name) ~= nil then return false end
  rawset(window, name, api)
  rawset(globals, name, api)
  return true
end)

bridge.on("run", function(script)
  local chunk, err = page.compile(options, script)
  if not chunk then return nil, err end
  page.run(chunk)
  page.fire "load"
  return true
end)

bridge.on("execute", async.async(import "renderer.execute"))
