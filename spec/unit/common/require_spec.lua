-- SPDX-License-Identifier: MIT
-- `require` within one state; the modules are functions in package.preload.
local lunette = require "lunette"

local Promise, sleep, spawn = lunette.Promise, lunette.sleep, lunette.spawn

describe("require", function()
  local names

  -- Makes modules, by name.
  local function modules(loaders)
    for name, loader in pairs(loaders) do
      package.preload[name] = loader
      names[#names + 1] = name
    end
  end

  before_each(function() names = {} end)

  after_each(function()
    for _, name in ipairs(names) do
      package.preload[name], package.loaded[name] = nil, nil
    end
  end)

  it("loads once, and returns the value and what the searcher told", function()
    local loads = {}
    modules { a = function(...) loads[#loads + 1] = table.pack(...) return "value" end }
    assert.same({ "value", ":preload:" }, { require "a" })
    assert.equal("value", (require "a"))
    assert.same({ { "a", ":preload:", n = 2 } }, loads)
  end)

  it("makes true of nothing, and keeps what the module put into package.loaded", function()
    modules { a = function() end, b = function() package.loaded.b = "own" end }
    assert.is_true((require "a"))
    assert.equal("own", (require "b"))
    assert.equal("own", package.loaded.b)
  end)

  it("lets a module await; a second requirer waits and gets the same", function()
    local loads = 0
    modules {
      a = function()
        loads = loads + 1
        sleep(1)
        return { loads }
      end,
    }
    local first, second = spawn(require, "a"), spawn(require, "a")
    assert.equal("pending", second:status())
    assert.equal(first:await(), second:await())
    assert.equal(1, loads)
    assert.equal(package.loaded.a, (require "a"))
  end)

  it("lets modules that await require each other in one direction", function()
    modules {
      a = function()
        sleep(0)
        return require "c" + 1
      end,
      b = function() return require "c" + 2 end,
      c = function()
        sleep(1)
        return 10
      end,
    }
    assert.same({ 11, 12 }, Promise.all({ spawn(require, "a"), spawn(require, "b") }):await())
  end)

  it("raises a failing module's error in all who require it; then it loads again", function()
    local is_ready, reason = false, {}
    modules {
      a = function()
        sleep(0)
        if not is_ready then error(reason) end
        return "at last"
      end,
    }
    local first, second = spawn(require, "a"), spawn(require, "a")
    assert.is_true(rawequal(reason, select(2, first:pawait())))
    assert.is_true(rawequal(reason, select(2, second:pawait())))
    is_ready = true
    assert.equal("at last", (require "a"))
  end)

  it("leaves a module's error its traceback", function()
    modules { a = function() error "broken" end }
    local _, traceback = xpcall(require, debug.traceback, "a")
    local frames = "in function 'error'\n\t[^\n]*require_spec.lua:%d+: in [^\n]+\n"
    assert.matches(frames, traceback)
  end)

  local CIRCLES = {
    ["with itself"] = { a = function() return (require "a") end },
    ["of two"] = {
      a = function() return (require "b") end,
      b = function() return (require "a") end,
    },
    ["of two that await"] = {
      a = function()
        sleep(0)
        return (require "b")
      end,
      b = function()
        sleep(0)
        return (require "a")
      end,
    },
  }
  for what, loaders in pairs(CIRCLES) do
    it("raises for a circle " .. what, function()
      modules(loaders)
      local ok, err = pcall(require, "a")
      assert.is_false(ok)
      assert.matches("require_spec.lua:%d+: module 'a' requires itself, by way of others$", err)
    end)
  end

  it("raises for a circle through two coroutines, in one of them", function()
    modules {
      a = function()
        sleep(0)
        return (require "b")
      end,
      b = function()
        sleep(0)
        return (require "a")
      end,
    }
    local list = Promise.allSettled({ spawn(require, "a"), spawn(require, "b") }):await()
    assert.equal("rejected", list[1].status)
    assert.equal("rejected", list[2].status)
    assert.matches("module '[ab]' requires itself, by way of others$", list[1].reason)
  end)

  it("can be required again when one who waited was cancelled", function()
    local gate, open = Promise.withResolvers()
    modules { a = function() return (gate:await()) end }
    local first = spawn(require, "a")
    spawn(require, "a"):cancel()
    open "value"
    assert.equal("value", (first:await()))
    assert.equal("value", (require "a"))
  end)

  it("says where it looked for a module that is not there, as Lua does", function()
    local err = select(2, pcall(require, "no.such.module"))
    local lines = { "module 'no.such.module' not found:" }
    for _, searcher in ipairs(package.searchers) do
      local text = searcher "no.such.module"
      if text then lines[#lines + 1] = "\t" .. text end
    end
    assert.equal(table.concat(lines, "\n"), err)
    assert.equal("\tno field package.preload['no.such.module']", lines[2])
  end)

  it("names a bad argument", function()
    local ok, err = pcall(function() require(nil) end)
    assert.is_false(ok)
    assert.equal("bad argument #1 to 'require' (string expected, got nil)", err:match ":%d+: (.*)")
  end)
end)
