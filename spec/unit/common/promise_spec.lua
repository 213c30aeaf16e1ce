-- SPDX-License-Identifier: MIT
-- Promises: the clauses of Promises/A+ by number, then what API.md adds to them.
local lunette = require "lunette"

local Promise, sleep = lunette.Promise, lunette.sleep

local function nothing() end

-- Runs until every microtask that is queued now, and what those queue, has run.
local function end_turn()
  sleep(0)
end

local function outcome_of(promise)
  promise:pawait()
  return table.pack(promise:status(), select(2, promise:pawait()))
end

-- A function that keeps how often, and with what, it was called.
local function spy(result)
  local calls = { count = 0 }
  return function(...)
    calls.count = calls.count + 1
    calls.last = table.pack(...)
    return result
  end, calls
end

-- Pairs of a promise and how it settles.
local function make(state, value)
  local promise, resolve, reject = Promise.withResolvers()
  return promise, function() (state == "fulfilled" and resolve or reject)(value) end
end

local STATES = { "fulfilled", "rejected" }

describe("Promises/A+ 2.1 states:", function()
  for _, state in ipairs(STATES) do
    it("2.1.1-3 pending, then " .. state .. ", and never changes", function()
      local promise, resolve, reject = Promise.withResolvers()
      assert.equal("pending", promise:status())
      local first = state == "fulfilled" and resolve or reject
      first "one"
      resolve "two"
      reject "three"
      assert.same({ state, "one", n = 2 }, outcome_of(promise))
    end)
  end
end)

