-- SPDX-License-Identifier: MIT
-- `lunette test --split`: the tests of one file, in several workers, and the report of one.
local suite = require "spec.support.suite"

local FILES <const> = {
  ["spec/a_spec.lua"] = "it('before', function() print 'a' end)",
  ["spec/b_spec.lua"] = [[
    print "loads"
    describe("outer", function()
      setup(function() print "setup" end)
      teardown(function() print "teardown" end)
      before_each(function() io.stderr:write "before each\n" end)
      it("one", function() print "in one" end)
      pending("two")
      describe("inner", function()
        for i = 3, 7 do
          it("number " .. i, function() print("in", i) end)
        end
        it("eight fails", function() assert.equal(1, 2) end)
        it("nine errs", function() error "nine" end)
      end)
      describe("broken", function()
        setup(function() error "no setup" end)
        it("is never run", function() end)
      end)
      describe("broken lazily", function()
        lazy_setup(function() error "no lazy setup" end)
        it("is not run", function() end)
        it("is not run either", function() end)
        it("nor this", function() end)
      end)
      it("ten", function() print "in ten" end)
    end)
    it("eleven", function() end)
  ]],
  ["spec/c_spec.lua"] = "it('behind', function() print 'c' end)",
}

-- One file, split among three workers; TAP tells of it.
local function run(code, ...)
  local files = { ["spec/a_spec.lua"] = code, ["spec/c_spec.lua"] = "it('c', function() end)" }
  return suite.run(files, { "--jobs=3", "--split=a_", "-o", "TAP", ... })
end

local WHERE <const> = [[
  local test = require "lunette.test"
  for i = 1, 7 do
    it("t" .. i, function() print("worker", test.worker) end)
  end
]]

describe("lunette test --split", function()
  for _, output in ipairs { "plainTerminal", "utfTerminal", "TAP", "gtest", "junit" } do
    it("gives the report of one worker: " .. output, function()
      local wanted = suite.run_plainly(FILES, { "-o", output })
      for _, jobs in ipairs { "2", "3", "5" } do
        assert.same(wanted, suite.run(FILES, { "-o", output, "--split=b_", "--jobs", jobs }))
      end
    end)
  end

  it("deals the tests to all workers", function()
    local used = {}
    for worker in run(WHERE).stdout:gmatch "worker\t(%d)\nok" do
      used[worker] = true
    end
    assert.same({ ["0"] = true, ["1"] = true, ["2"] = true }, used)
  end)

  it("keeps the order that a seed gives", function()
    local args = { "--shuffle", "--seed=4", "-o", "TAP" }
    local wanted = suite.run_plainly(FILES, args)
    assert.same(wanted, suite.run(FILES, { "--split=.", "--jobs=2", table.unpack(args) }))
  end)

  it("runs a file that it does not match, or that is to run alone, in one", function()
    for _, args in ipairs { { "--split=other" }, { "--split=.", "--serial=." }, { "--jobs=1" },
      { "--split=.", "--no-keep-going" } } do
      local files = { ["spec/a_spec.lua"] = WHERE }
      local printed = suite.run(files, { "--jobs=3", "-o", "TAP", table.unpack(args) }).stdout
      assert.matches("^(worker\t%d\n)ok 1 %- t1\n%1ok 2 %- t2\n%1ok 3", printed)
    end
  end)

  it("is the same from recordings", function()
    local recording = os.tmpname()
    suite.run(FILES, { "--split=b_", "--jobs=3", "--record", recording })
    local result = suite.run({}, { "--replay", recording, "-o", "TAP" })
    os.remove(recording)
    assert.same(suite.run_plainly(FILES, { "-o", "TAP" }), result)
  end)

  it("works where files are not isolated", function()
    local args = { "--no-auto-insulate", "-o", "TAP" }
    local wanted = suite.run_plainly(FILES, args)
    assert.same(wanted, suite.run(FILES, { "--split=b_", "--jobs=3", table.unpack(args) }))
  end)

  it("loses with a worker no more than the tests that it had yet to run", function()
    local result = run [[
      for i = 1, 9 do
        it("t" .. i, function()
          if i == 5 then print "last words" os.exit(0) end
        end)
      end
    ]]
    local printed = result.stdout
    assert.matches("ok 4 %- t4\nlast words\nnot ok 5 %- t5\n.*os.exit%(0%) was called", printed)
    assert.matches("ok 6 %- t6\nok 7 %- t7\nok 8 %- t9\nok 9 %- c\n1..9\n$", printed)
    assert.equal(1, result.status)
  end)

  it("says so when the workers do not have the same tests", function()
    local printed = run([[
      for i = 1, 4 do
        it("t" .. i .. " in " .. require("lunette.test").worker, function() end)
      end
    ]]).stdout
    assert.matches("a file to be split must define the same tests in the same order each time",
      printed, 1, true)
    assert.matches("\nok %d %- c\n1..%d\n$", printed)
  end)

  it("tells an error that only one worker meets outside of its tests", function()
    local result = run [[
      if require("lunette.test").worker == 1 then error "not here" end
      for i = 1, 6 do
        it("t" .. i, function() end)
      end
    ]]
    assert.matches("spec/a_spec.lua:1: not here\n", result.stdout, 1, true)
    local _, count = result.stdout:gsub("ok %d %- t%d\n", "")
    assert.equal(4, count)
    assert.equal(1, result.status)
  end)
end)
