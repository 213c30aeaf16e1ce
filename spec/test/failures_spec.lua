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

  it("a crash", function()
    check(run "require('lunette').process.kill(require('lunette').process.pid, 'SIGSEGV')",
      "the process of this file was ended by SIGSEGV (crashed)")
  end)

  it("a kill", function()
    check(run "require('lunette').process.kill(require('lunette').process.pid, 'SIGKILL')",
      "the process of this file was ended by SIGKILL (killed)")
  end)

  it("code that nothing can interrupt and that takes too long", function()
    check(run("io.popen('sleep 60'):read 'a'", { "--timeout", "500" }),
      "timeout of 500 ms exceeded in code that nothing can interrupt: it was killed")
  end)

  -- An address sanitizer needs more address space than there is memory.
  if not app.executable:find "/asan/" then
    it("that memory is used up", function()
      local dir = app.folder {
        ["spec/a_spec.lua"] = "it('a', function() local t = {} while true do t[#t + 1] = "
          .. "('x'):rep(1 << 20) .. #t end end) it('b', function() end)",
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
