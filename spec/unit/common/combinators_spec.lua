-- SPDX-License-Identifier: MIT
-- Promise.all, allSettled, race and any.
local lunette = require "lunette"

local Promise, sleep = lunette.Promise, lunette.sleep

local function later(ms, ...)
  return Promise.delay(ms, ...)
end

local function fail_later(ms, reason)
  return Promise.delay(ms):andThen(function() error(reason, 0) end)
end

-- A promise for the value that is like no promise of ours.
local function thenable(value)
  return { next = function(_, resolve) resolve(value) end }
end

describe("Promise.all", function()
  it("fulfils with the list of first values, in the list's order", function()
    local promise = Promise.all { later(2, "a", "b"), "plain", thenable "c", later(0, false) }
    assert.same({ "a", "plain", "c", false }, promise:await())
  end)

  it("fulfils with an empty list for one", function()
    assert.same({}, Promise.all({}):await())
  end)

  it("leaves a hole where there is no value", function()
    assert.same({ 1, nil, 3 }, Promise.all({ 1, later(0), 3 }):await())
  end)

  it("rejects with the first reason, and the others go on", function()
    local other, resolve = Promise.withResolvers()
    local first = fail_later(0, "first")
    local promise = Promise.all { other, fail_later(1, "second"), first }
    assert.same({ false, "first" }, { promise:pawait() })
    assert.equal("pending", other:status())
    resolve(1)
    assert.equal(1, other:await())
  end)

  it("does not settle before the turn ends", function()
    local promise = Promise.all { 1, 2 }
    assert.equal("pending", promise:status())
    sleep(0)
    assert.equal("fulfilled", promise:status())
  end)

  it("takes one promise several times", function()
    local promise = later(0, "x")
    assert.same({ "x", "x", "x" }, Promise.all({ promise, promise, promise }):await())
  end)
end)

describe("Promise.allSettled", function()
  it("fulfils with what became of each", function()
    local reason = {}
    local list = Promise.allSettled({ later(1, "a", "b"), Promise.reject(reason), 3 }):await()
    assert.same({
      { status = "fulfilled", value = "a" },
      { status = "rejected", reason = reason },
      { status = "fulfilled", value = 3 },
    }, list)
    assert.equal(reason, list[2].reason)
  end)

  it("fulfils with an empty list for one", function()
    assert.same({}, Promise.allSettled({}):await())
  end)
end)

describe("Promise.race", function()
  it("becomes what the first to settle is, with all its values", function()
    local promise = Promise.race { later(10000), later(0, 1, nil), fail_later(5, "late") }
    assert.same({ 1, nil, n = 2 }, table.pack(promise:await()))
    assert.same({ false, "no" }, { Promise.race({ later(9), Promise.reject "no" }):pawait() })
    assert.equal("plain", Promise.race({ later(9), "plain" }):await())
  end)

  it("stays pending for an empty list", function()
    local promise = Promise.race {}
    sleep(0)
    assert.equal("pending", promise:status())
  end)
end)

describe("Promise.any", function()
  it("becomes what the first to fulfil is, with all its values", function()
    local promise = Promise.any { Promise.reject "no", later(10000), later(1, 1, nil) }
    assert.same({ 1, nil, n = 2 }, table.pack(promise:await()))
  end)

  it("rejects with an AggregateError when none fulfils", function()
    local ok, err = Promise.any({ fail_later(1, "a"), Promise.reject "b" }):pawait()
    assert.is_false(ok)
    assert.equal("AggregateError", err.name)
    assert.same({ "a", "b" }, err.errors)
    assert.equal("AggregateError: all promises were rejected", tostring(err))
    assert.same({}, select(2, Promise.any({}):pawait()).errors)
  end)
end)

describe("a combinator", function()
  local NAMES = { "all", "allSettled", "race", "any" }

  it("handles the rejections of its list, late ones too", function()
    local reported = {}
    local stop = lunette.process.listen("unhandledRejection", function(reason)
      reported[#reported + 1] = reason
    end)
    for _, name in ipairs(NAMES) do
      Promise[name]({ Promise.reject "early", fail_later(2, "late") }):pawait()
    end
    sleep(10)
    stop()
    assert.same({}, reported)
  end)

  it("leaves nothing on a promise that lives long", function()
    local long = Promise.withResolvers()
    local weak = setmetatable({}, { __mode = "k" })
    local function try(name)
      local settled = Promise[name] { long, Promise.reject(name), 1 }
      weak[settled] = true
      settled:pawait()
      local cancelled = Promise[name] { long }
      weak[cancelled] = true
      cancelled:cancel()
    end
    for _, name in ipairs { "all", "race", "any" } do lunette.spawn(try, name):await() end
    sleep(0)
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  for _, name in ipairs(NAMES) do
    local CASES = {
      { "bad argument #1 to 'Promise.%s' (table expected, got nil)" },
      { "bad argument #1 to 'Promise.%s' (table expected, got string)", "x" },
      { "bad argument #1 to 'Promise.%s' (list expected, got Promise)", Promise.resolve() },
    }
    for _, case in ipairs(CASES) do
      local text = case[1]:format(name)
      it("raises: " .. text, function()
        local ok, err = pcall(function() Promise[name](case[2]) end)
        assert.is_false(ok)
        assert.equal(text, err:match "^.-combinators_spec.lua:%d+: (.*)$")
      end)
    end
  end
end)
