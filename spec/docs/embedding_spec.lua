local app = require "spec.support.app"
local command = require "spec.support.command"
local markdown = require "spec.support.markdown"

local build = app.executable:match "/build/([^/]+)/lunette$"

-- A sanitizer belongs to a whole program: those builds have no library.
local has_library = build == "release" or build == "debug"

describe("docs/embedding.md", has_library and function()
  local text = markdown.read "docs/embedding.md"
  local home, game

  setup(function()
    local install = "make --no-print-directory BUILD=%s PREFIX=%s/lunette install"
    home = app.folder {}
    command.run(install:format(build, home))
    game = app.folder {
      ["scripts/orc.lua"] = markdown.blocks(text, "lua")[1],
      ["scripts/main.lua"] = "",
      ["game.c"] = markdown.blocks(text, "c")[1],
    }
  end)

  teardown(function()
    app.remove(home)
    app.remove(game)
  end)

  local function run(commands)
    return command.run(commands, { cwd = game, env = { HOME = home } })
  end

  it("has a game that is compiled and plays as it stands", function()
    assert.equal(markdown.commands(text, "page 1:"), run(markdown.commands(text, "P=")))
  end)

  it("has a line for pkg-config", function()
    if not command.exists "pkg-config" then
      pending "no pkg-config"
      return
    end
    local line = markdown.commands(text, "cc game.c -o game $(PKG")
    assert.equal(markdown.commands(text, "page 1:"), run("P=$HOME/lunette\n" .. line .. "./game"))
  end)
end or function() end)
