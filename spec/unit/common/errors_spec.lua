-- SPDX-License-Identifier: MIT
-- The runtime's error values, and what of a raised value crosses.
local import = require "spec.support.import"
local errors = import "common.errors"
local json = import "common.json"

-- A raised value on the other side.
local function cross(err, traceback)
  return errors.from_wire("sum", errors.to_wire(err, traceback))
end

describe("errors", function()
  it("have a name, a message and a text", function()
    local abort = errors.AbortError()
    assert.equal("AbortError", abort.name)
    assert.equal("AbortError: the operation was cancelled", tostring(abort))
    assert.equal("TimeoutError: not settled within 50 ms", tostring(errors.TimeoutError(50)))
    local gone = errors.PeerGoneError("crashed")
    assert.equal("PeerGoneError", gone.name)
    assert.equal("crashed", gone.reason)
    assert.equal("PeerGoneError: crashed", tostring(gone))
  end)

  it("of a load have Chromium's code and number", function()
    local err = errors.LoadError("ERR_FILE_NOT_FOUND", -6, "file:///x")
    assert.equal("ERR_FILE_NOT_FOUND (-6) loading 'file:///x'", tostring(err))
    assert.same({ "ERR_FILE_NOT_FOUND", -6, "file:///x" }, { err.code, err.errno, err.url })
    err = errors.LoadError("ERR_FAILED", -2, "u", "no such file")
    assert.equal("no such file", err.description)
    assert.equal("ERR_FAILED (-2) loading 'u'", err.message)
    assert.equal("ERR_FAILED (-2) loading 'u': no such file", tostring(err))
  end)
end)

describe("an error that crosses", function()
  it("keeps the text of a string as raised", function()
    local err = cross("main.lua:3: oops", "stack traceback: ...")
    assert.equal("main.lua:3: oops", err.message)
    assert.equal("sum", err.channel)
    assert.equal("stack traceback: ...", err.traceback)
    assert.equal("RemoteError", err.name)
    assert.equal("Error invoking remote method 'sum': main.lua:3: oops", tostring(err))
  end)

  it("has the text of whatever else was raised as its message", function()
    assert.equal("nil", cross(nil).message)
    assert.equal("5", cross(5).message)
    assert.equal("false", cross(false).message)
    assert.matches("^function: ", cross(print).message)
    local printable = { __tostring = function() return "text" end }
    assert.equal("text", cross(setmetatable({ message = 5 }, printable)).message)
    local broken = setmetatable({}, { __tostring = function() error("no") end })
    assert.equal("(a table whose tostring failed)", cross(broken).message)
  end)

  it("keeps the fields of a table that can be cloned", function()
    local shared = { 1 }
    local err = cross({
      message = "full", name = "DiskError", code = 7, list = { shared, shared },
      null = json.null, "first", [true] = 2,
    })
    assert.same({ "full", "DiskError", 7, "first", 2 },
      { err.message, err.name, err.code, err[1], err[true] })
    assert.equal(json.null, err.null)
    assert.equal(err.list[1], err.list[2])
  end)

  it("leaves out the fields that cannot", function()
    local cycle = { ok = true }
    cycle.self = cycle
    local deep = {}
    for _ = 1, 2000 do deep = { deep } end
    local wire = errors.to_wire({
      message = "m", fn = print, co = coroutine.create(print), file = io.stdout, cycle = cycle,
      deep = deep,
      inner = { a = { print } }, keyed = { [print] = 1 }, [print] = 1, [{ print }] = 2,
    })
    assert.same({ message = "m", cycle = cycle }, wire)
  end)

  it("has Lunette's channel and traceback, whatever the table has there", function()
    local err = cross({ message = "m", channel = "other", traceback = "own" }, "remote")
    assert.equal("sum", err.channel)
    assert.equal("remote", err.traceback)
  end)

  it("can cross again", function()
    local inner = cross({ message = "m", code = 1 }, "a")
    local err = errors.from_wire("outer", errors.to_wire(inner, "b"))
    assert.same({ "m", 1, "outer", "b" }, { err.message, err.code, err.channel, err.traceback })
  end)

  it("can be anything when the peer is hostile", function()
    local hostile = { 5, "x", true, {}, { message = {} }, { message = json.null, name = 5 } }
    for _, wire in ipairs(hostile) do
      assert.matches("^Error invoking remote method 'sum': ",
        tostring(errors.from_wire("sum", wire)))
    end
    assert.equal("nil", errors.from_wire("sum", nil).message)
  end)
end)
