-- SPDX-License-Identifier: MIT
-- `require`: as Lua's, but a module may await while it loads.
local app = require "spec.support.app"

local MAIN = "local lunette = require 'lunette'\n"

describe("require", function()
  it("lets a module await while it loads; whoever requires it meanwhile waits", function()
    local result = app.run {
      ["main.lua"] = MAIN .. [[
        local first = lunette.spawn(require, "slow")
        local second = lunette.spawn(require, "slow")
        print(first:await().value, first:await() == second:await(), require "slow".value)
      ]],
      ["slow.lua"] = [[
        print("loading", ...)
        require("lunette").sleep(5)
        return { value = 7 }
      ]],
    }
    assert.matches("^loading\tslow\t[^\n]*/slow.lua\n7\ttrue\t7\n$", result.stdout)
  end)

  it("finds modules of the app's folder, with dots and init.lua", function()
    local result = app.run {
      ["main.lua"] = MAIN .. "print(require 'lib.a', (require 'lib'))",
      ["lib/a.lua"] = "return 'a'",
      ["lib/init.lua"] = "return 'init'",
    }
    assert.equal("a\tinit\n", result.stdout)
  end)

  it("raises for a circle, and for a module that is not there", function()
    local result = app.run {
      ["main.lua"] = MAIN .. [[
        print(select(2, pcall(require, "a")))
        print((select(2, pcall(require, "none"))):match "^[^\n]*")
      ]],
      ["a.lua"] = "return require 'b'",
      ["b.lua"] = "local a = require 'a' return a",
    }
    local text = "b.lua:1: module 'a' requires itself, by way of others\n"
    assert.matches(text, result.stdout, 1, true)
    assert.matches("module 'none' not found:\n$", result.stdout)
  end)

  it("can be tried again after a module has failed", function()
    local result = app.run {
      ["main.lua"] = MAIN .. [[
        print(pcall(require, "flaky"))
        ready = true
        print(pcall(require, "flaky"))
      ]],
      ["flaky.lua"] = "if not ready then error('not yet', 0) end return 'now'",
    }
    assert.matches("^false\tnot yet\ntrue\tnow", result.stdout)
  end)

  it("loads Debian's C modules in main and in a page without a sandbox", function()
    local result = app.run {
      ["main.lua"] = MAIN .. [[
        print(type(require "lpeg".match), type(require "lfs".attributes))
        lunette.app.whenReady():await()
        local open = { webPreferences = { sandbox = false } }
        lunette.BrowserWindow.new(open):loadFile "page.lua"
      ]],
      ["page.lua"] = [[
        print(type(require "lpeg".match), type(require "lfs".attributes))
        window.close()
      ]],
    }
    assert.equal("function\tfunction\nfunction\tfunction\n", result.stdout)
  end)
end)
