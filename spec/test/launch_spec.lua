-- SPDX-License-Identifier: MIT
-- `launch` of `require "lunette.test"`: apps under test.
local suite = require "spec.support.suite"

local FILES <const> = {
  ["app/main.lua"] = [[
    local lunette = require "lunette"
    local app, BrowserWindow = lunette.app, lunette.BrowserWindow
    answer = 42
    print("started with", ...)
    io.stderr:write "on standard error\n"
    app.whenReady():await()
    win = BrowserWindow.new { title = "first", show = false }
    win:loadFile("page.lua"):await()
    print "loaded"
  ]],
  ["app/page.lua"] = "value = 7",
}

-- Runs the code as a test, with `app` launched.
local function run(code)
  local files = { ["spec/a_spec.lua"] = ([[
    local lunette, test = require "lunette", require "lunette.test"
    it("t", function()
      local app = test.launch("app", { args = { "one", "two" }, env = { SAID = "so" } })
      %s
    end)
  ]]):format(code) }
  for name, text in pairs(FILES) do
    files[name] = text
  end
  return suite.run(files, { "-o", "TAP" })
end

local function check(code)
  local result = run(code)
  assert.same({ "ok 1 - t\n1..1\n", "", 0 }, { result.stdout, result.stderr, result.status })
end

describe("an app under test", function()
  it("is told its arguments, prints for the spec, and is stopped", function()
    check [[
      assert.equal("one", (app:waitForOutput "with\t(%w+)"))
      app:waitForOutput "loaded"
      local out, err = app:output()
      assert.equal("started with\tone\ttwo\nloaded\n", out)
      local result = app:stop()
      assert.same({ out, "on standard error\n", 0, 0 },
        { result.stdout, result.stderr, result.status, result.signal })
      assert.equal(result, app:wait())
    ]]
  end)

  it("evaluates code in main, with arguments, and awaits what that gives", function()
    check [[
      assert.same({ 43, "x" }, { app:evaluate("return answer + ..., 'x'", 1) })
      assert.equal(5, (app:evaluate "return require('lunette').Promise.delay(1, 5)"))
      assert.equal("so", (app:evaluate "return os.getenv 'SAID'"))
      assert.is_nil((app:evaluate "return os.getenv 'LUNETTE_TEST_LINK'"))
      assert.has_error(function() app:evaluate "error('no', 0)" end)
      assert.has_error(function() app:evaluate "return (" end)
    ]]
  end)

  it("shows its windows, in which code is evaluated too", function()
    check [[
      app:waitForOutput "loaded"
      local windows = app:windows()
      assert.equal(1, #windows)
      local window = windows[1]
      assert.same({ "first", false, false },
        { window.title, window.visible, window.loading })
      assert.matches("page.lua$", window.url)
      assert.equal(8, (window:evaluate "return value + 1"))
    ]]
  end)

  it("has events that can be awaited, of the app and of a window", function()
    check [[
      app:waitForOutput "loaded"
      local window = app:windows()[1]
      local title = lunette.spawn(function() return window:waitForEvent "page-title-updated" end)
      local made = lunette.spawn(function() return app:waitForEvent "browser-window-created" end)
      app:evaluate "win:setTitle 'second' other = require('lunette').BrowserWindow.new()"
      assert.equal("second", (title:await()))
      assert.matches("BrowserWindow", (made:await()))
      assert.equal(2, #app:windows())
    ]]
  end)

  it("ends with the spec that leaves it running", function()
    local printed = run "app:waitForOutput 'loaded' print('pid', app.pid)".stdout
    local pid = printed:match "pid\t(%d+)"
    assert.is_false(require("spec.support.app").is_alive(tonumber(pid)))
  end)

  it("makes waits fail in time, with what it has printed", function()
    local files = { ["spec/a_spec.lua"] = [[
      local test = require "lunette.test"
      it("t", function()
        local app = test.launch("app", { timeout = 30 })
        app:waitForOutput "never"
      end)
    ]], ["app/main.lua"] = "print 'only this' require('lunette').sleep(10000)" }
    local printed = suite.run(files, { "-o", "TAP" }).stdout
    assert.matches("output that matches 'never': not in 30 ms", printed, 1, true)
  end)

  it("may be run by another program, of which no more can be asked than its output", function()
    check [[
      app:stop()
      app = test.launch("-c", { program = "sh", args = { 'echo "$0 $1" >&2; exit 3', "a", "b" } })
      assert.same({ "", "a b\n", 3, 0 }, { app:wait().stdout, app:wait().stderr,
        app:wait().status, app:wait().signal })
      for name, argument in pairs { evaluate = "", waitForEvent = "x", windows = 1, stop = 1 } do
        local _, err = pcall(app[name], app, argument)
        assert.matches("the app is run by another program, which cannot be asked", err, 1, true)
      end
    ]]
  end)

  it("that a signal ends says so", function()
    check [[
      app:waitForOutput "loaded"
      app:kill "sigkill"
      assert.equal(9, app:wait().signal)
    ]]
  end)
end)
