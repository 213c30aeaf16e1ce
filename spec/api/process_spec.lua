-- SPDX-License-Identifier: MIT
-- API.md, process; and os.exit in main.
local app = require "spec.support.app"
local page = require "spec.support.page"

local MAIN = "local lunette = require 'lunette'\nlocal process = lunette.process\n"

-- Runs the code as a main script; without the folder in front of main.lua.
local function run(code, options)
  local result = app.run({ ["main.lua"] = MAIN .. code }, options)
  result.stdout = result.stdout:gsub("/[^\n ]-/main.lua", "main.lua")
  return result
end

local function output(code, options)
  local result = run(code, options)
  assert.equal("", result.stderr)
  return result.stdout
end

describe("process", function()
  it("tells what main is", function()
    local result = app.spawn(app.executable, { "-e", [[
      local p = require("lunette").process
      print(p.type, p.pid, p.platform, p.arch, p.sandboxed, p.contextIsolated, p.execPath)
    ]] })
    local arch = io.popen("uname -m"):read "l"
    local wanted = "browser\t%d\tlinux\t%s\tfalse\tfalse\t%s\n"
    arch = ({ x86_64 = "x64", aarch64 = "arm64" })[arch] or arch
    assert.equal(wanted:format(result.pid, arch, app.executable), result.wait().stdout)
  end)

  app.it_in_process("tells what a page is, and gives it no powers", function()
    local code = [[
      local p = require("lunette").process
      print(p.type, p.sandboxed, p.contextIsolated, math.type(p.pid), p.platform)
      print(p.cwd, p.chdir, p.env, p.kill, type(p.hrtime), type(p.uptime), type(p.memoryUsage))
    ]]
    local powers = "nil\tnil\tnil\tnil\tfunction\tfunction\tfunction\n"
    assert.equal("renderer\ttrue\tfalse\tinteger\tlinux\n" .. powers, page.output(code))
    local isolated = page.output(code, { preferences = "contextIsolation = true" })
    assert.equal("renderer\ttrue\ttrue\tinteger\tlinux\n" .. powers, isolated)
  end)

  it("gives a page without a sandbox its powers", function()
    local printed = page.output([[
      local p = require("lunette").process
      print(p.sandboxed, p.cwd() ~= nil, p.kill(p.pid, 0), p.env.PATH ~= nil)
    ]], { preferences = "sandbox = false" })
    assert.equal("false\ttrue\ttrue\ttrue\n", printed)
  end)

  it("has the versions of Lunette and its parts", function()
    local printed = output [[
      local v = process.versions
      print(v.lunette == lunette.version, v.lunette, v.lua, v.uv)
    ]]
    assert.matches("^true\t%d+%.%d+%.%d+\t5%.4%.%d+\t1%.%d+%.%d+\n$", printed)
  end)

  it("has argv: the executable, the app and its arguments, as Lua's arg", function()
    local printed = output([[
      print(process.argv[0] == process.execPath, process.argv[1]:match "lunette%-spec" ~= nil)
      print(table.unpack(process.argv, 2))
      print(arg[0] == process.argv[1], table.unpack(arg))
      print(...)
    ]], { args = { "one", "", "--two=3" } })
    local args = "one\t\t--two=3\n"
    assert.equal("true\ttrue\n" .. args .. "true\t" .. args .. args, printed)
  end)

  it("measures time: hrtime in nanoseconds, uptime in seconds", function()
    assert.equal("integer\ttrue\nfloat\ttrue\n", output [[
      local a, b = process.hrtime(), process.uptime()
      lunette.sleep(3)
      local c, d = process.hrtime(), process.uptime()
      print(math.type(a), c - a >= 3000000 and c - a < 10 ^ 10)
      print(math.type(b), b >= 0 and d - b >= 0.003 and d < 10)
    ]])
  end)

  it("measures memory: heap, heapPeak and rss, in bytes", function()
    assert.equal("integer\tinteger\tinteger\ntrue\ttrue\ttrue\n", output [[
      local before = process.memoryUsage()
      print(math.type(before.heap), math.type(before.heapPeak), math.type(before.rss))
      local text = ("x"):rep(10000000)
      local during = process.memoryUsage()
      text = nil
      collectgarbage()
      local after = process.memoryUsage()
      print(during.heap - before.heap > 9000000 and during.rss - before.rss > 9000000,
        after.heap < before.heap + 1000000, after.heapPeak >= during.heap)
    ]])
  end)

  it("reads, sets, removes and walks the environment", function()
    assert.equal("given\tnil\n5\t5\tnil\ntrue\tnil\n", output([[
      local env = process.env
      print(env.LUNETTE_SPEC_VALUE, env.LUNETTE_SPEC_NONE)
      env.LUNETTE_SPEC_NEW = 5
      env.LUNETTE_SPEC_VALUE = nil
      print(env.LUNETTE_SPEC_NEW, os.getenv "LUNETTE_SPEC_NEW", os.getenv "LUNETTE_SPEC_VALUE")
      local found = {}
      for name, value in pairs(env) do found[name] = value end
      print(found.LUNETTE_SPEC_NEW == "5" and found.PATH == env.PATH, found.LUNETTE_SPEC_VALUE)
    ]], { env = { LUNETTE_SPEC_VALUE = "given" } }))
  end)

  it("hands its environment and working directory to children", function()
    assert.equal("set\t/\n", output [[
      process.env.LUNETTE_SPEC_VALUE = "set"
      process.chdir "/"
      local child = io.popen "echo $LUNETTE_SPEC_VALUE; pwd"
      print(child:read "l", child:read "l")
    ]])
  end)

  it("changes its working directory", function()
    assert.equal("/\n/usr\n", output [[
      process.chdir "/"
      print(process.cwd())
      process.chdir "usr"
      print(process.cwd())
    ]])
  end)

  it("sends signals, by name or number, and asks whether a process is there by 0", function()
    assert.equal("true\n9\n15\n15\nfalse\n", output [[
      local function child()
        local signal, resolve = lunette.Promise.withResolvers()
        local handle, pid = lunette.uv.spawn("sleep", { args = { "100" } }, function(_, number)
          resolve(number)
        end)
        return pid, signal, handle
      end
      local pid, signal = child()
      print(process.kill(pid, 0))
      process.kill(pid, "SIGKILL")
      print(signal:await())
      for _, wanted in ipairs { 15, false } do
        pid, signal = child()
        process.kill(pid, wanted or nil)
        print(signal:await())
      end
      print((pcall(process.kill, pid, 0)))
    ]])
  end)

  local WRONG = {
    ["process.chdir(5)"] = "bad argument #1 to 'process.chdir' (string expected, got number)",
    ["process.chdir('a\\0b')"] =
      "bad argument #1 to 'process.chdir' (string without zero bytes expected)",
    ["process.chdir('/there/is/nothing')"] =
      "process.chdir: ENOENT: no such file or directory: /there/is/nothing",
    ["process.kill('1')"] = "bad argument #1 to 'process.kill' (integer expected, got string)",
    ["process.kill(1 << 40)"] = "bad argument #1 to 'process.kill' (process id expected)",
    ["process.kill(1, {})"] =
      "bad argument #2 to 'process.kill' (string or integer or nil expected, got table)",
    ["process.kill(1, 'SIGNONE')"] =
      "bad argument #2 to 'process.kill' (signal expected, got SIGNONE)",
    ["process.kill(1, 1000)"] = "bad argument #2 to 'process.kill' (signal expected, got 1000)",
    ["process.kill(0x7ffffff0, 0)"] = "process.kill: ESRCH: no such process",
    ["process.env['a=b'] = 1"] =
      "process.env: a variable's name is a string without = and zero bytes",
    ["process.env[1] = 1"] = "process.env: a variable's name is a string without = and zero bytes",
    ["process.env.X = '\\0'"] = "process.env.X: a value without zero bytes expected",
  }
  for code, text in pairs(WRONG) do
    it("says what is wrong with " .. code, function()
      assert.equal("false\tmain.lua:3: " .. text .. "\n",
        output("print(pcall(function() " .. code .. " end))"))
    end)
  end

  it("emits exit with the status, however the app ends", function()
    local ENDS = {
      [""] = 0,
      ["lunette.setTimeout(function() end, 1)"] = 0,
      ["lunette.app.exit(3)"] = 3,
      ["lunette.app.quit()"] = 0,
      ["os.exit(4)"] = 4,
      ["process.kill(process.pid)"] = 0,
      ["lunette.setTimeout(function() error 'x' end)"] = 1,
      ["error 'x'"] = 1,
    }
    for code, status in pairs(ENDS) do
      local result = run("process.on('exit', function(...) print('exit', ...) end)\n" .. code)
      assert.same({ ("exit\t%d\n"):format(status), status }, { result.stdout, result.status }, code)
    end
  end)
end)

describe("os.exit in main", function()
  local STATUSES = {
    ["os.exit()"] = 0,
    ["os.exit(true)"] = 0,
    ["os.exit(false)"] = 1,
    ["os.exit(7)"] = 7,
    ["os.exit(0, true)"] = 0,
    ["lunette.sleep(1) os.exit(8)"] = 8,
    ["lunette.setTimeout(function() os.exit(9) end) lunette.sleep(10000)"] = 9,
    ["lunette.spawn(function() lunette.sleep(1) os.exit(10) end):await()"] = 10,
    ["coroutine.wrap(function() os.exit(11) end)()"] = 11,
    ["lunette.process.on('exit', function() os.exit(12) end) os.exit(13)"] = 13,
    ["lunette.setTimeout(error) lunette.sleep(5) os.exit()"] = 0,
  }
  for code, status in pairs(STATUSES) do
    it(("ends with %d by %s"):format(status, code), function()
      local result = run("io.write 'written' " .. code .. " print 'not reached'")
      assert.same({ "written", status }, { result.stdout, result.status })
    end)
  end
end)
