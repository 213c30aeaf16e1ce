-- SPDX-License-Identifier: MIT
-- `lunette test` when a spec ends its process: the test is named, and the other files run.
local app = require "spec.support.app"
local suite = require "spec.support.suite"

local BYSTANDER <const> = "it('runs all the same', function() print 'by' end)"

-- Runs one test with that body between others; TAP tells of each.
local function run(body, args)
  local line = table.move(args or {}, 1, #(args or {}), 3, { "-o", "TAP" })
  return suite.run({
    ["spec/a_spec.lua"] = BYSTANDER,
    ["spec/b_spec.lua"] = ([[
      describe("b", function()
        it("is first", function() end)
        it("goes wrong", function()
          print "last words" io.stderr:write "on standard error\n"
          %s
        end)
        it("is never run", function() end)
      end)
    ]]):format(body),
    ["spec/c_spec.lua"] = BYSTANDER,
  }, line)
end

-- The report when the second test of the second file goes wrong like that.
local function check(result, message)
  local text = table.concat({
    "by",
    "ok 1 - runs all the same",
    "ok 2 - b is first",
    "last words",
    "not ok 3 - b goes wrong",
    "# spec/b_spec.lua @ 3",
    "# Failure message: spec/b_spec.lua:3: ",
  }, "\n") .. message
  assert.equal(text, result.stdout:sub(1, #text))
  assert.equal("by\nok 4 - runs all the same\n1..4\n", result.stdout:match "\n(by\n.*)$")
  assert.equal("on standard error\n", result.stderr)
  assert.equal(1, result.status)
end

describe("lunette test reports as an error of the test that runs", function()
  it("a call of os.exit, with where it was, whatever its status", function()
    for _, code in ipairs { "0", "7", "true" } do
      local result = run(("os.exit(%s)"):format(code))
      local shown = code == "true" and "0" or code
      local text = "os.exit(%s) was called; what follows in this file was not run\n"
      check(result, text:format(shown))
      assert.matches("spec/b_spec.lua:5: in", result.stdout, 1, true)
    end
  end)

  it("a call of os.exit with no more of its traceback than is the spec's", function()
    local printed = run("os.exit(1)").stdout
    assert.matches("\n# stack traceback:\n# \tspec/b_spec.lua:5: in [^\n]+\n# \nby\n", printed)
  end)

  it("a crash", function()
    check(run "require('lunette').process.kill(require('lunette').process.pid, 'SIGSEGV')",
      "the process of this file was ended by SIGSEGV (crashed)")
  end)

  it("a kill", function()
    check(run "require('lunette').process.kill(require('lunette').process.pid, 'SIGKILL')",
      "the process of this file was ended by SIGKILL (killed)")
  end)

  it("code that nothing can interrupt and that takes too long", function()
    local ms = math.floor(500 * app.PATIENCE) -- the file is to be loaded in it
    check(run("io.popen('sleep 60'):read 'a'", { "--timeout", tostring(ms) }),
      ("timeout of %d ms exceeded in code that nothing can interrupt: it was killed"):format(ms))
  end)

  -- The sanitizers need more address space than there is memory.
  if not app.executable:find "/[at]san/" then
    it("that memory is used up", function()
      local dir = app.folder {
        ["spec/a_spec.lua"] = "it('a', function() local t, k = {}, ('x'):rep(4096) while true do "
          .. "t[#t + 1] = k:rep(256) .. #t end end) it('b', function() end)",
        ["spec/b_spec.lua"] = BYSTANDER,
      }
      local line = ('ulimit -v 400000; exec "%s" test -o TAP'):format(app.executable)
      local result = app.spawn("/bin/sh", { "-c", line }, { cwd = dir }).wait()
      app.remove(dir)
      assert.matches("^not ok 1 %- a\n.*not enough memory\nok 2 %- b\nby\n", result.stdout)
      assert.equal(1, result.status)
    end)
  end
end)

-- Where a process may end, and the element that this is an error of.
local EXITS <const> = {
  ["a file"] = { "os.exit(0)", "suite spec/b_spec.lua" },
  ["a describe"] = { "describe('d', function() os.exit(0) end)", "d" },
  ["setup"] = { "setup(function() os.exit(0) end)", "suite spec/b_spec.lua" },
  ["before_each"] = { "before_each(function() os.exit(0) end)", "suite spec/b_spec.lua" },
  ["finally"] = { "it('f', function() finally(function() os.exit(0) end) end)", "f" },
  ["after_each"] = { "after_each(function() os.exit(0) end)", "suite spec/b_spec.lua" },
  ["teardown"] = { "teardown(function() os.exit(0) end)", "suite spec/b_spec.lua" },
  ["a coroutine"] = { "it('c', function() coroutine.wrap(os.exit)(0) end)", "c" },
  ["a timer"] = { [[it('t', function()
    local lunette = require "lunette"
    lunette.setTimeout(os.exit, 1, 0)
    lunette.sleep(10000)
  end)]], "t" },
}

describe("lunette test survives a call of os.exit in", function()
  for place, case in pairs(EXITS) do
    it(place, function()
      local result = suite.run({
        ["spec/b_spec.lua"] = case[1] .. " it('t', function() end)",
        ["spec/c_spec.lua"] = BYSTANDER,
      }, { "-o", "TAP" })
      local report = "not ok %d %- " .. case[2] .. "\n# spec/b_spec.lua @ %d\n"
        .. "# Failure message: spec/b_spec.lua:%d: os.exit%(0%) was called; "
      assert.matches(report, result.stdout)
      assert.matches("by\nok %d %- runs all the same\n1..%d\n$", result.stdout)
      assert.equal(1, result.status)
    end)
  end

  for what, args in pairs {
    ["a helper"] = { "--helper=helper.lua" },
    ["the code of -e"] = { "-e", "os.exit(0)" },
  } do
    it(what .. ", which is an error of each file", function()
      local files = { ["spec/b_spec.lua"] = BYSTANDER, ["spec/c_spec.lua"] = BYSTANDER }
      files["helper.lua"] = "os.exit(0)"
      local result = suite.run(files, { "-o", "TAP", table.unpack(args) })
      local found = { result.stdout:match "not ok 1 %- suite (%g+)\n.*not ok 2 %- suite (%g+)\n" }
      assert.same({ "spec/b_spec.lua", "spec/c_spec.lua" }, found)
      assert.equal(1, result.status)
    end)
  end
end)

describe("lunette test --timeout", function()
  for what, args in pairs {
    ["a helper"] = { "--helper=helper.lua" },
    ["the code of -e"] = { "-e", "while true do end" },
  } do
    it("limits " .. what, function()
      local files = { ["spec/b_spec.lua"] = BYSTANDER, ["helper.lua"] = "while true do end" }
      local result = suite.run(files, { "-o", "TAP", "--timeout=50", table.unpack(args) })
      local report = "not ok 1 %- suite spec/b_spec.lua\n.*timeout of 50 ms exceeded"
      assert.matches(report, result.stdout)
    end)
  end
end)

describe("what specs do to their process is not the controller's:", function()
  for what, code in pairs {
    ["a closed standard output"] = "local uv = require 'luv' uv.fs_close(1) uv.fs_close(2)",
    ["another working folder"] = "require('luv').chdir('/')",
    ["a file that removes itself"] = "os.remove('spec/a_spec.lua')",
    ["children that hold the output"] = "io.popen('sleep 1 &') os.execute('sleep 1 >&2 &')",
    ["a changed library"] = "table.concat, string.rep, math.floor = nil, nil, nil",
    ["no loaded modules"] = "for name in pairs(package.loaded) do package.loaded[name] = nil end",
  } do
    it(what, function()
      local result = suite.run({
        ["spec/a_spec.lua"] = ("it('a', function() %s end) it('b', function() end)"):format(code),
        ["spec/c_spec.lua"] = BYSTANDER,
      }, { "-o", "TAP" })
      local report = "ok 1 - a\nok 2 - b\nby\nok 3 - runs all the same\n1..3\n"
      assert.same({ report, "", 0 }, { result.stdout, result.stderr, result.status })
    end)
  end

  it("a temporary file whose path is too long", function()
    local dir = app.folder {}
    local result = suite.run({ ["spec/a_spec.lua"] = [[
      it("a", function()
        local name = ("d"):rep(200)
        local step = ("mkdir %s && cd -P %s"):format(name, name)
        assert(os.execute(("cd $TMPDIR; for i in $(seq 25); do %s; done"):format(step)))
      end)
    ]] }, { "-o", "TAP" }, { env = { TMPDIR = dir } })
    assert.same({ "ok 1 - a\n1..1\n", "" }, { result.stdout, result.stderr })
    assert.is_true(os.remove(dir))
  end)

  it("bytes of any kind that they print, and many of them", function()
    local result = suite.run({ ["spec/a_spec.lua"] = [[
      it("a", function()
        io.write("\0\255\27[31m\n")
        for _ = 1, 4 do io.write(("x"):rep(1 << 20)) end
      end)
    ]] }, { "-o", "TAP" })
    local wanted = "\0\255\27[31m\n" .. ("x"):rep(4 << 20) .. "ok 1 - a\n1..1\n"
    assert.is_true(wanted == result.stdout)
  end)
end)
