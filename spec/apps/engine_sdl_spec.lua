local app = require "spec.support.app"
local command = require "spec.support.command"
local lunette = require "lunette"
local test = require "lunette.test"

local build = lunette.process.execPath:match "/build/([^/]+)/lunette$"
local has_library = build == "release" or build == "debug"
local has_sdl = command.exists "pkg-config" and os.execute "pkg-config --exists sdl2" == true

local TIMEOUT <const> = math.floor(60000 * app.PATIENCE)

local program

local function copy_game()
  local folder = test.tmpdir()
  command.run(("cp -r apps/engine-sdl/scripts apps/engine-sdl/main.lua %s"):format(folder))
  return folder
end

local function play(folder, ...)
  return test.launch(folder, { program = program, args = { "--report", ... }, timeout = TIMEOUT })
end

describe("apps/engine-sdl", has_library and function()
  if not has_sdl then
    pending "is not played: no SDL2"
    return
  end

  local folder

  setup(function()
    command.run(("make -s -C apps/engine-sdl BUILD=%s"):format(build))
    program = lunette.process.execPath:gsub("[^/]*$", "engine-sdl")
  end)

  before_each(function()
    folder = copy_game()
  end)
  it("plays without a display, and stops a script in an endless loop", function()
    local result = play(folder, "--frames", "600", "--trap", "240"):wait()
    assert.equal("", result.stderr)
    assert.matches("\nframes: 600 in %d", result.stdout)
    assert.matches("\nframe ms: median %d+%.%d+, 99th percentile", result.stdout)
    assert.matches("\npump ms: median %d+%.%d+, 99th percentile", result.stdout)
    assert.is_true(tonumber(result.stdout:match "\nmessages: (%d+) a second") > 500)
    assert.matches("endless loop, stopped", result.stdout)
    assert.equal(0, result.status)
  end)

  it("goes on with a script that has changed, and tells of one that does not load", function()
    local game = play(folder, "--frames", "600")
    local path = folder .. "/scripts/graze.lua"
    local function write(text)
      local file <close> = assert(io.open(path, "w"))
      file:write(text)
    end
    game:waitForOutput "all are alive"
    write "require('scripts.creature').on_think(function() return 1, 0 end)"
    game:waitForOutput "a script has changed"
    write "return return"
    game:waitForOutput "does not load"
    local result = game:wait()
    assert.matches("reloads: 2, ", result.stdout)
    assert.is_true(tonumber(result.stdout:match "failed: (%d+)") > 0, result.stdout)
    assert.matches("last message: does not load: .*graze.lua:1:", result.stdout)
    assert.equal(0, result.status)
  end)

  it("says how it is used", function()
    local result = test.launch("--what", { program = program }):wait()
    assert.matches("^usage: engine%-sdl", result.stderr)
    assert.equal(2, result.status)
  end)
end or function() end)
