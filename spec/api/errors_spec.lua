-- SPDX-License-Identifier: MIT
-- Errors that nobody caught: API.md, Promises and coroutines, last paragraph.
local app = require "spec.support.app"

local function run(code)
  return app.run { ["main.lua"] = "local lunette = require 'lunette'\n" .. code }
end

describe("An error that nobody caught", function()
  it("in the main script is printed with its traceback, and the status is 1", function()
    local result = run "error('boom')"
    assert.matches("main.lua:2: boom\nstack traceback:", result.stderr, 1, true)
    assert.equal(1, result.status)
  end)

  it("in a timer is reported, nothing else stops, and the status becomes 1", function()
    local result = run [[
      lunette.setTimeout(function() error("late") end, 1)
      lunette.setTimeout(function() print "still here" end, 5)
    ]]
    assert.matches("main.lua:2: late\nstack traceback:", result.stderr, 1, true)
    assert.equal("still here\n", result.stdout)
    assert.equal(1, result.status)
  end)

  it("in a luv callback is reported, and the callback may await", function()
    local result = run [[
      local timer = lunette.uv.new_timer()
      timer:start(1, 0, function()
        lunette.sleep(1)
        timer:close()
        print "awaited"
        error({})
      end)
    ]]
    assert.equal("awaited\n", result.stdout)
    assert.matches("uncaught error: (error object is a table", result.stderr, 1, true)
    assert.equal(1, result.status)
  end)

  it("goes to the listeners of uncaughtException instead", function()
    local result = run [[
      lunette.process.on("uncaughtException", function(err, traceback)
        print(err, traceback:match "^stack traceback:")
      end)
      lunette.setTimeout(function() error("mine", 0) end, 1)
    ]]
    assert.equal("mine\tstack traceback:\n", result.stdout)
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
  end)

  it("in one listener does not keep the others from running", function()
    local result = run [[
      lunette.process.on("x", function() error("first", 0) end)
      lunette.process.on("x", function(v) print("second", v) end)
      lunette.process.emit("x", 5)
    ]]
    assert.equal("second\t5\n", result.stdout)
    assert.matches("uncaught error: first\nstack traceback:", result.stderr, 1, true)
  end)
end)

describe("A rejection that nobody handled", function()
  it("is reported at the end of its turn, and the status becomes 1", function()
    local result = run [[
      lunette.Promise.reject("unseen")
      lunette.setTimeout(function() print "still here" end, 5)
    ]]
    assert.matches("unhandled rejection: unseen", result.stderr, 1, true)
    assert.equal("still here\n", result.stdout)
    assert.equal(1, result.status)
  end)

  it("is not one when it is handled within the turn, awaited, or cancelled", function()
    local result = run [[
      local p = lunette.Promise.reject(1)
      lunette.Promise.resolve():andThen(function() p:catch(function() end) end)
      lunette.Promise.reject(2):pawait()
      lunette.Promise.delay(1000):cancel()
    ]]
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
  end)

  it("goes to the listeners of unhandledRejection instead", function()
    local result = run [[
      local mine
      lunette.process.on("unhandledRejection", function(reason, promise)
        print(reason, promise == mine)
      end)
      mine = lunette.Promise.reject("r")
    ]]
    assert.equal("r\ttrue\n", result.stdout)
    assert.equal(0, result.status)
  end)
end)

describe("A task", function()
  it("that the program keeps and resumes later never wakes another's handler", function()
    local result = run [[
      local kept
      lunette.process.on("a", function() kept = coroutine.running() end)
      lunette.process.on("b", function() lunette.sleep(5) print "b is whole" end)
      lunette.process.emit "a"
      lunette.process.emit "b"
      print(coroutine.resume(kept))
    ]]
    assert.equal("false\tcannot resume dead coroutine\nb is whole\n", result.stdout)
  end)
end)
