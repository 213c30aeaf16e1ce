-- SPDX-License-Identifier: MIT
-- The program's own coroutines: Lua's functions, and awaiting in them.
local import = require "spec.support.import"
local lunette = require "lunette"
local raw = import("common.coroutines").raw

local Promise, sleep = lunette.Promise, lunette.sleep

local HANDS_OFF = "cannot resume a coroutine that awaits a promise: the runtime resumes it then"
local CANNOT_AWAIT = "cannot await here: a C function on the stack (table.sort, string.gsub, "
  .. "tostring and the like) cannot be suspended; await before you call it"

-- "spec file:line: text" without what changes with every edit.
local function without_place(err)
  return (err:gsub("^.-coroutines_spec.lua:%d+: ", ""))
end

describe("a coroutine that awaits", function()
  it("returns true and nothing to coroutine.resume, and goes on by itself", function()
    local promise, resolve = Promise.withResolvers()
    local got
    local co = coroutine.create(function(...)
      got = table.pack(..., promise:await())
    end)
    assert.same({ true, n = 1 }, table.pack(coroutine.resume(co, "argument")))
    assert.equal("suspended", coroutine.status(co))
    assert.is_nil(got)
    resolve("value", nil)
    sleep(0)
    assert.same({ "argument", "value", nil, n = 3 }, got)
    assert.equal("dead", coroutine.status(co))
  end)

  it("returns nothing to the caller of a coroutine.wrap function, which works beside it", function()
    local trace = {}
    local function work(name)
      coroutine.wrap(function()
        trace[#trace + 1] = name .. " starts"
        sleep(0)
        trace[#trace + 1] = name .. " ends"
      end)()
    end
    work "a"
    work "b"
    trace[#trace + 1] = "caller"
    sleep(5)
    assert.same({ "a starts", "b starts", "caller", "a ends", "b ends" }, trace)
  end)

  it("cannot be resumed by hand", function()
    local promise, resolve = Promise.withResolvers()
    local co = coroutine.create(function() return promise:await() end)
    coroutine.resume(co)
    assert.same({ false, HANDS_OFF }, { coroutine.resume(co) })
    assert.equal("suspended", coroutine.status(co))
    resolve()
    sleep(0)
    assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(co) })
  end)

  it("cannot be resumed by its coroutine.wrap function either", function()
    local promise, resolve = Promise.withResolvers()
    local fn = coroutine.wrap(function() return promise:await() end)
    fn()
    local ok, err = pcall(function() fn() end)
    assert.is_false(ok)
    assert.equal(HANDS_OFF, without_place(err))
    resolve()
  end)

  it("may yield to its resumer before and after", function()
    local promise, resolve = Promise.withResolvers()
    local co = coroutine.create(function()
      local got = coroutine.yield "first"
      promise:await()
      got = got .. coroutine.yield "lost: nobody resumed"
      return got
    end)
    assert.same({ true, "first" }, { coroutine.resume(co) })
    assert.same({ true, n = 1 }, table.pack(coroutine.resume(co, "a")))
    resolve()
    sleep(0)
    assert.same({ true, "ab" }, { coroutine.resume(co, "b") })
  end)

  it("may be nested in others that await", function()
    local function nest(depth)
      if depth == 0 then return Promise.delay(1, "deep"):await() end
      local done, resolve = Promise.withResolvers()
      coroutine.wrap(function() resolve(nest(depth - 1)) end)()
      return done:await()
    end
    assert.equal("deep", nest(20))
  end)

  it("reports an error that leaves it as uncaught, with its own traceback", function()
    local got
    lunette.process.once("uncaughtException", function(...) got = table.pack(...) end)
    coroutine.wrap(function()
      sleep(0)
      error("broken", 0)
    end)()
    sleep(5)
    assert.equal("broken", got[1])
    assert.matches("coroutines_spec.lua:%d+: in function <", got[2])
  end)

  it("can be closed while it awaits, and is not woken then", function()
    local promise, resolve = Promise.withResolvers()
    local is_closed, has_gone_on = false, false
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = function() is_closed = true end })
      promise:await()
      has_gone_on = true
    end)
    coroutine.resume(co)
    assert.is_true(coroutine.close(co))
    resolve()
    sleep(0)
    assert.same({ true, false }, { is_closed, has_gone_on })
  end)

  it("is collected when nobody can settle what it awaits", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function start()
      local co = coroutine.create(function() Promise.withResolvers():await() end)
      weak[co] = true
      coroutine.resume(co)
      local _, task_co = import("common.task").start(function() Promise.new(type):await() end)
      weak[task_co] = true
    end
    lunette.spawn(start):await()
    sleep(0)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)

