-- SPDX-License-Identifier: MIT
-- When the hang monitor pings, and what it makes of silence. Its looks are counted, so these need
-- no time.
local import = require "spec.support.import"
local hang_monitor = import "main.hang_monitor"

describe("the hang monitor", function()
  local TIMEOUT <const>, MS <const> = 1 << 30, 1000000
  local child, peer, changes, monitor

  before_each(function()
    child = { cpu = 0 }
    function child:cpu_time() return self.cpu end
    peer = { bytes = 0, pings = 0 }
    function peer:sent() return self.bytes end
    function peer:send_internal(channel)
      assert.equal("ping", channel)
      self.pings, self.bytes = self.pings + 1, self.bytes + 20
    end
    changes = {}
    monitor = hang_monitor.start(child, peer, TIMEOUT, function(is_hanging)
      changes[#changes + 1] = is_hanging
    end)
    monitor:look() -- it was booted: that was sent
    monitor:answered()
  end)

  after_each(function()
    monitor:stop()
  end)

  local function look(count)
    for _ = 1, count do monitor:look() end
  end

  it("leaves a renderer asleep to which nothing was sent", function()
    look(100)
    assert.equal(1, peer.pings)
  end)

  it("leaves a renderer alone that does next to nothing", function()
    for _ = 1, 100 do
      child.cpu = child.cpu + MS
      monitor:look()
    end
    assert.equal(1, peer.pings)
  end)

  it("pings once for whatever was sent meanwhile", function()
    peer.bytes = peer.bytes + 1000
    look(1)
    monitor:answered()
    look(100)
    assert.equal(2, peer.pings)
    assert.same({}, changes)
  end)

  it("pings a renderer that works by itself", function()
    child.cpu = child.cpu + TIMEOUT // 4 * MS
    look(2)
    assert.equal(2, peer.pings)
  end)

  it("tells once of one that does not answer for four looks, and of its answer", function()
    peer.bytes = peer.bytes + 1
    look(4)
    assert.same({}, changes)
    look(1)
    assert.same({ true }, changes)
    look(100)
    assert.equal(2, peer.pings)
    monitor:answered()
    monitor:answered()
    assert.same({ true, false }, changes)
  end)

  it("takes no answer for another ping's", function()
    monitor:answered()
    peer.bytes = peer.bytes + 1
    look(5)
    assert.same({ true }, changes)
  end)
end)
