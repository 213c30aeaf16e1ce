-- SPDX-License-Identifier: MIT
local lunette = require "lunette"
local Promise, sleep, spawn = lunette.Promise, lunette.sleep, lunette.spawn

-- Awaits the end of this turn: all microtasks that are queued now have run.
local function next_turn()
  Promise.delay(0):await()
end

describe("A promise", function()
  it("settles once, with any number of values, inner and trailing nils kept", function()
    local promise, resolve, reject = Promise.withResolvers()
    resolve(1, nil, 3, nil)
    resolve(2)
    reject "late"
    assert.same({ n = 4, 1, nil, 3 }, table.pack(promise:await()))
    assert.equal("fulfilled", promise:status())
  end)

  it("fulfils with no value at all", function()
    assert.equal(0, select("#", Promise.resolve():await()))
  end)

  it("is rejected by an error in its executor, with the value as it was raised", function()
    local reason = {}
    local ok, err = Promise.new(function() error(reason) end):pawait()
    assert.is_false(ok)
    assert.equal(reason, err)
  end)

  it("adopts a promise that it is resolved with", function()
    local inner, resolve = Promise.withResolvers()
    local outer = Promise.new(function(settle) settle(inner) end)
    assert.equal("pending", outer:status())
    resolve(1, 2)
    assert.same({ 1, 2 }, { outer:await() })
  end)

  it("adopts a table with andThen or next", function()
    for _, method in ipairs { "andThen", "next" } do
      local foreign = { [method] = function(_, done) done("from " .. method) end }
      assert.equal("from " .. method, Promise.resolve(foreign):await())
    end
  end)

  it("takes the first answer of a foreign promise that answers twice and raises", function()
    local foreign = {
      andThen = function(_, done, fail)
        done(1)
        fail(2)
        error(3)
      end,
    }
    assert.equal(1, Promise.resolve(foreign):await())
  end)

  it("cannot be resolved with itself", function()
    local promise, resolve = Promise.withResolvers()
    resolve(promise)
    local ok, err = promise:pawait()
    assert.is_false(ok)
    assert.equal("a promise cannot be resolved with itself", err)
  end)
end)

