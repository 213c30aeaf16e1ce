-- SPDX-License-Identifier: MIT
-- Tasks and microtasks: what a turn is, and when coroutines are used again.
local import = require "spec.support.import"
local lunette = require "lunette"
local task = import "common.task"

local Promise, sleep = lunette.Promise, lunette.sleep

-- The running coroutine, without the program's noticing that it has one.
local current = import("common.coroutines").raw.running

describe("task.start", function()
  it("runs the function at once and tells how it came out", function()
    assert.same({ true, n = 1 }, table.pack(task.start(type, 1)))
    local done, co = task.start(sleep, 0)
    assert.is_false(done)
    assert.equal("thread", type(co))
    lunette.process.once("uncaughtException", type)
    assert.same({ n = 0 }, table.pack(task.start(error, "x")))
  end)

  it("uses a coroutine again that has ended, also in an error", function()
    local seen = {}
    local function note() seen[#seen + 1] = current() end
    task.start(note)
    lunette.process.once("uncaughtException", type)
    task.start(function()
      note()
      error "x"
    end)
    task.start(note)
    assert.equal(seen[1], seen[2])
    assert.equal(seen[1], seen[3])
  end)

  it("never uses one again that coroutine.running gave to the program", function()
    local kept, seen
    task.start(function() kept = coroutine.running() end)
    task.start(function() seen = current() end)
    assert.not_equal(kept, seen)
    assert.equal("dead", coroutine.status(kept))
  end)

  it("a listener's coroutine that is kept wakes no other handler when resumed later", function()
    local kept, woken = nil, 0
    task.start(function() kept = coroutine.running() end)
    for _ = 1, 3 do
      task.start(function()
        Promise.withResolvers():await()
        woken = woken + 1
      end)
    end
    assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(kept) })
    sleep(0)
    assert.equal(0, woken)
  end)

  it("a task may yield, and whoever kept it resumes it, also into an await", function()
    local kept, trace = nil, {}
    task.start(function()
      kept = coroutine.running()
      trace[1] = coroutine.yield "nobody gets it"
      sleep(0)
      trace[2] = "woken"
    end)
    assert.same({ true, n = 1 }, table.pack(coroutine.resume(kept, "by hand")))
    assert.is_false((coroutine.resume(kept)))
    sleep(1)
    assert.same({ "by hand", "woken" }, trace)
  end)

  it("does not let a cancelled task's coroutine stay cancelled", function()
    local co
    local promise = lunette.spawn(function()
      co = current()
      sleep(10000)
    end)
    promise:cancel()
    sleep(0)
    local is_same, can_await
    task.start(function()
      is_same = current() == co
      can_await = pcall(sleep, 0)
    end)
    sleep(1)
    assert.same({ true, true }, { is_same, can_await })
  end)

  it("closes what a failing task has to close, and reports the last error", function()
    local got
    lunette.process.once("uncaughtException", function(...) got = { ... } end)
    task.start(function()
      local _ <close> = setmetatable({}, { __close = function(_, err) error(err .. " two", 0) end })
      error("one", 0)
    end)
    assert.equal("one two", got[1])
    assert.matches("^stack traceback:\n\t.*task_spec.lua:%d+: in function <", got[2])
  end)

  it("survives more nested tasks than C has room for", function()
    local reported
    lunette.process.once("uncaughtException", function(err) reported = err end)
    local depth = 0
    local function nest()
      depth = depth + 1
      task.start(nest)
    end
    nest()
    assert.equal("C stack overflow", reported)
    assert.is_true(depth > 50)
    assert.is_true((task.start(type, 1)))
  end)
end)

describe("a microtask", function()
  it("runs at the end of the turn, in order, and may queue others", function()
    local trace = {}
    local function note(a, b)
      trace[#trace + 1] = a .. b
      if #trace < 5 then task.enqueue(note, #trace, "!") end
    end
    task.enqueue(note, "a", 1)
    task.enqueue(note, "b", 2)
    assert.same({}, trace)
    sleep(0)
    assert.same({ "a1", "b2", "1!", "2!", "3!", "4!" }, trace)
  end)

  it("that fails does not stop those behind it", function()
    local result = require("spec.support.app").run {
      ["main.lua"] = [[
        local task = debug.getregistry()["lunette.import"] "common.task"
        task.enqueue(error, "broken")
        task.enqueue(print, "ran", 1)
      ]],
    }
    assert.equal("ran\t1\n", result.stdout)
    assert.matches("^lunette: error in the runtime: .*broken\n$", result.stderr)
  end)
end)

describe("memory", function()
  local function heap()
    collectgarbage()
    collectgarbage()
    return lunette.process.memoryUsage().heap
  end

  local LOADS = {
    ["awaits of settled promises"] = function(count)
      local promise = Promise.resolve()
      for _ = 1, count do promise:await() end
    end,
    ["awaits of promises that settle later"] = function(count)
      for _ = 1, count do Promise.resolve():andThen():await() end
    end,
    ["async functions"] = function(count)
      local fn = lunette.async(function(value) return Promise.resolve(value):andThen():await() end)
      for i = 1, count do fn(i):await() end
    end,
    ["coroutines of the program"] = function(count)
      for _ = 1, count do
        local promise, resolve = Promise.withResolvers()
        coroutine.wrap(function() resolve(promise:andThen():await()) end)()
        resolve()
      end
      sleep(0)
    end,
  }
  for what, run in pairs(LOADS) do
    it("does not grow with 100,000 " .. what, function()
      run(1000)
      local before = heap()
      run(100000)
      assert.is_true(heap() < before + 65536)
    end)
  end
end)
