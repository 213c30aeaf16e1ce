-- SPDX-License-Identifier: MIT
-- lunette.async, spawn, sleep and promisify, and cancelling what they run.
local lunette = require "lunette"

local Promise, async, sleep, spawn = lunette.Promise, lunette.async, lunette.sleep, lunette.spawn

describe("lunette.async", function()
  it("runs the function at once until it awaits, and returns a promise for its results", function()
    local trace = {}
    local fn = async(function(...)
      trace[1] = table.pack(...)
      sleep(0)
      return ..., nil
    end)
    local promise = fn("a", nil)
    assert.same({ { "a", nil, n = 2 } }, trace)
    assert.equal("pending", promise:status())
    assert.same({ "a", nil, n = 2 }, table.pack(promise:await()))
  end)

  it("rejects with what the function raises", function()
    local reason = {}
    for _, pause in ipairs { function() end, sleep } do
      local promise = async(function()
        pause(0)
        error(reason)
      end)()
      assert.is_true(rawequal(reason, select(2, promise:pawait())))
    end
  end)

  it("adopts a promise that the function returns", function()
    assert.same({ 1, nil, n = 2 }, table.pack(spawn(Promise.delay, 0, 1, nil):await()))
  end)

  it("runs each call in a coroutine of its own", function()
    local fn = async(function(ms, name)
      sleep(ms)
      return name
    end)
    assert.equal("quick", Promise.race({ fn(10000, "slow"), fn(0, "quick") }):await())
  end)

  it("spawn is that, called", function()
    local function add(a, b)
      sleep(0)
      return a + b
    end
    assert.equal(3, spawn(add, 1, 2):await())
  end)

  it("sleep awaits for so many milliseconds", function()
    local start = lunette.process.hrtime()
    assert.same({ n = 0 }, table.pack(sleep(3)))
    assert.is_true(lunette.process.hrtime() - start >= 3000000)
  end)
end)