describe("await", function()
  local promise
  before_each(function() promise = Promise.delay(0, 7) end)

  local function awaits()
    local value = promise:await()
    return value
  end

  local PASSES = {
    ["pcall"] = function() return select(2, pcall(awaits)) end,
    ["xpcall"] = function() return select(2, xpcall(awaits, print)) end,
    ["an iterator"] = function()
      local got = 0
      for value in function() return got == 0 and awaits() or nil end do got = got + value end
      return got
    end,
    ["__index"] = function() return setmetatable({}, { __index = awaits }).field end,
    ["__newindex"] = function()
      local got
      setmetatable({}, { __newindex = function() got = awaits() end }).field = 1
      return got
    end,
    ["__call"] = function() return setmetatable({}, { __call = awaits })() end,
    ["__add"] = function() return setmetatable({}, { __add = awaits }) + 1 end,
    ["__eq"] = function()
      local metatable = { __eq = awaits }
      return setmetatable({}, metatable) == setmetatable({}, metatable) and 7
    end,
    ["__lt"] = function() return setmetatable({}, { __lt = awaits }) < 1 and 7 end,
    ["__concat"] = function() return setmetatable({}, { __concat = awaits }) .. "" end,
    ["__len"] = function() return #setmetatable({}, { __len = awaits }) end,
    ["__close"] = function()
      local got
      do local _ <close> = setmetatable({}, { __close = function() got = awaits() end }) end
      return got
    end,
    ["dofile"] = function()
      _G.awaits_in_a_file = awaits
      local name = os.tmpname()
      local file <close> = assert(io.open(name, "w"))
      file:write "return awaits_in_a_file()"
      file:flush()
      local value = dofile(name)
      _G.awaits_in_a_file = os.remove(name) and nil
      return value
    end,
  }
  for what, fn in pairs(PASSES) do
    it("passes through " .. what, function()
      assert.equal(7, fn())
      assert.equal("fulfilled", promise:status())
    end)
  end

  it("passes through __close while an error is under way", function()
    local closed_with
    local function run()
      local _ <close> = setmetatable({}, {
        __close = function(_, err) closed_with = err .. promise:await() end,
      })
      error("raised", 0)
    end
    assert.same({ false, "raised" }, { pcall(run) })
    assert.equal("raised7", closed_with)
  end)

  local BARRED = {
    ["table.sort"] = function() table.sort({ 1, 2, 3 }, awaits) end,
    ["string.gsub"] = function() return (("x"):gsub("x", awaits)) end,
    ["tostring"] = function() return tostring(setmetatable({}, { __tostring = awaits })) end,
    ["load"] = function() error(select(2, load(awaits)), 0) end,
  }
  for what, fn in pairs(BARRED) do
    it("raises inside " .. what .. " the error that names the way out", function()
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.equal(CANNOT_AWAIT, without_place(err))
      assert.not_equal(CANNOT_AWAIT, err)
      assert.equal(7, promise:await())
    end)
  end

  it("works inside table.sort in a coroutine of its own", function()
    local count, done, resolve = 0, Promise.withResolvers()
    table.sort({ 2, 1 }, function(a, b)
      coroutine.wrap(function()
        promise:await()
        count = count + 1
        resolve()
      end)()
      return a < b
    end)
    done:await()
    assert.is_true(count > 0)
  end)
end)

describe("the coroutine table", function()
  -- Each does the same with Lua's own functions and with ours.
  local SAME = {
    ["values pass both ways"] = function(lib)
      local co = lib.create(function(...)
        local got = table.pack(..., lib.yield(...))
        return table.unpack(got, 1, got.n)
      end)
      local first = table.pack(lib.resume(co, 1, nil))
      return { first, table.pack(lib.resume(co, nil, 2)), lib.status(co) }
    end,
    ["an error"] = function(lib)
      local reason = {}
      local co = lib.create(function() error(reason) end)
      local ok, err = lib.resume(co)
      return { ok, err == reason, lib.status(co), { lib.resume(co) }, { lib.close(co) } }
    end,
    ["wrap adds the caller's position to a string"] = function(lib)
      local fn = lib.wrap(function() error "text" end)
      local results = { pcall(function() return 1, fn() end) }
      results[3] = { pcall(function() return 1, fn() end) }
      return results
    end,
    ["wrap leaves other errors alone, and closes"] = function(lib)
      local closed
      local fn = lib.wrap(function()
        local _ <close> = setmetatable({}, { __close = function(_, err) closed = err end })
        error { code = 1 }
      end)
      return { { pcall(fn) }, closed }
    end,
    ["wrap raises what closing raises"] = function(lib)
      local fn = lib.wrap(function()
        local _ <close> = setmetatable({}, { __close = function() error("second", 0) end })
        error { code = 1 }
      end)
      return { pcall(fn) }
    end,
    ["close"] = function(lib)
      local closed
      local co = lib.create(function()
        local _ <close> = setmetatable({}, { __close = function() closed = true end })
        lib.yield()
      end)
      lib.resume(co)
      return { lib.close(co), closed, lib.status(co), { pcall(lib.close, (lib.running())) } }
    end,
    ["isyieldable and running"] = function(lib)
      local is_main, co = select(2, lib.running()), lib.create(function() return lib.running() end)
      return { lib.isyieldable(), is_main, select(2, lib.resume(co)) == co }
    end,
  }
  for what, fn in pairs(SAME) do
    it("is as Lua's own: " .. what, function()
      assert.same(fn(raw), fn(coroutine))
    end)
  end

  for _, name in ipairs { "resume", "wrap", "close" } do
    it("coroutine." .. name .. " names a bad argument", function()
      local expected = name == "wrap" and "function" or "thread"
      local ok, err = pcall(function() coroutine[name](1) end)
      assert.is_false(ok)
      local text = "bad argument #1 to 'coroutine.%s' (%s expected, got number)"
      assert.equal(text:format(name, expected), without_place(err))
      assert.not_equal(text:format(name, expected), err)
    end)
  end
end)
