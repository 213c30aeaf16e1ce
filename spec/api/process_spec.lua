-- SPDX-License-Identifier: MIT
local app = require "spec.support.app"

local function run(code, options)
  return app.run({ ["main.lua"] = "local lunette = require 'lunette'\n" .. code }, options)
end

describe("process", function()
  it("tells what main is", function()
    local result = run([[
      local p = lunette.process
      print(p.type, p.platform, p.sandboxed, math.type(p.pid), p.versions.lua, p.argv[2], p.argv[3])
      print(p.argv[1] == arg[0], p.argv[0] == p.execPath or p.argv[0] ~= nil, ...)
    ]], { args = { "one", "--two" } })
    assert.equal("browser\tlinux\tfalse\tinteger\t5.4.4\tone\t--two\n"
      .. "true\ttrue\tone\t--two\n", result.stdout)
  end)

  it("measures time and memory", function()
    local result = run [[
      local p = lunette.process
      local a = p.hrtime()
      lunette.sleep(2)
      print(math.type(a), p.hrtime() - a >= 2000000, p.uptime() > 0, p.uptime() < 10)
      local m = p.memoryUsage()
      print(m.heap > 0, m.heapPeak >= m.heap, m.rss > m.heap)
    ]]
    assert.equal("integer\ttrue\ttrue\ttrue\ntrue\ttrue\ttrue\n", result.stdout)
  end)

  it("has the environment, the working directory and signals", function()
    local result = run([[
      local p = lunette.process
      print(p.env.LUNETTE_SPEC_VALUE, p.env.LUNETTE_SPEC_NONE)
      p.env.LUNETTE_SPEC_VALUE = nil
      print(p.env.LUNETTE_SPEC_VALUE)
      p.chdir "/"
      print(p.cwd(), p.kill(p.pid, 0))
      print(pcall(p.chdir, "/there/is/nothing"))
    ]], { env = { LUNETTE_SPEC_VALUE = "5" } })
    assert.equal("5\tnil\nnil\n/\ttrue\n", result.stdout:match("^.-true\n"))
    assert.matches("false\t.*process.chdir: ENOENT", result.stdout)
  end)

  it("emits exit, with the status", function()
    local result = run [[
      lunette.process.on("exit", function(code) print("exit", code) end)
      lunette.app.exit(3)
    ]]
    assert.equal("exit\t3\n", result.stdout)
    assert.equal(3, result.status)
  end)

  it("tells a page what it is", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        local more = { additionalArguments = { "--mine" } }
        lunette.BrowserWindow.new({ webPreferences = more }):loadFile "page.lua"
      ]],
      ["page.lua"] = [[
        local p = require("lunette").process
        print(p.type, p.sandboxed, p.contextIsolated, p.argv[#p.argv], p.cwd, p.env, p.kill)
        window.close()
      ]],
    }
    assert.equal("renderer\ttrue\tfalse\t--mine\tnil\tnil\tnil\n", result.stdout)
  end)
end)

describe("A wrong call", function()
  local function message(code)
    local result = run("print(select(2, pcall(function() " .. code .. " end)))")
    return (result.stdout:gsub("^.-main.lua:2: ", ""):gsub("\n$", ""))
  end

  it("by a colon instead of a dot says which one to use", function()
    assert.equal("ipcMain.on is called with a dot: write ipcMain.on(...), not ipcMain:on(...)",
      message "lunette.ipcMain:on('x', print)")
  end)

  it("by a dot instead of a colon does so too", function()
    assert.equal(
      "Promise:await is called with a colon: write promise:await(...), not promise.await(...)",
      message "lunette.Promise.resolve().await()")
  end)

  it("names the function, the argument, what was expected and what came", function()
    assert.equal("bad argument #1 to 'ipcMain.on' (string expected, got number)",
      message "lunette.ipcMain.on(5, print)")
    assert.equal("bad argument #1 to 'app.exit' (integer or nil expected, got 1.5)",
      message "lunette.app.exit(1.5)")
    assert.equal("bad argument #1 to 'lunette.sleep' (milliseconds expected, got string)",
      message "lunette.sleep('1')")
  end)
end)
