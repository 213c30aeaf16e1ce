-- SPDX-License-Identifier: MIT
-- setTimeout, setInterval, setImmediate, and what clears them.
local app = require "spec.support.app"
local lunette = require "lunette"

local Promise, sleep = lunette.Promise, lunette.sleep

-- A function that appends its name and arguments to a trace.
local function tracer(trace, name)
  return function(...) trace[#trace + 1] = table.concat({ name, ... }, " ") end
end

describe("setTimeout", function()
  it("calls once, not too early, with the arguments, nils too", function()
    local done, resolve = Promise.withResolvers()
    local start = lunette.process.hrtime()
    local calls = 0
    lunette.setTimeout(function(...)
      calls = calls + 1
      resolve(...)
    end, 3, "a", nil)
    assert.same({ "a", nil, n = 2 }, table.pack(done:await()))
    assert.is_true(lunette.process.hrtime() - start >= 3000000)
    sleep(5)
    assert.equal(1, calls)
  end)

  it("calls in the order of the times, and of the calls for one time", function()
    local trace, ms = {}, math.floor(10 * app.PATIENCE) -- all are made in less
    local late = Promise.delay(10 * ms):andThen(tracer(trace, "late"))
    lunette.setTimeout(tracer(trace, "a"), ms)
    lunette.setTimeout(tracer(trace, "b"), ms)
    lunette.setTimeout(tracer(trace, "none"))
    late:await()
    assert.same({ "none", "a", "b", "late" }, trace)
  end)

  it("does not call before it returns, and takes parts of a millisecond", function()
    local trace = {}
    lunette.setTimeout(tracer(trace, "called"), 0.5)
    trace[1] = "returned"
    sleep(5)
    assert.same({ "returned", "called" }, trace)
  end)

  it("may be cleared before, and in another's call, and after", function()
    local trace, ids = {}, {}
    ids[1] = lunette.setTimeout(tracer(trace, "1"), 0)
    lunette.clearTimeout(ids[1])
    lunette.setTimeout(function() lunette.clearTimeout(ids[2]) end, 0)
    ids[2] = lunette.setTimeout(tracer(trace, "2"), 0)
    sleep(5)
    assert.same({}, trace)
    lunette.clearTimeout(ids[2])
    lunette.clearTimeout(ids[1])
  end)

  it("lets its function await, and clear itself", function()
    local done, resolve = Promise.withResolvers()
    local id
    id = lunette.setTimeout(function()
      lunette.clearTimeout(id)
      sleep(0)
      resolve "went on"
    end)
    assert.equal("went on", done:await())
  end)
end)

describe("setInterval", function()
  it("calls again and again, with the arguments, until it is cleared in a call", function()
    local trace, id = {}
    local done, resolve = Promise.withResolvers()
    id = lunette.setInterval(function(...)
      tracer(trace, "call")(...)
      if #trace == 3 then
        lunette.clearInterval(id)
        resolve()
      end
    end, 1, "a")
    done:await()
    sleep(5)
    assert.same({ "call a", "call a", "call a" }, trace)
  end)

  it("takes a callable table, and lets it await", function()
    local done, resolve = Promise.withResolvers()
    local id
    id = lunette.setInterval(setmetatable({}, { __call = function(_, ...)
      lunette.clearInterval(id)
      sleep(0)
      resolve(select("#", ...))
    end }))
    assert.equal(0, done:await())
  end)

  it("goes on after an error in a call, which is reported", function()
    local reported, calls, id = 0, 0
    local stop = lunette.process.listen("uncaughtException", function() reported = reported + 1 end)
    local done, resolve = Promise.withResolvers()
    id = lunette.setInterval(function()
      calls = calls + 1
      if calls == 3 then return resolve() end
      error "x"
    end, 0)
    done:await()
    lunette.clearInterval(id)
    stop()
    assert.equal(2, reported)
  end)

  it("calls again while an earlier call still awaits", function()
    local gate, open = Promise.withResolvers()
    local done, resolve = Promise.withResolvers()
    local begun, ended, id = 0, 0
    id = lunette.setInterval(function()
      begun = begun + 1
      if begun == 3 then
        lunette.clearInterval(id)
        open()
      end
      gate:await()
      ended = ended + 1
      if ended == 3 then resolve() end
    end, 1)
    done:await()
    assert.equal(3, begun)
  end)
end)

describe("setImmediate", function()
  it("calls once, in order, those that it makes after those that wait", function()
    local trace = {}
    local done, resolve = Promise.withResolvers()
    lunette.setImmediate(function(...)
      lunette.setImmediate(function()
        trace[#trace + 1] = "c"
        resolve()
      end)
      tracer(trace, "a")(...)
    end, 1, 2)
    lunette.setImmediate(tracer(trace, "b"))
    done:await()
    assert.same({ "a 1 2", "b", "c" }, trace)
  end)

  it("can be cleared, by one before it too", function()
    local trace, ids = {}, {}
    for i = 1, 5 do
      ids[i] = lunette.setImmediate(function()
        trace[#trace + 1] = i
        lunette.clearTimeout(ids[i + 1])
      end)
    end
    sleep(2)
    assert.same({ 1, 3, 5 }, trace)
  end)

  it("runs the microtasks of each call before the next call", function()
    local trace = {}
    for i = 1, 3 do
      lunette.setImmediate(function()
        trace[#trace + 1] = i
        Promise.resolve():andThen(function() trace[#trace + 1] = "microtask" end)
      end)
    end
    sleep(2)
    assert.same({ 1, "microtask", 2, "microtask", 3, "microtask" }, trace)
  end)

  it("can be cleared before any runs", function()
    local trace = {}
    local id = lunette.setImmediate(tracer(trace, "cleared"))
    lunette.setImmediate(tracer(trace, "kept"))
    lunette.clearTimeout(id)
    sleep(2)
    assert.same({ "kept" }, trace)
  end)
end)

describe("the loop", function()
  local STARTERS = {
    setImmediate = function(fn) lunette.setImmediate(fn) end,
    ["setTimeout of 0"] = function(fn) lunette.setTimeout(fn, 0) end,
    ["setTimeout of 1 after work of 1 ms"] = function(fn)
      lunette.setTimeout(function()
        local stop = lunette.process.hrtime() + 1000000
        repeat until lunette.process.hrtime() > stop
        fn()
      end, 1)
    end,
  }
  for what, start in pairs(STARTERS) do
    it("sees to files though functions start themselves again by " .. what, function()
      local is_read, turns = false, 0
      local function again()
        turns = turns + 1
        if not is_read and turns < 100000 then start(again) end
      end
      start(again)
      start(again)
      lunette.promisify(lunette.uv.fs_stat)("/"):await()
      is_read = true
      assert.is_true(turns < 100000)
    end)
  end
end)

describe("clearTimeout", function()
  it("ignores what is no timer", function()
    for _, value in ipairs { 0, -1, 12345678, "x", {}, 0 / 0 } do lunette.clearTimeout(value) end
    lunette.clearTimeout()
    lunette.clearInterval(nil)
  end)

  it("lets go of the function", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function try()
      for _, start in ipairs { lunette.setTimeout, lunette.setInterval, lunette.setImmediate } do
        local upvalue = {}
        weak[upvalue] = true
        local function fn() return upvalue end
        lunette.clearTimeout(start(fn))
      end
    end
    lunette.spawn(try):await()
    sleep(0)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)

describe("the errors of timers:", function()
  local CASES = {
    { "bad argument #1 to 'lunette.setTimeout' (callable expected, got nil)", lunette.setTimeout },
    { "bad argument #2 to 'lunette.setTimeout' (milliseconds or nil expected, got -1)",
      lunette.setTimeout, type, -1 },
    { "bad argument #2 to 'lunette.setInterval' (milliseconds or nil expected, got string)",
      lunette.setInterval, type, "1" },
    { "bad argument #1 to 'lunette.setImmediate' (callable expected, got number)",
      lunette.setImmediate, 5 },
    { "lunette.setTimeout is called with a dot: write lunette.setTimeout(...), "
      .. "not lunette:setTimeout(...)", lunette.setTimeout, lunette, type },
  }
  for _, case in ipairs(CASES) do
    it(case[1], function()
      local fn, a, b = table.unpack(case, 2, 4)
      local ok, err = pcall(function() fn(a, b) end)
      assert.is_false(ok)
      assert.equal(case[1], err:match "^.-timers_spec.lua:%d+: (.*)$")
    end)
  end
end)
