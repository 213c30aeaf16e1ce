-- SPDX-License-Identifier: MIT
-- One end of a link, whose other end the spec plays by the bytes it writes.
local Promise = require("lunette").Promise
local app = require "spec.support.app"
local import = require "spec.support.import"
local uv = require("lunette").uv
local wire = require "spec.support.wire"
local Peer = import "common.peer"
local report = import "common.report"

describe("a peer", function()
  local peer, owner, fd, gone, warn

  -- Connects a peer of that role: what the spec writes to `fd` is what it gets.
  local function connect(role)
    local tell
    local pair = uv.socketpair(nil, nil, { nonblock = false }, { nonblock = false })
    gone, tell = Promise.withResolvers()
    owner = {
      came = {},
      _internal = {},
      _on_message = function(self, ...) table.insert(self.came, table.pack(...)) end,
      _routes = { handlers = {}, listeners = {} },
      _on_boot = function(self, ...) table.insert(self.came, table.pack("boot", ...)) end,
      _on_gone = function(_, fault) tell(fault) end,
    }
    peer = Peer.new(role, owner, "the spec")
    fd = pair[2]
    if role == "main" then
      assert(peer:boot {})
      assert(peer:connect(pair[1]))
    else
      peer:greet(pair[1])
    end
  end

  local function write(...)
    assert(uv.fs_write(fd, table.concat { ... }, -1))
  end

  before_each(function()
    warn, report.warn = report.warn, function() end
  end)

  after_each(function()
    peer:close "the end"
    uv.fs_close(fd)
    report.warn = warn
  end)

  local function assert_fault(fault)
    assert.equal(fault, gone:timeout(app.DEADLINE):await())
    assert.same({}, owner.came)
  end

  local hello <const> = wire.packet(wire.HELLO, { id = wire.VERSION })
  local boot <const> = wire.packet(wire.BOOT, { body = wire.body { page = 1 } })

  it("of main takes nothing before HELLO", function()
    for _, kind in ipairs { "MESSAGE", "INVOKE", "REPLY", "CANCEL", "SYNC", "SEND_TO" } do
      connect "main"
      write(wire.packet(wire[kind], { channel = "x" }))
      assert_fault "something before its greeting"
      if kind ~= "SEND_TO" then
        peer:close "the end"
        uv.fs_close(fd)
      end
    end
  end)

  it("of main takes HELLO once", function()
    connect "main"
    write(hello, hello)
    assert_fault "a greeting once more"
  end)

  it("of main takes HELLO of its own version alone", function()
    connect "main"
    write(wire.packet(wire.HELLO, { id = 1 }))
    assert_fault(("the protocol version 1, not %d"):format(wire.VERSION))
  end)

  it("of a renderer takes BOOT first, and once", function()
    connect "peer"
    write(wire.packet(wire.MESSAGE, { channel = "x" }))
    assert_fault "something before its greeting"
    peer:close "the end"
    uv.fs_close(fd)
    connect "peer"
    write(boot, boot)
    assert.equal("a greeting once more", gone:timeout(app.DEADLINE):await())
    assert.equal(1, #owner.came)
    assert.equal("boot", owner.came[1][1])
  end)

  it("tells who broke the protocol, and how", function()
    local said
    report.warn = function(text) said = text end
    connect "main"
    write(wire.packet(0))
    gone:timeout(app.DEADLINE):await()
    local fault = "a packet of a kind that this peer may not send"
    assert.equal("closing the link to the spec: it sent " .. fault, said)
  end)

  it("reads nothing behind a fault that only it sees", function()
    connect "main"
    write(hello, wire.packet(wire.REPLY, { id = 1 }), wire.packet(wire.MESSAGE, { channel = "x" }))
    assert_fault "an answer that nobody waits for"
  end)

  it("raises when more questions wait for their answers than may, and not sooner", function()
    connect "main"
    peer:configure { limits = { openInvokes = 1 } }
    local function invoke()
      local promise = peer:ask "ask"
      return promise
    end
    local function ask()
      local promise = invoke()
      return promise
    end
    local last = ask()
    assert.equal("pending", last:status())
    local ok, text = pcall(ask)
    assert.is_false(ok)
    text = text:match "^[^:]+peer_spec.lua:%d+: (.*)$"
    assert.equal("1 questions wait for their answers already (limit openInvokes)", text)
    last:catch(function() end)
    write(hello, wire.packet(wire.REPLY, { id = 1, body = wire.body "answer" }))
    assert.equal("answer", last:timeout(app.DEADLINE):await())
    assert.equal("pending", ask():catch(function() end):status())
  end)

  it("keeps the number of a cancelled question until its answer is there", function()
    connect "main"
    local function ask()
      local promise = peer:ask "ask"
      return promise
    end
    local first = ask()
    first:cancel()
    local second = ask()
    write(hello, wire.packet(wire.REPLY, { id = 1, body = wire.body "late" }))
    write(wire.packet(wire.REPLY, { id = 2, body = wire.body "second" }))
    assert.equal("second", second:timeout(app.DEADLINE):await())
    local third = ask()
    write(wire.packet(wire.REPLY, { id = 2, body = wire.body "third" }))
    assert.equal("third", third:timeout(app.DEADLINE):await())
  end)

  it("rejects what waits when it is closed, once, and drops what is sent then", function()
    connect "main"
    local question = peer:ask "ask"
    peer:close "first"
    peer:close "second"
    local ok, err = question:pawait()
    assert.is_false(ok)
    assert.equal("PeerGoneError: first", tostring(err))
    assert.is_false(peer:send(0, "x"))
    ok, err = peer:ask "ask":pawait()
    assert.is_false(ok)
    assert.equal("first", err.reason)
    ok, err = peer:drained():pawait()
    assert.is_false(ok)
    assert.equal("first", err.reason)
  end)
end)
