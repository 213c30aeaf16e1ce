-- SPDX-License-Identifier: MIT
-- core.loop.next_turn: work that is not a part of this turn. Timers are tested in timers_spec.lua.
local lunette = require "lunette"
local import = require "spec.support.import"

local loop = import "core.loop"
local uv = lunette.uv

-- Calls fn(turns) in a turn of the loop; turns() is how often it has polled since, or is about to.
local function in_turn(fn)
  local prepare, count = uv.new_prepare(), 0
  prepare:start(function() count = count + 1 end)
  lunette.sleep(0)
  local first = count
  fn(function() return count - first end)
  prepare:close()
end

describe("next_turn", function()
  it("calls once, after the loop has polled", function()
    in_turn(function(turns)
      local called, resolve = lunette.Promise.withResolvers()
      local calls, turn = 0, nil
      turn = loop.next_turn(function()
        turn:close()
        calls = calls + 1
        resolve(turns())
      end)
      assert.equal(0, turns())
      assert.equal(1, (called:await()))
      lunette.sleep(5)
      assert.equal(1, calls)
    end)
  end)

  it("takes another turn when it is called in its function", function()
    in_turn(function(turns)
      local called, resolve = lunette.Promise.withResolvers()
      local first, second
      first = loop.next_turn(function()
        first:close()
        second = loop.next_turn(function()
          second:close()
          resolve(turns())
        end)
      end)
      assert.equal(2, (called:await()))
    end)
  end)

  it("does nothing once it is closed, and lets the loop sleep", function()
    in_turn(function(turns)
      local turn = loop.next_turn(function() error "it was closed" end)
      turn:close()
      turn:close()
      lunette.sleep(50)
      assert.is_true(turns() < 20)
    end)
  end)
end)
