local launch = require("lunette.test").launch
local lunette = require "lunette"
local command = require "spec.support.command"

local build, name = lunette.process.execPath:match "^(.*/([^/]+))/lunette$"
local has_library = name == "release" or name == "debug"

describe("apps/engine-love", has_library and function()
  if not command.exists "love" then
    pending "is not played: no LÖVE"
    return
  end

  it("loads the library by LuaJIT's FFI, and its pages move the balls", function()
    local result = launch("apps/engine-love", {
      program = "love",
      args = { "--frames", "300" },
      env = { LUNETTE_LIBRARY = build .. "/lib/liblunette.so", SDL_VIDEODRIVER = "offscreen" },
    }):wait()
    assert.matches("Lunette %d[%d.]+, LuaJIT 2", result.stdout)
    assert.matches("frames: 300, moves: %d+, asked: 3, gone: 0\n", result.stdout)
    assert.equal(0, result.status, result.stderr)
  end)
end or function() end)
