-- SPDX-License-Identifier: MIT
-- Event objects.
local import = require "spec.support.import"
local events = import "common.event"

describe("an event", function()
  it("has what it was made with, and can be prevented", function()
    local event = events.new { code = 5 }
    assert.same({ 5, false }, { event.code, event.defaultPrevented })
    event:preventDefault()
    assert.is_true(event.defaultPrevented)
    assert.is_false(events.new().defaultPrevented)
  end)

  it("says which of dot and colon to use", function()
    local ok, err = pcall(function() events.new().preventDefault() end)
    assert.is_false(ok)
    assert.equal("Event:preventDefault is called with a colon: write event:preventDefault(...), "
      .. "not event.preventDefault(...)", err:match "^.-event_spec.lua:%d+: (.*)$")
  end)
end)

describe("a kind of events", function()
  local function make(kind, owner) return setmetatable({}, kind(owner)) end

  it("computes a field when it is first read, and keeps it", function()
    local count = 0
    local kind = events.kind({
      frame = function(_, owner)
        count = count + 1
        return "frame of " .. owner
      end,
    }, {})
    local event = make(kind, "me")
    assert.equal(0, count)
    assert.equal("frame of me", event.frame)
    assert.equal("frame of me", event.frame)
    assert.same({ 1, nil }, { count, event.other })
  end)

  it("has methods, and gives assignments of new fields to on_assign", function()
    local assigned = {}
    local kind = events.kind({}, { name = function() return "event" end },
      function(_, key, value) assigned[key] = value end)
    local event = make(kind, "my ")
    event.returnValue = 7
    assert.equal("event", event:name())
    assert.same({ returnValue = 7 }, assigned)
    assert.is_nil(rawget(event, "returnValue"))
  end)

  it("has a signal that emits abort once", function()
    local event, count = make(events.kind({}, {})), 0
    assert.is_false(event.signal.aborted)
    event.signal:on("abort", function() count = count + 1 end)
    event:_abort()
    event:_abort()
    assert.same({ true, 1 }, { event.signal.aborted, count })
  end)

  it("whose asker is gone has an aborted signal also when that is read later", function()
    local event = make(events.kind({}, {}))
    event:_abort()
    assert.is_true(event.signal.aborted)
  end)
end)