describe("Promises/A+ 2.2 andThen:", function()
  it("2.2.1 both callbacks are optional", function()
    assert.equal(1, Promise.resolve(1):andThen():await())
    assert.equal(2, Promise.resolve(2):andThen(nil, print):await())
    assert.same({ false, 3 }, { Promise.reject(3):andThen(nothing):pawait() })
  end)

  for _, state in ipairs(STATES) do
    it("2.2.2-3 calls the callback for " .. state .. " once, after that, with the value", function()
      local promise, settle = make(state, "value")
      local called, calls = spy()
      local other, other_calls = spy()
      local callbacks = state == "fulfilled" and { called, other } or { other, called }
      promise:andThen(table.unpack(callbacks))
      end_turn()
      assert.equal(0, calls.count)
      settle()
      settle()
      end_turn()
      assert.equal(1, calls.count)
      assert.same({ "value", n = 1 }, calls.last)
      assert.equal(0, other_calls.count)
    end)

    it("2.2.4 calls nothing before the turn ends, when it is " .. state, function()
      local promise, settle = make(state)
      local fn, calls = spy()
      promise:andThen(fn, fn)
      settle()
      promise:andThen(fn, fn)
      assert.equal(0, calls.count)
      end_turn()
      assert.equal(2, calls.count)
    end)

    it("2.2.6 calls the callbacks in the order of their andThen, when " .. state, function()
      local promise, settle = make(state)
      local trace = {}
      for i = 1, 4 do
        local function note() trace[#trace + 1] = i end
        promise:andThen(note, note)
        if i == 3 then settle() end
      end
      end_turn()
      assert.same({ 1, 2, 3, 4 }, trace)
    end)

    it("2.2.7 returns a promise for what the callback of " .. state .. " returns", function()
      local promise, settle = make(state)
      settle()
      local function value() return "a", nil, "b" end
      local function raise() error({ code = 7 }) end
      assert.same({ "fulfilled", "a", nil, "b", n = 4 }, outcome_of(promise:andThen(value, value)))
      local failed = promise:andThen(raise, raise)
      assert.same({ "rejected", { code = 7 }, n = 2 }, outcome_of(failed))
    end)
  end

  it("2.2.5 gives the callback no self", function()
    assert.same({ n = 0 }, Promise.resolve():andThen(table.pack):await())
  end)

  it("2.2.7.3-4 passes on what has no callback", function()
    assert.same({ 1, nil, n = 2 }, table.pack(Promise.resolve(1, nil):catch(nothing):await()))
    local reason = {}
    local promise = Promise.reject(reason):andThen(nothing)
    assert.equal(reason, select(2, promise:pawait()))
  end)
end)

describe("Promises/A+ 2.3 the resolution procedure:", function()
  it("2.3.1 rejects a promise that is resolved with itself", function()
    local promise
    promise = Promise.resolve():andThen(function() return promise end)
    assert.same({ false, "a promise cannot be resolved with itself" }, { promise:pawait() })
  end)

  for _, state in ipairs(STATES) do
    it("2.3.2 adopts a promise that becomes " .. state .. " later", function()
      local inner, settle = make(state, "value")
      local outer = Promise.new(function(resolve) resolve(inner) end)
      end_turn()
      assert.equal("pending", outer:status())
      settle()
      assert.same({ state, "value", n = 2 }, outcome_of(outer:andThen()))
    end)

    it("2.3.2 adopts a promise that is " .. state, function()
      local inner, settle = make(state, "value")
      settle()
      local outer = Promise.new(function(resolve) resolve(inner) end)
      assert.same({ state, "value", n = 2 }, outcome_of(outer:andThen()))
    end)
  end

  it("2.3.2 keeps all values of the promise that it adopts", function()
    local inner = Promise.resolve(nil, 2, nil)
    local outer = Promise.new(function(resolve) resolve(inner) end)
    assert.same({ nil, 2, nil, n = 3 }, table.pack(outer:await()))
  end)

  it("2.3.2 what has been adopted counts, not what comes after", function()
    local inner, resolve_inner = Promise.withResolvers()
    local outer, resolve, reject = Promise.withResolvers()
    resolve(inner)
    resolve "late"
    reject "later"
    resolve_inner "inner"
    assert.equal("inner", outer:await())
  end)

  for _, name in ipairs { "andThen", "next" } do
    it("2.3.3.3 calls a thenable's " .. name .. " with itself and two functions", function()
      local got
      local thenable = {}
      thenable[name] = function(...)
        got = table.pack(...)
        got[2]("a", nil)
      end
      assert.same({ "a", nil, n = 2 }, table.pack(Promise.resolve(thenable):await()))
      assert.equal(3, got.n)
      assert.equal(thenable, got[1])
    end)
  end

  it("2.3.3.3 does not call a thenable before the turn ends", function()
    local andThen, calls = spy()
    Promise.resolve { andThen = andThen }
    assert.equal(0, calls.count)
    end_turn()
    assert.equal(1, calls.count)
  end)

  it("2.3.3.3 takes a callable table for a thenable's method, and andThen before next", function()
    local method = setmetatable({}, { __call = function(_, _, resolve) resolve "called" end })
    local promise = Promise.resolve { andThen = method, next = error }
    assert.equal("called", promise:await())
  end)

  it("2.3.3.3.1 resolves again what a thenable fulfils with", function()
    local inner = { next = function(_, resolve) resolve(Promise.resolve "deep") end }
    local outer = { andThen = function(_, resolve) resolve(inner) end }
    assert.equal("deep", Promise.resolve(outer):await())
  end)

  it("2.3.3.3.2 rejects with what a thenable rejects with, even a promise", function()
    local reason = Promise.resolve(1)
    local promise = Promise.resolve { andThen = function(_, _, reject) reject(reason) end }
    assert.same({ "rejected", reason, n = 2 }, outcome_of(promise:andThen()))
  end)

  local FIRST_WINS = {
    ["resolve, then resolve"] = function(_, resolve) resolve "first" resolve "second" end,
    ["resolve, then reject"] = function(_, resolve, reject) resolve "first" reject "second" end,
    ["resolve, then an error"] = function(_, resolve) resolve "first" error "second" end,
  }
  for what, method in pairs(FIRST_WINS) do
    it("2.3.3.3.3-4 the first call of a thenable counts: " .. what, function()
      assert.equal("first", Promise.resolve({ andThen = method }):await())
    end)
  end

  it("2.3.3.3.4.2 rejects with the error that a thenable raises", function()
    local reason = {}
    local promise = Promise.resolve { andThen = function() error(reason) end }
    assert.equal(reason, select(2, promise:pawait()))
  end)

  it("2.3.3.3.4.1 an error after resolving with a pending promise does not count", function()
    local inner, resolve_inner = Promise.withResolvers()
    local promise = Promise.new(function(resolve)
      resolve(inner)
      error "ignored"
    end)
    resolve_inner "inner"
    assert.equal("inner", promise:await())
  end)

  local PLAIN = {
    ["a table"] = {},
    ["a table whose andThen is no function"] = { andThen = 1, next = true },
    ["a strict table"] = setmetatable({}, { __index = function() error "strict" end }),
    ["a string"] = "text",
    ["a userdata"] = io.stdout,
    ["a function"] = print,
  }
  for what, value in pairs(PLAIN) do
    it("2.3.4 fulfils with " .. what, function()
      assert.is_true(rawequal(value, Promise.resolve(value):await()))
    end)
  end

  it("2.3 compares no value with metamethods", function()
    local value = setmetatable({}, { __eq = function() error "compared" end })
    assert.is_true(rawequal(value, Promise.resolve(value):await()))
  end)
end)

describe("a promise", function()
  local VALUES = {
    table.pack(),
    table.pack(nil),
    table.pack(nil, nil),
    table.pack(false),
    table.pack(1, nil, 3, nil),
  }
  for _, values in ipairs(VALUES) do
    it("keeps " .. values.n .. " values, nils too", function()
      local function run(...) return ... end
      local promise = Promise.resolve(table.unpack(values, 1, values.n))
      assert.same(values, table.pack(promise:await()))
      assert.same(values, table.pack(promise:andThen(run):await()))
      assert.same(values, table.pack(select(2, promise:pawait())))
      assert.same(values, table.pack(promise:finally(nothing):catch(nothing):await()))
    end)
  end

  it("keeps a rejection with nil or false", function()
    assert.same({ false, nil, n = 2 }, table.pack(Promise.reject():pawait()))
    assert.same({ false, false, n = 2 }, table.pack(Promise.reject(false):pawait()))
    local promise = Promise.reject(nil)
    assert.same({ false, nil, n = 2 }, table.pack(pcall(promise.await, promise)))
  end)

  it("is made by calling Promise too, and says what it is", function()
    local promise = Promise(function(resolve) resolve(1) end)
    assert.equal("Promise (fulfilled)", tostring(promise))
    assert.equal("Promise (pending)", tostring(Promise.new(nothing)))
    assert.is_true(Promise.is(promise))
    assert.is_false(Promise.is { andThen = print })
    assert.is_false(Promise.is())
  end)

  it("rejects with what its function raises, before or after an await", function()
    local reason = {}
    assert.equal(reason, select(2, Promise.new(function() error(reason) end):pawait()))
    local promise = Promise.new(function()
      sleep(0)
      error(reason)
    end)
    assert.equal("pending", promise:status())
    assert.equal(reason, select(2, promise:pawait()))
  end)

  it("resolve returns a promise as it is, and reject does not look into one", function()
    local promise = Promise.resolve(1)
    assert.equal(promise, Promise.resolve(promise))
    assert.equal(promise, select(2, Promise.reject(promise):pawait()))
  end)

  it("withResolvers gives the promise and its two functions", function()
    local promise, resolve, reject = Promise.withResolvers()
    assert.equal("pending", promise:status())
    resolve(1, 2)
    reject "no"
    assert.same({ 1, 2 }, { promise:await() })
    assert.equal(3, select("#", Promise.withResolvers()))
  end)

  it("delay fulfils with its values, not too early", function()
    local start = lunette.process.hrtime()
    assert.same({ "a", nil, n = 2 }, table.pack(Promise.delay(5, "a", nil):await()))
    assert.is_true(lunette.process.hrtime() - start >= 5000000)
  end)

  it("runs microtasks first in, first out, those that they queue after them", function()
    local trace = {}
    local function note(name) return function() trace[#trace + 1] = name end end
    local done = Promise.resolve()
    done:andThen(note "a1"):andThen(note "a2"):andThen(note "a3")
    done:andThen(note "b1"):andThen(note "b2")
    done:finally(note "c1")
    trace[1] = "script"
    end_turn()
    assert.equal("script a1 b1 c1 a2 b2 a3", table.concat(trace, " "))
  end)

  it("lets its callbacks await", function()
    local promise = Promise.resolve(1):andThen(function(n)
      sleep(0)
      return n + Promise.delay(1, 1):await()
    end)
    assert.equal(2, promise:await())
  end)

  it("lets what its callbacks captured go once it has settled", function()
    local weak = setmetatable({}, { __mode = "v" })
    local promise, resolve = Promise.withResolvers()
    do
      local captured = {}
      weak[1] = captured
      promise:andThen(function() return captured.field end)
    end
    resolve()
    end_turn()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)

describe("promise:await", function()
  it("returns at once when the promise has settled", function()
    local order = {}
    Promise.resolve():andThen(function() order[#order + 1] = "microtask" end)
    Promise.resolve():await()
    order[#order + 1] = "awaited"
    end_turn()
    assert.same({ "awaited", "microtask" }, order)
  end)

  it("raises the reason unchanged, which pcall catches", function()
    local reason = setmetatable({}, { __tostring = error })
    local promise, _, reject = Promise.withResolvers()
    lunette.setImmediate(reject, reason)
    local ok, err = pcall(promise.await, promise)
    assert.is_false(ok)
    assert.is_true(rawequal(reason, err))
    assert.is_true(rawequal(reason, select(2, pcall(promise.await, promise))))
  end)

  it("wakes those that wait in the order in which they came", function()
    local promise, resolve = Promise.withResolvers()
    local order = {}
    for i = 1, 4 do
      lunette.spawn(function()
        local value = promise:await()
        order[#order + 1] = i .. value
      end)
    end
    resolve "!"
    assert.same({}, order)
    end_turn()
    assert.same({ "1!", "2!", "3!", "4!" }, order)
  end)

  it("is not woken from a wait that is over", function()
    local first, resolve_first = Promise.withResolvers()
    local second, resolve_second = Promise.withResolvers()
    local trace = {}
    local task = lunette.spawn(function()
      first:timeout(0):pawait()
      trace[1] = "timed out"
      second:await()
      trace[2] = "woken"
    end)
    repeat sleep(1) until trace[1]
    resolve_first()
    end_turn()
    assert.same({ "timed out" }, trace)
    resolve_second()
    task:await()
    assert.same({ "timed out", "woken" }, trace)
  end)

  it("pawait gives true and the values, or false and the reason", function()
    assert.same({ true, n = 1 }, table.pack(Promise.resolve():pawait()))
    assert.same({ true, 1, nil, n = 3 }, table.pack(Promise.delay(0, 1, nil):pawait()))
    assert.same({ false, "no", n = 2 }, table.pack(Promise.reject("no"):pawait()))
  end)
end)

describe("promise:finally", function()
  it("gets nothing, and what it returns does not count", function()
    local fn, calls = spy "ignored"
    assert.same({ 1, nil, n = 2 }, table.pack(Promise.resolve(1, nil):finally(fn):await()))
    assert.same({ n = 0 }, calls.last)
    assert.same({ false, "no" }, { Promise.reject("no"):finally(fn):pawait() })
    assert.equal(2, calls.count)
  end)

  for _, name in ipairs { "a promise", "a thenable" } do
    it("waits for " .. name .. " that it returns", function()
      local gate, open = Promise.withResolvers()
      local waited = name == "a promise" and gate
        or { andThen = function(_, resolve) gate:andThen(resolve) end }
      local promise = Promise.resolve(1):finally(function() return waited end)
      end_turn()
      assert.equal("pending", promise:status())
      open "ignored"
      assert.equal(1, promise:await())
    end)
  end

  it("its own failure wins", function()
    local function raise() error("mine", 0) end
    local function reject() return Promise.reject "mine" end
    for _, fn in ipairs { raise, reject } do
      assert.same({ false, "mine" }, { Promise.resolve(1):finally(fn):pawait() })
      assert.same({ false, "mine" }, { Promise.reject(1):finally(fn):pawait() })
    end
  end)

  it("works many times on one promise", function()
    local promise, resolve = Promise.withResolvers()
    local fn, calls = spy()
    for _ = 1, 5 do promise:finally(fn) end
    resolve()
    end_turn()
    assert.equal(5, calls.count)
  end)
end)

describe("promise:timeout", function()
  it("rejects with a TimeoutError; the promise itself goes on", function()
    local promise, resolve = Promise.withResolvers()
    local ok, err = promise:timeout(5):pawait()
    assert.is_false(ok)
    assert.equal("TimeoutError", err.name)
    assert.equal("TimeoutError: not settled within 5 ms", tostring(err))
    assert.equal("pending", promise:status())
    resolve "late"
    assert.equal("late", promise:await())
  end)

  it("becomes what the promise does in time", function()
    assert.same({ 1, nil, n = 2 }, table.pack(Promise.delay(1, 1, nil):timeout(10000):await()))
    assert.same({ false, "no" }, { Promise.reject("no"):timeout(10000):pawait() })
  end)

  it("leaves nothing on a promise that lives long", function()
    local promise = Promise.withResolvers()
    local weak = setmetatable({}, { __mode = "k" })
    local function try(is_cancelled)
      local timeout = promise:timeout(1)
      weak[timeout] = true
      if is_cancelled then timeout:cancel() end
      timeout:pawait()
    end
    for i = 1, 4 do lunette.spawn(try, i > 2):await() end
    end_turn()
    collectgarbage()
    assert.is_nil(next(weak))
    assert.equal("pending", promise:status())
  end)
end)

describe("promise:cancel", function()
  it("rejects a pending promise with an AbortError, and a settled one not", function()
    local promise, resolve = Promise.withResolvers()
    promise:cancel()
    resolve "late"
    promise:cancel()
    local ok, err = promise:pawait()
    assert.is_false(ok)
    assert.equal("AbortError", err.name)
    assert.equal("AbortError: the operation was cancelled", tostring(err))
    local settled = Promise.resolve(1)
    settled:cancel()
    assert.equal(1, settled:await())
  end)

  it("does not travel to the promise it was derived from, nor call its callbacks", function()
    local source, resolve = Promise.withResolvers()
    local fn, calls = spy()
    for _, child in ipairs { source:andThen(fn), source:catch(fn), source:timeout(10000) } do
      child:cancel()
      assert.equal("rejected", child:status())
    end
    assert.equal("pending", source:status())
    resolve(1)
    assert.equal(1, source:await())
    end_turn()
    assert.equal(0, calls.count)
  end)

  it("still runs what finally was given", function()
    local source, resolve = Promise.withResolvers()
    local fn, calls = spy()
    source:finally(fn):cancel()
    resolve()
    end_turn()
    assert.equal(1, calls.count)
  end)

  it("travels to what was derived from it", function()
    local source = Promise.withResolvers()
    local derived = source:andThen(nothing):finally(nothing)
    source:cancel()
    assert.equal("AbortError", select(2, derived:pawait()).name)
  end)

  it("stops the timer of a delay", function()
    local delay = Promise.delay(10000)
    delay:cancel()
    assert.equal("AbortError", select(2, delay:pawait()).name)
  end)
end)

describe("the errors of promises:", function()
  local promise = Promise.resolve()
  local CASES = {
    { "bad argument #1 to 'Promise.new' (callable expected, got nil)", Promise.new },
    { "bad argument #1 to 'Promise.delay' (milliseconds expected, got -1)", Promise.delay, -1 },
    { "bad argument #1 to 'Promise:andThen' (callable or nil expected, got number)",
      promise.andThen, promise, 1 },
    { "bad argument #2 to 'Promise:andThen' (callable or nil expected, got table)",
      promise.andThen, promise, nil, {} },
    { "bad argument #1 to 'Promise:catch' (callable or nil expected, got string)",
      promise.catch, promise, "x" },
    { "bad argument #1 to 'Promise:finally' (callable or nil expected, got boolean)",
      promise.finally, promise, true },
    { "bad argument #1 to 'Promise:timeout' (milliseconds expected, got nil)",
      promise.timeout, promise },
    { "Promise.new is called with a dot: write Promise.new(...), not Promise:new(...)",
      Promise.new, Promise, print },
    { "Promise.resolve is called with a dot: write Promise.resolve(...), not Promise:resolve(...)",
      Promise.resolve, Promise, 1 },
    { "Promise.all is called with a dot: write Promise.all(...), not Promise:all(...)",
      Promise.all, Promise, {} },
  }
  local METHODS =
    { "andThen", "catch", "finally", "await", "pawait", "status", "timeout", "cancel" }
  for _, name in ipairs(METHODS) do
    local text = "Promise:%s is called with a colon: write promise:%s(...), not promise.%s(...)"
    CASES[#CASES + 1] = { text:format(name, name, name), promise[name], print }
  end

  for _, case in ipairs(CASES) do
    it(case[1], function()
      local fn, a, b, c = table.unpack(case, 2, 5)
      local ok, err = pcall(function() fn(a, b, c) end)
      assert.is_false(ok)
      local where, text = err:match "^(.-:%d+): (.*)$"
      assert.equal(case[1], text)
      assert.matches("promise_spec.lua", where)
    end)
  end
end)