describe("cancelling the promise of an async function", function()
  -- A task that awaits the promise again and again, and what it saw.
  local function start(promise)
    local seen = {}
    return spawn(function()
      for i = 1, 3 do
        local ok, err = pcall(promise.await, promise)
        seen[i] = ok or err.name
      end
      seen.ended = true
    end), seen
  end

  it("cancels what it awaits, and every later await raises AbortError", function()
    local awaited = Promise.withResolvers()
    local promise, seen = start(awaited)
    promise:cancel()
    assert.equal("rejected", awaited:status())
    assert.equal("AbortError", select(2, promise:pawait()).name)
    sleep(0)
    assert.same({ "AbortError", "AbortError", "AbortError", ended = true }, seen)
  end)

  it("does so too when what it awaits later has settled", function()
    local settled, seen = Promise.resolve(1), {}
    spawn(function()
      for _, method in ipairs { "await", "pawait" } do
        pcall(sleep, 10000)
        seen[#seen + 1] = select(2, pcall(settled[method], settled)).name
      end
    end):cancel()
    sleep(0)
    assert.same({ "AbortError", "AbortError" }, seen)
  end)

  it("does not cancel what others await too; they get it", function()
    local awaited, resolve = Promise.withResolvers()
    local other = spawn(awaited.await, awaited)
    local promise, seen = start(awaited)
    promise:cancel()
    sleep(0)
    assert.equal("AbortError", seen[1])
    assert.equal("pending", awaited:status())
    resolve "value"
    assert.equal("value", other:await())
  end)

  it("cancels what only cancelled tasks await, the last with them", function()
    local awaited = Promise.withResolvers()
    local promises = {}
    for i = 1, 4 do promises[i] = start(awaited) end
    for i = 1, 4 do
      assert.equal("pending", awaited:status())
      promises[i]:cancel()
    end
    assert.equal("rejected", awaited:status())
  end)

  it("travels through async functions that await each other", function()
    local awaited = Promise.withResolvers()
    local inner = async(function() awaited:await() end)
    local outer = spawn(function() inner():await() end)
    outer:cancel()
    assert.equal("rejected", awaited:status())
  end)

  it("before its first await, or from inside, makes that raise", function()
    local promise, resolve = Promise.withResolvers()
    local seen
    local own
    own = spawn(function()
      promise:await()
      own:cancel()
      seen = select(2, pcall(sleep, 10000)).name
    end)
    resolve()
    sleep(0)
    assert.equal("AbortError", seen)
  end)

  it("runs what the function has to close", function()
    local closed
    spawn(function()
      local _ <close> = setmetatable({}, { __close = function(_, err) closed = err.name end })
      sleep(10000)
    end):cancel()
    sleep(0)
    assert.equal("AbortError", closed)
  end)

  it("is silent: nobody has to handle it", function()
    local reported = 0
    local function count() reported = reported + 1 end
    local stop = lunette.process.listen("unhandledRejection", count)
    spawn(sleep, 10000):cancel()
    sleep(5)
    stop()
    assert.equal(0, reported)
  end)

  it("does nothing to a later task on the same coroutine", function()
    local gate = Promise.withResolvers()
    local returned_early = spawn(function() return gate end)
    local later = spawn(function()
      sleep(0)
      sleep(0)
      return "undisturbed"
    end)
    returned_early:cancel()
    assert.equal("undisturbed", later:await())
  end)

  it("after it ended does nothing", function()
    local promise = spawn(function() return 1 end)
    promise:cancel()
    assert.equal(1, promise:await())
  end)
end)

describe("lunette.promisify", function()
  local promisify, uv = lunette.promisify, lunette.uv

  it("fulfils with what comes behind the error", function()
    local function add(a, b, callback) callback(nil, a + b, nil) end
    assert.same({ 3, nil, n = 2 }, table.pack(promisify(add)(1, 2):await()))
    assert.same({ n = 0 }, table.pack(promisify(function(callback) callback() end)():await()))
  end)

  it("keeps nils in front of the callback", function()
    local count
    local function fn(...)
      count = select("#", ...)
      select(count, ...)(nil, ...)
    end
    promisify(fn)("a", nil, nil):await()
    assert.equal(4, count)
  end)

  it("rejects with the error", function()
    local reason = {}
    local promise = promisify(function(callback) callback(reason, 1) end)()
    assert.is_true(rawequal(reason, select(2, promise:pawait())))
  end)

  it("works for luv", function()
    assert.equal("directory", promisify(uv.fs_stat)("/"):await().type)
    local ok, err = promisify(uv.fs_stat)("/nonexistent"):pawait()
    assert.same({ false, "ENOENT: no such file or directory: /nonexistent" }, { ok, err })
  end)

  it("rejects when luv could not even start", function()
    local promise = promisify(function() return nil, "EINVAL: invalid", "EINVAL" end)()
    assert.same({ false, "EINVAL: invalid" }, { promise:pawait() })
  end)
end)

describe("the errors of async functions:", function()
  local CASES = {
    { "bad argument #1 to 'lunette.async' (callable expected, got nil)", async },
    { "bad argument #1 to 'lunette.spawn' (callable expected, got string)", spawn, "x" },
    { "bad argument #1 to 'lunette.sleep' (milliseconds expected, got -1)", sleep, -1 },
    { "bad argument #1 to 'lunette.sleep' (milliseconds expected, got nil)", sleep },
    { "bad argument #1 to 'lunette.promisify' (callable expected, got number)",
      lunette.promisify, 1 },
    { "lunette.sleep is called with a dot: write lunette.sleep(...), not lunette:sleep(...)",
      sleep, lunette, 1 },
    { "lunette.spawn is called with a dot: write lunette.spawn(...), not lunette:spawn(...)",
      spawn, lunette, print },
  }
  for _, case in ipairs(CASES) do
    it(case[1], function()
      local fn, a, b = table.unpack(case, 2, 4)
      local ok, err = pcall(function() fn(a, b) end)
      assert.is_false(ok)
      assert.equal(case[1], err:match "^.-async_spec.lua:%d+: (.*)$")
    end)
  end
end)
