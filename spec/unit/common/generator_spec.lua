-- SPDX-License-Identifier: MIT
-- lunette.generator: iterators whose bodies await.
local lunette = require "lunette"

local Promise, generator, sleep, yield =
  lunette.Promise, lunette.generator, lunette.sleep, coroutine.yield

-- Counts up, awaiting before each number.
local function counter(last)
  return generator(function()
    for i = 1, last do
      sleep(0)
      yield(i)
    end
  end)
end

local function collect(iterator)
  local list = {}
  for value in iterator do list[#list + 1] = value end
  return list
end

describe("a generator", function()
  it("yields without awaiting, like coroutine.wrap", function()
    assert.same({ 1, 2, 3 }, collect(generator(function()
      for i = 1, 3 do yield(i) end
    end)))
  end)

  it("makes whoever iterates it wait while it awaits", function()
    assert.same({ 1, 2, 3 }, collect(counter(3)))
  end)

  it("yields any number of values and gets the arguments of the next call", function()
    local got = {}
    local next_value = generator(function(...)
      got[1] = table.pack(...)
      got[2] = table.pack(yield(1, nil))
      sleep(0)
      got[3] = table.pack(yield(nil, 2, nil))
    end)
    assert.same({ 1, nil, n = 2 }, table.pack(next_value("a", nil)))
    assert.same({ nil, 2, nil, n = 3 }, table.pack(next_value(nil, "b")))
    assert.same({ n = 0 }, table.pack(next_value "c"))
    assert.same({ { "a", nil, n = 2 }, { nil, "b", n = 2 }, { "c", n = 1 } }, got)
  end)

  it("returns nil once its body has ended", function()
    for _, fn in ipairs { function() end, function() sleep(0) end } do
      local next_value = generator(fn)
      next_value()
      assert.same({ nil, n = 1 }, table.pack(next_value()))
      assert.same({ nil, n = 1 }, table.pack(next_value()))
    end
  end)

  for what, pause in pairs { ["before"] = function() end, ["after"] = sleep } do
    it("raises its body's error unchanged, " .. what .. " an await; then it has ended", function()
      local reason = {}
      local next_value = generator(function()
        yield(1)
        pause(0)
        error(reason)
      end)
      assert.equal(1, next_value())
      local ok, err = pcall(next_value)
      assert.same({ false, true }, { ok, rawequal(reason, err) })
      assert.is_nil(next_value())
    end)

    it("closes what its body has to close, " .. what .. " an await", function()
      local closed_with
      local next_value = generator(function()
        local _ <close> = setmetatable({}, { __close = function(_, err) closed_with = err end })
        pause(0)
        error("raised", 0)
      end)
      assert.same({ false, "raised" }, { pcall(next_value) })
      assert.equal("raised", closed_with)
    end)
  end

  it("gives each value to one of two who iterate it, and nil to both at the end", function()
    local numbers, lists = counter(6), { {}, {} }
    local function consume(list)
      for value in numbers do
        list[#list + 1] = value
        sleep(1)
      end
      return "ended"
    end
    local a, b = lunette.spawn(consume, lists[1]), lunette.spawn(consume, lists[2])
    assert.same({ "ended", "ended" }, Promise.all({ a, b }):await())
    local all = table.move(lists[2], 1, #lists[2], #lists[1] + 1, table.move(lists[1], 1, 6, 1, {}))
    table.sort(all)
    assert.same({ 1, 2, 3, 4, 5, 6 }, all)
    assert.is_true(#lists[1] > 0 and #lists[2] > 0)
  end)

  it("may iterate another in its body", function()
    local function doubled(numbers)
      return generator(function()
        for number in numbers do
          sleep(0)
          yield(2 * number)
        end
      end)
    end
    assert.same({ 4, 8, 12 }, collect(doubled(doubled(counter(3)))))
  end)

  it("goes on for others when one who iterates it is cancelled", function()
    local gate, open = Promise.withResolvers()
    local next_value = generator(function()
      yield(gate:await())
      yield "second"
    end)
    local first = lunette.spawn(next_value)
    first:cancel()
    local second = lunette.spawn(next_value)
    open "first"
    assert.equal("AbortError", select(2, first:pawait()).name)
    assert.equal("second", second:await())
  end)

  it("cannot be called from its own body", function()
    local next_value
    next_value = generator(function() next_value() end)
    local ok, err = pcall(next_value)
    assert.same({ false, "cannot resume non-suspended coroutine" }, { ok, err })
  end)

  it("is collected half-way, awaiting or not", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function start()
      local bodies = {
        function() yield(1) end,
        function() Promise.withResolvers():await() end,
      }
      for _, fn in ipairs(bodies) do
        local next_value = generator(fn)
        weak[next_value] = true
        lunette.spawn(next_value)
      end
    end
    lunette.spawn(start):await()
    sleep(0)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("needs a function", function()
    local ok, err = pcall(function() generator(1) end)
    assert.is_false(ok)
    assert.matches("_spec.lua:%d+: bad argument #1 to 'lunette.generator' "
      .. "%(function expected, got number%)$", err)
  end)
end)
