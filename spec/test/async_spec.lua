-- SPDX-License-Identifier: MIT
-- `lunette test`: specs that await, and what goes wrong beside them.
local app = require "spec.support.app"
local suite = require "spec.support.suite"

local BEFORE <const> = [[
  local lunette = require "lunette"
  local test = require "lunette.test"
  local uv = lunette.uv
]]

-- Runs one file; what TAP says of it.
local function run(code, args)
  local line = table.move(args or {}, 1, #(args or {}), 3, { "-o", "TAP" })
  return suite.run({ ["spec/a_spec.lua"] = BEFORE .. code }, line)
end

local function output(code, args)
  local result = run(code, args)
  assert.equal("", result.stderr)
  return result.stdout
end

describe("a spec may await", function()
  it("in every place", function()
    local printed = output [[
      lunette.sleep(1)
      print "file"
      describe("d", function()
        lunette.sleep(1)
        print "describe"
        for _, hook in ipairs { "setup", "teardown", "before_each", "after_each" } do
          _ENV[hook](function() lunette.sleep(1) print(hook) end)
        end
        it("t", function()
          finally(function() lunette.sleep(1) print "finally" end)
          assert.has_error(function() lunette.sleep(1) error "caught" end)
          print "it"
        end)
      end)
    ]]
    local places = { "file", "describe", "setup", "before_each", "it", "finally" }
    table.move({ "ok 1 - d t", "after_each", "teardown", "1..1\n" }, 1, 4, 7, places)
    assert.equal(table.concat(places, "\n"), printed)
  end)

  it("by returning a promise, whose rejection is its error", function()
    local printed = output [[
      it("fulfils", function() return lunette.Promise.delay(1) end)
      it("rejects", function()
        return lunette.Promise.delay(1):andThen(function() error "no" end)
      end)
    ]]
    assert.matches("^ok 1 %- fulfils\nnot ok 2 %- rejects\n.*a_spec.lua:6: no\n1..2\n$", printed)
  end)

  it("by yielding, until somebody resumes it", function()
    assert.equal("ok 1 - yields\n1..1\n", output [[
      it("yields", function()
        local co = coroutine.running()
        lunette.setTimeout(function() coroutine.resume(co, "woken") end, 1)
        assert.equal("woken", coroutine.yield())
      end)
    ]])
  end)

  it("by luv, and by running its loop as programs of plain luv do", function()
    assert.equal("ok 1 - luv\n1..1\n", output [[
      it("luv", function()
        local uv, rang = require "luv", 0
        assert.equal(lunette.uv, uv)
        local timer = uv.new_timer()
        timer:start(1, 1, function()
          rang = rang + 1
          if rang == 3 then timer:close() end
        end)
        uv.run()
        assert.equal(3, rang)
        timer = uv.new_timer()
        timer:start(1, 0, function() uv.stop() end)
        uv.run()
        timer:close()
      end)
    ]])
  end)

  it("in a module that it requires", function()
    local files = {
      ["spec/a_spec.lua"] = "it('t', function() assert.equal(7, require 'late') end)",
      ["late.lua"] = "require('lunette').sleep(1) return 7",
    }
    assert.equal("ok 1 - t\n1..1\n", suite.run(files, { "-o", "TAP" }).stdout)
  end)
end)

describe("the test that runs fails for", function()
  for what, code in pairs {
    ["an error in a timer while it waits"] = [[
      lunette.setTimeout(function() error "beside" end, 1)
      lunette.sleep(10000)]],
    ["an error in a callback of luv"] = [[
      local timer = uv.new_timer()
      timer:start(1, 0, function() timer:close() error "beside" end)
      lunette.Promise.new(function() end):await()]],
    ["a rejection that nobody handles"] = [[
      lunette.Promise.reject "beside"]],
    ["a rejection that comes when it has returned"] = [[
      lunette.Promise.resolve(1):andThen(function() error "beside" end)]],
    ["an error in a task that it started"] = [[
      lunette.setImmediate(function() error "beside" end)
      lunette.sleep(1)]],
  } do
    it(what, function()
      local printed = output(([[
        it("first", function() end)
        it("runs", function()
          %s
        end)
        it("last", function() end)
      ]]):format(code))
      local report = "^ok 1 %- first\nnot ok 2 %- runs\n# spec/a_spec.lua @ %d+\n"
        .. "# Failure message: [^\n]*beside\nok 3 %- last\n1..3\n$"
      assert.matches(report, printed)
    end)
  end

  it("an assertion beside it, which is a failure", function()
    local printed = suite.run({ ["spec/a_spec.lua"] = BEFORE .. [[
      it("t", function()
        lunette.setTimeout(function() assert.equal(1, 2) end, 1)
        lunette.sleep(10000)
      end)
    ]] }).stdout
    assert.matches("0 successes / 1 failure / 0 errors", printed, 1, true)
  end)

  it("waiting for what can no longer happen, at once, and says where", function()
    local printed = output [[
      it("waits", function()
        lunette.Promise.new(function() end):await()
      end)
      it("yields", function() coroutine.yield() end)
    ]]
    local message = "# Failure message: spec/a_spec.lua:%d: "
      .. "waiting for something that can no longer happen\n"
    local report = "not ok 1 - waits\n# spec/a_spec.lua @ 4\n" .. message:format(5)
      .. "not ok 2 - yields\n# spec/a_spec.lua @ 7\n" .. message:format(7) .. "1..2\n"
    assert.equal(report, printed)
  end)
end)

describe("a time limit", function()
  local WAITS <const> = "lunette.sleep(10000)"
  local COMPUTES <const> = "repeat pcall(function() while true do end end) until false"
  local MS <const> = math.floor(300 * app.PATIENCE) -- the file is to be loaded in it

  for _, body in ipairs { WAITS, COMPUTES } do
    it("is of the run, for each test: " .. body, function()
      local printed = output(([[
        after_each(function() print "after" end)
        it("t", function() %s end)
        it("quick", function() end)
      ]]):format(body), { "--timeout=" .. MS })
      local report = "not ok 1 - t\n# spec/a_spec.lua @ 5\n# Failure message: "
        .. "spec/a_spec.lua:5: timeout of %d ms exceeded\nafter\nok 2 - quick\nafter\n1..2\n"
      assert.equal(report:format(MS), printed)
    end)
  end

  it("is of a block, and of a test", function()
    local printed = output [[
      describe("d", function()
        test.timeout(400)
        it("of the block", function() lunette.sleep(10000) end)
        it("of the test", function() test.timeout(100) lunette.sleep(10000) end)
        it("none", function() test.timeout(0) lunette.sleep(410) end)
      end)
    ]]
    assert.matches("not ok 1 %- d of the block\n.*: timeout of 400 ms", printed)
    assert.matches("not ok 2 %- d of the test\n.*: timeout of 100 ms", printed)
    assert.matches("\nok 3 %- d none\n1..3\n$", printed)
  end)
end)

describe("lunette.test", function()
  it("gives temporary folders, which go with the worker", function()
    local printed = output [[
      it("t", function()
        local dir, other = test.tmpdir(), test.tmpdir()
        assert.are_not.equal(dir, other)
        assert(io.open(dir .. "/file", "w")):close()
        print(dir)
      end)
    ]]
    local dir = printed:match "^(/[^\n]*)\n"
    assert.is_nil(io.open(dir .. "/file"))
  end)

  it("tells which worker this is, as the environment does", function()
    local printed = output([[
      it("t", function()
        assert.equal(os.getenv "LUNETTE_TEST_WORKER", tostring(test.worker))
        print(test.worker, test.workers, os.getenv "LUNETTE_TEST_WORKERS")
      end)
    ]], { "--jobs=3" })
    assert.equal("0\t3\t3\nok 1 - t\n1..1\n", printed)
  end)
end)
