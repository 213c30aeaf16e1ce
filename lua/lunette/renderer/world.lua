--- The world of an isolated page: what runs in its state.
local import = ...
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

local found
bridge.on("module", function(...)
  found = table.pack(...)
end)

local host = {
  console = function(level, text)
    bridge.send("console", level, text)
  end,
  close = function()
    bridge.send "close"
  end,
  alert = function(text)
    bridge.send("alert", text)
  end,
  find_module = function(name)
    bridge.send("find-module", name)
    return table.unpack(found, 1, found.n)
  end,
}

bridge.on("open", function(given)
  options = given
  process.setup {
    type = "renderer",
    sandboxed = options.sandbox,
    contextIsolated = true,
    argv = options.argv,
  }
  page.set_globals(options, host, make_public)
end)

bridge.on("expose", function(name, api)
  local is_free = window[name] == nil and _G[name] == nil
  if is_free then
    window[name] = api
    _G[name] = api
  end
  bridge.send("exposed", is_free)
end)

bridge.on("run", function(script)
  local chunk, err = page.compile(options, script)
  if not chunk then return bridge.send("page", nil, err) end
  page.run(chunk)
  page.fire "load"
  bridge.send("page", true)
end)

bridge.on("execute", function(code)
  local promise = import("common.public").async(page.execute)(code)
  bridge.send("executed", promise)
end)
