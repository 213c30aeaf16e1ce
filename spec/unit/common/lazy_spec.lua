-- SPDX-License-Identifier: MIT
-- What is loaded when it is first used.
local import = require "spec.support.import"
local lazy = import "core.lazy"
local lunette = require "lunette"

local _, loaded = debug.getupvalue(import, 1)

describe("a lazy module", function()
  it("is loaded when a field of it is first read", function()
    loaded["renderer.sandbox"] = nil
    local module = lazy.module "renderer.sandbox"
    assert.is_nil(loaded["renderer.sandbox"])
    for _ = 1, 2 do
      assert.is_nil(module.no_such_field)
      assert.is_table(loaded["renderer.sandbox"])
      for name, field in pairs(loaded["renderer.sandbox"]) do
        assert.equal(field, module[name])
      end
    end
  end)

  it("may be behind a table with fields of its own", function()
    local module = lazy.module("common.path", { join = 1 })
    assert.equal(1, module.join)
    assert.equal(import("common.path").dirname, module.dirname)
  end)

  it("may be tried again when there was no room on the stack", function()
    local name <const> = "renderer.console"
    loaded[name] = nil
    local failures = 0
    local function nest(depth)
      if depth > 0 then return select(2, pcall(nest, depth - 1)) end
      if loaded[name] then return end
      local ok, err = pcall(import, name)
      if not ok then
        failures = failures + 1
        assert.matches("overflow", err)
      end
    end
    for depth = 250, 100, -1 do nest(depth) end
    assert.is_true(failures > 0)
    assert.is_table(import(name))
  end)
end)

describe("lazy fields", function()
  local calls, t

  local function make(name)
    calls[#calls + 1] = name
    return "value of " .. name
  end

  before_each(function()
    calls, t = {}, { own = 1 }
    lazy.fields(t, "first second", make)
  end)

  it("are made once, when they are read", function()
    assert.same({ "value of first", "value of first" }, { t.first, t.first })
    assert.same({ "first" }, calls)
    assert.is_nil(t.third)
  end)

  it("are all there for pairs", function()
    local found = {}
    t.second = "mine"
    for name, value in pairs(t) do found[name] = value end
    assert.same({ own = 1, first = "value of first", second = "mine" }, found)
  end)

  it("may become more", function()
    lazy.fields(t, "third", make)
    assert.equal("value of third", t.third)
    assert.equal("value of first", t.first)
  end)

  it("are whole names", function()
    for _, name in ipairs {
      "", "f", "irst", "first ", " second", "first second", "t", "first\0",
      "first\0" .. ("x"):rep(1 << 26),
    } do
      assert.is_nil(t[name], name)
    end
    assert.is_nil(t[1])
    assert.same({}, calls)
  end)

  it("may be those of a module", function()
    lazy.fields(t, "join", "common.path")
    assert.equal(import("common.path").join, t.join)
  end)

  it("do not hide what was behind the table before", function()
    local object = setmetatable({}, { __index = { inherited = 1 } })
    lazy.fields(object, "first", make)
    lazy.hide(object, "hidden", "common.path")
    lazy.fields(object, "second", make)
    assert.same({ 1, "value of first" }, { object.inherited, object.first })
    assert.is_nil(object.third)
  end)

  it("may be tried again when one could not be made", function()
    local fails = true
    lazy.fields(t, "third", function()
      if fails then error("no memory", 0) end
      return 3
    end)
    assert.error(function() return t.third end, "no memory")
    fails = false
    assert.equal(3, t.third)
  end)

  it("are found for tables only, whoever calls what finds them", function()
    lazy.fields(t, "first second", make)
    local metatable = getmetatable(t)
    for _, value in ipairs { 1, "text", print, true } do
      assert.is_false((pcall(metatable.__index, value, "first")))
      assert.is_false((pcall(metatable.__pairs, value)))
      assert.is_false((pcall((pairs(t)), value)))
    end
    assert.is_false((pcall(metatable.__index)))
    assert.equal("value of first", metatable.__index({}, "first"))
    local module = getmetatable(lazy.module "common.path")
    for _, value in ipairs { {}, 1, "text", true } do
      assert.is_false((pcall(module.__index, value, "join")))
    end
  end)

  it("may be hidden from pairs", function()
    lazy.hide(t, "hidden", "common.path")
    for name in pairs(t) do assert.not_equal("hidden", name) end
    assert.equal(import "common.path", t.hidden)
    assert.equal("value of first", t.first)
  end)

  it("are loaded by load, which lets other tables be", function()
    lazy.load(t)
    assert.equal("value of first", rawget(t, "first"))
    for _, other in ipairs { {}, setmetatable({}, { __index = error }) } do lazy.load(other) end
  end)

  it("are loaded by load_all", function()
    lazy.load_all()
    assert.equal("value of first", rawget(t, "first"))
    assert.equal("value of second", rawget(t, "second"))
  end)
end)

describe("lunette", function()
  it("has all of its functions for pairs", function()
    local found = {}
    for name in pairs(lunette) do found[name] = true end
    for _, name in ipairs {
      "async", "clearInterval", "clearTimeout", "generator", "json", "null", "promisify",
      "setImmediate", "setInterval", "setTimeout", "sleep", "spawn", "Promise", "process",
    } do
      assert.is_true(found[name], name)
    end
  end)
end)