describe("andThen", function()
  it("never calls back before the entry has returned, and in order", function()
    local trace = {}
    local function note(text) return function() trace[#trace + 1] = text end end
    local promise = Promise.resolve()
    promise:andThen(note "first")
    promise:andThen(note "second")
    trace[1] = "now"
    next_turn()
    assert.same({ "now", "first", "second" }, trace)
  end)

  it("passes all values, and what the callback returns goes on", function()
    local sum = Promise.resolve(1, 2, 3):andThen(function(a, b, c) return a + b, c end)
    assert.same({ 3, 3 }, { sum:await() })
  end)

  it("passes the outcome on where there is no callback for it", function()
    assert.equal(7, Promise.resolve(7):andThen(nil, print):await())
    assert.same({ false, "no" }, { Promise.reject("no"):andThen(print):pawait() })
  end)

  it("rejects by an error in the callback, and follows a promise that it returns", function()
    local failed = Promise.resolve():andThen(function() error("bad", 0) end)
    assert.same({ false, "bad" }, { failed:pawait() })
    local followed = Promise.resolve():andThen(function() return Promise.delay(1, "late") end)
    assert.equal("late", followed:await())
  end)

  it("lets its callbacks await", function()
    local promise = Promise.resolve(5):andThen(function(n)
      sleep(1)
      return n + 1
    end)
    assert.equal(6, promise:await())
  end)

  it("refuses a callback that is no function", function()
    assert.has_error(function()
      Promise.resolve():andThen(5)
    end, "bad argument #1 to 'Promise:andThen' (callable or nil expected, got number)")
  end)
end)

describe("catch and finally", function()
  it("catch handles a rejection", function()
    assert.equal("was no", Promise.reject("no"):catch(function(r) return "was " .. r end):await())
  end)

  it("finally gets nothing, passes the outcome on, and waits for a promise", function()
    local count, waited
    local promise = Promise.resolve(1, 2):finally(function(...)
      count = select("#", ...)
      return Promise.delay(2):andThen(function() waited = true end)
    end)
    assert.same({ 1, 2 }, { promise:await() })
    assert.same({ 0, true }, { count, waited })
  end)

  it("finally runs for each of many that wait for one promise", function()
    local promise, resolve = Promise.withResolvers()
    local count = 0
    local last
    for _ = 1, 5 do
      last = promise:finally(function() count = count + 1 end)
    end
    resolve()
    last:await()
    assert.equal(5, count)
  end)

  it("finally's own failure wins", function()
    local promise = Promise.resolve(1):finally(function() error("late", 0) end)
    assert.same({ false, "late" }, { promise:pawait() })
    promise = Promise.resolve(1):finally(function() return Promise.reject "later" end)
    assert.same({ false, "later" }, { promise:pawait() })
  end)
end)

describe("await", function()
  it("returns at once on a settled promise", function()
    local done
    spawn(function()
      Promise.resolve():await()
      done = true
    end)
    assert.is_true(done)
  end)

  it("raises the reason unchanged, and pcall catches it", function()
    local reason = { code = 7 }
    local ok, err = pcall(function() Promise.reject(reason):await() end)
    assert.is_false(ok)
    assert.equal(reason, err)
  end)

  it("works in a coroutine of the program, whose resume returns true and nothing", function()
    local promise, resolve = Promise.withResolvers()
    local got
    local co = coroutine.create(function() got = promise:await() end)
    assert.same({ n = 1, true }, table.pack(coroutine.resume(co)))
    resolve "it"
    next_turn()
    assert.equal("it", got)
    assert.equal("dead", coroutine.status(co))
  end)

  it("keeps a coroutine that awaits from being resumed by hand", function()
    local promise, resolve = Promise.withResolvers()
    local co = coroutine.create(function() return promise:await() end)
    coroutine.resume(co)
    local ok, err = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("cannot resume a coroutine that awaits a promise", err, 1, true)
    resolve()
    next_turn()
  end)

  it("starts work beside the caller by coroutine.wrap", function()
    local trace = {}
    local returned = table.pack(coroutine.wrap(function()
      trace[1] = "begun"
      sleep(1)
      trace[3] = "ended"
    end)())
    trace[2] = "caller"
    assert.equal(0, returned.n)
    Promise.delay(5):await()
    assert.same({ "begun", "caller", "ended" }, trace)
  end)

  it("passes through pcall, metamethods, iterators and closing variables", function()
    local function later(_, key) return Promise.delay(1, key):await() end
    local t = setmetatable({}, { __index = later })
    assert.equal("field", t.field)
    local closed
    do
      local function close() closed = Promise.delay(1, 5):await() end
      local guard <close> = setmetatable({}, { __close = close })
      assert.is_table(guard)
    end
    assert.equal(5, closed)
  end)

  it("names the way out where a C function cannot be suspended", function()
    local ok, err = pcall(table.sort, { 2, 1 }, function() return Promise.delay(1):await() end)
    assert.is_false(ok)
    assert.matches("cannot await here: a C function on the stack (table.sort", err, 1, true)
  end)

  it("does not wake a coroutine from a wait that is over", function()
    local first, resolve_first = Promise.withResolvers()
    local woken = 0
    local task = spawn(function()
      pcall(function() first:timeout(1):await() end)
      woken = woken + 1
      sleep(5)
      woken = woken + 1
    end)
    sleep(3)
    resolve_first()
    next_turn()
    assert.equal(1, woken)
    task:await()
    assert.equal(2, woken)
  end)

  it("is collected with what it waits for when nobody can settle that", function()
    local weak = setmetatable({}, { __mode = "k" })
    spawn(function()
      local kept = {}
      weak[kept] = true
      Promise.withResolvers():await()
      return kept
    end)
    next_turn()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)

describe("timeout and cancel", function()
  it("timeout rejects with a TimeoutError, and the promise itself goes on", function()
    local slow = Promise.delay(10, "slow")
    local ok, err = slow:timeout(1):pawait()
    assert.is_false(ok)
    assert.equal("TimeoutError", err.name)
    assert.equal("slow", slow:await())
    assert.equal(3, Promise.delay(1, 3):timeout(1000):await())
  end)

  it("cancel rejects with an AbortError and does not travel up", function()
    local source, resolve = Promise.withResolvers()
    local child = source:andThen(function(v) return v end)
    child:cancel()
    local ok, err = child:pawait()
    assert.is_false(ok)
    assert.equal("AbortError", err.name)
    resolve(9)
    assert.equal(9, source:await())
  end)

  it("cancelling an async function's promise cancels all its awaits from then on", function()
    local trace, inner = {}, Promise.withResolvers()
    local promise = spawn(function()
      for _ = 1, 2 do
        local ok, err = pcall(function() inner:await() end)
        trace[#trace + 1] = ok or err.name
      end
      local ok, err = pcall(sleep, 1)
      trace[#trace + 1] = ok or err.name
    end)
    promise:cancel()
    next_turn()
    assert.same({ "AbortError", "AbortError", "AbortError" }, trace)
    assert.equal("rejected", inner:status())
  end)

  it("does not cancel what somebody else awaits too", function()
    local shared, resolve = Promise.withResolvers()
    local other = spawn(function() return shared:await() end)
    local cancelled = spawn(function() return shared:await() end)
    cancelled:cancel()
    next_turn()
    resolve "for the other"
    assert.equal("for the other", other:await())
  end)
end)

describe("The combinators", function()
  it("all fulfils with the first values in order, and takes plain values", function()
    local list = Promise.all({ Promise.delay(3, "a", "ignored"), "b", Promise.resolve "c" }):await()
    assert.same({ "a", "b", "c" }, list)
    assert.same({}, Promise.all({}):await())
  end)

  it("all rejects as soon as one does, and the others go on", function()
    local slow = Promise.delay(5, 1)
    assert.same({ false, "no" }, { Promise.all({ slow, Promise.reject "no" }):pawait() })
    assert.equal(1, slow:await())
  end)

  it("allSettled tells each outcome", function()
    local list = Promise.allSettled({ Promise.reject "r", 5 }):await()
    assert.same({
      { status = "rejected", reason = "r" },
      { status = "fulfilled", value = 5 },
    }, list)
  end)

  it("race settles as the first, any as the first that fulfils", function()
    local slow, fast = Promise.delay(20, "slow"), Promise.delay(1, "fast")
    assert.equal("fast", Promise.race({ slow, fast }):await())
    assert.equal("good", Promise.any({ Promise.reject "bad", Promise.delay(1, "good") }):await())
    local ok, err = Promise.any({ Promise.reject "x" }):pawait()
    assert.is_false(ok)
    assert.same({ "x" }, err.errors)
  end)

  it("withResolvers, resolve, reject, delay, is and status do what they say", function()
    assert.is_true(Promise.is(Promise.resolve()))
    assert.is_false(Promise.is({}))
    assert.same({ "v", nil, "w" }, { Promise.delay(1, "v", nil, "w"):await() })
    assert.equal("pending", (Promise.withResolvers()):status())
    local rejected = Promise.reject(1)
    rejected:catch(function() end)
    assert.equal("rejected", rejected:status())
  end)
end)

describe("async, spawn and sleep", function()
  it("async makes a function that returns the promise of its body", function()
    local add = lunette.async(function(a, b)
      sleep(1)
      return a + b, "second"
    end)
    assert.same({ 5, "second" }, { add(2, 3):await() })
  end)

  it("spawn runs until the first await at once", function()
    local trace = {}
    local promise = spawn(function(first)
      trace[1] = first
      sleep(1)
      trace[3] = "later"
    end, "at once")
    trace[2] = "caller"
    promise:await()
    assert.same({ "at once", "caller", "later" }, trace)
  end)

  it("an error in the body rejects", function()
    local reason = {}
    assert.same({ false, reason }, { spawn(function() error(reason) end):pawait() })
  end)

  it("a hundred thousand awaits leave no memory behind", function()
    local function many(n)
      for i = 1, n do Promise.resolve(i):andThen(function(v) return v end):await() end
    end
    many(1000)
    collectgarbage()
    local before = collectgarbage "count"
    many(100000)
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 100)
  end)
end)

describe("generator", function()
  it("yields values and awaits; whoever iterates waits", function()
    local list = {}
    for n in lunette.generator(function()
      for i = 1, 3 do
        sleep(1)
        coroutine.yield(i)
      end
    end) do
      list[#list + 1] = n
    end
    assert.same({ 1, 2, 3 }, list)
  end)

  it("raises the body's error at the iterator, before and after an await", function()
    local before = lunette.generator(function() error("early", 0) end)
    assert.same({ false, "early" }, { pcall(before) })
    local after = lunette.generator(function()
      sleep(1)
      error("late", 0)
    end)
    assert.same({ false, "late" }, { pcall(after) })
    assert.is_nil(after())
  end)
end)

describe("promisify", function()
  it("makes a promise of a function with a callback at its end", function()
    local stat = lunette.promisify(lunette.uv.fs_stat)
    assert.equal("directory", stat("/"):await().type)
    local ok, err = stat("/there/is/nothing"):pawait()
    assert.is_false(ok)
    assert.matches("ENOENT", err)
  end)
end)
