--- The language side of `sandbox = true`, and what its absence gives.
local app = require "spec.support.app"
local page = require "spec.support.page"

local OPEN = { preferences = "sandbox = false" }

describe("a sandboxed page", function()
  it("has these globals and no others", function()
    local output = page.output [[
      local names = {}
      for name in pairs(_G) do names[#names + 1] = name end
      table.sort(names)
      print(table.concat(names, " "))
    ]]
    assert.equal(
      "_G _VERSION assert collectgarbage console coroutine debug error getmetatable ipairs load "
        .. "math next os package pairs pcall print rawequal rawget rawlen rawset require select "
        .. "setmetatable string table tonumber tostring type utf8 warn window xpcall\n",
      output
    )
  end)

  it("has of os and debug only what reads nothing outside of it", function()
    local output = page.output [[
      for _, library in ipairs { os, debug, package } do
        local names = {}
        for name in pairs(library) do names[#names + 1] = name end
        table.sort(names)
        print(table.concat(names, " "))
      end
    ]]
    assert.equal("clock date difftime time\ntraceback\nconfig loaded preload searchers\n", output)
  end)

  it("finds nothing more in package.loaded", function()
    local output = page.output [[
      local names = {}
      for name, value in pairs(package.loaded) do
        names[#names + 1] = name
        assert(rawequal(value, _G[name]))
      end
      table.sort(names)
      print(table.concat(names, " "))
    ]]
    assert.equal("_G coroutine debug math os package string table utf8\n", output)
  end)

  it("has string methods that are those of its own string table", function()
    local output = page.output [[
      function string.shout(text) return text:upper() .. "!" end
      print(("hello"):shout(), getmetatable("").__index == string, ("").dump)
    ]]
    assert.equal("HELLO!\ttrue\tnil\n", output)
  end)

  it("has a window with the same functions whatever metatable it gives that", function()
    local output = page.output [[
      setmetatable(window, { __index = _G })
      print(window.print == print)
      window.alert "still here"
    ]]
    assert.equal("true\n[alert] still here\n", output)
  end)

  it("loads text, but no bytecode, in whatever way it is given", function()
    local output = page.output [[
      local bytecode = "\27Lua\x54\0\x19\x93\r\n\x1a\n"
      print(load("return 1 + 1")())
      print(load(bytecode))
      print(load(bytecode, "=x", "b"))
      local given
      print(load(function()
        if not given then given = true return bytecode end
      end, "=x", "bt"))
    ]]
    assert.equal(
      "2\n"
        .. "nil\tattempt to load a binary chunk (mode is 't')\n"
        .. "nil\tattempt to load a binary chunk (mode is 't')\n"
        .. "nil\tattempt to load a binary chunk (mode is 't')\n",
      output
    )
  end)

  it("loads code with its own globals, or with the table that it gives", function()
    local output = page.output [[
      x = 5
      print(load("return x, _ENV == _G")())
      print(load("return x", "=x", "t", { x = 6 })())
      print(pcall(load("return x", "=x", "t", nil)))
    ]]
    assert.equal(
      "5\ttrue\n6\nfalse\tx:1: attempt to index a nil value (upvalue '_ENV')\n",
      output
    )
  end)

  it("has no lunette.uv, and no power over processes", function()
    local output = page.output [[
      local lunette = require "lunette"
      local process = lunette.process
      print(lunette.uv, process.cwd, process.chdir, process.env, process.kill, process.sandboxed)
    ]]
    assert.equal("nil\tnil\tnil\tnil\tnil\ttrue\n", output)
  end)

  it("requires the app's own Lua files, and folders with init.lua", function()
    local output = page.output('print(require("lib.one").name, (require "two"))', {
      files = {
        ["lib/one.lua"] = "return { name = ... }",
        ["two/init.lua"] = "return select(2, ...):match('[^/]+/[^/]+$')",
      },
    })
    assert.equal("lib.one\ttwo/init.lua\n", output)
  end)

  it("gives a module its own globals, sandboxed too", function()
    local output = page.output('x = 7 print((require "module"))', {
      files = { ["module.lua"] = "return _ENV == _G and io == nil and x" },
    })
    assert.equal("7\n", output)
  end)

  it("is told what was looked for when there is no such module", function()
    local output = page.output [[
      local ok, err = pcall(require, "nothing.here")
      print((err:gsub("'/[^']*/nothing", "'APP/nothing")))
    ]]
    assert.equal(
      "module 'nothing.here' not found:\n"
        .. "\tno field package.preload['nothing.here']\n"
        .. "\tno file 'APP/nothing/here.lua'\n"
        .. "\tno file 'APP/nothing/here/init.lua'\n",
      output
    )
  end)

  local outside = { "..secret", "../secret", "/etc/passwd", ".etc.passwd", "a/b", "lpeg", "" }
  for _, name in ipairs(outside) do
    it(("cannot require %q"):format(name), function()
      local output = page.output(("print(pcall(require, %q))"):format(name))
      assert.matches("^false\tmodule '.-' not found:", output)
    end)
  end

  it("cannot require a file through a symbolic link out of the app's folder", function()
    local other = app.folder { ["secret.lua"] = "return 'secret'" }
    local dir = app.folder {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        lunette.BrowserWindow.new():loadFile("page.lua")
      ]],
      ["page.lua"] = [[
        print((pcall(require, "link")), (pcall(require, "folder.secret")))
        window.close()
      ]],
    }
    local uv = require("lunette").uv
    assert(uv.fs_symlink(other .. "/secret.lua", dir .. "/link.lua"))
    assert(uv.fs_symlink(other, dir .. "/folder"))
    local result = app.spawn(app.executable, { dir }).wait()
    app.remove(other)
    app.remove(dir)
    assert.equal("false\tfalse\n", result.stdout)
  end)

  it("reports a module that does not compile, and one that raises", function()
    local output = page.output([[
      print(pcall(require, "bad"))
      print(pcall(require, "raises"))
    ]], { files = { ["bad.lua"] = "return (", ["raises.lua"] = "error 'oh'" } })
    output = output:gsub("/[%w/._-]+/", "APP/")
    assert.equal(
      "false\terror loading module 'bad' from file 'APP/bad.lua':\n"
        .. "\tAPP/bad.lua:1: unexpected symbol near <eof>\n"
        .. "false\tAPP/raises.lua:1: oh\n",
      output
    )
  end)

  it("can bend its own require without reaching anything else", function()
    local output = page.output [[
      package.loaded.lunette = "mine"
      print(require "lunette")
      package.loaded.lunette = nil
      package.preload.lunette = nil
      print((pcall(require, "lunette")))
      package.searchers = { function(name) return function() return "found " .. name end end }
      print((require "io"), (require "core.os"))
    ]]
    assert.equal("mine\nfalse\nfound io\tfound core.os\n", output)
  end)

  it("does not find the runtime's modules", function()
    local output = page.output [[
      for _, name in ipairs { "core.os", "core.link", "common.process", "renderer.boot", "io" } do
        print((pcall(require, name)))
      end
    ]]
    assert.equal(("false\n"):rep(5), output)
  end)

  it("cannot see the runtime's calls by replacing what they call", function()
    local output = page.output [[
      local seen = 0
      local function spy() seen = seen + 1 end
      local own = { "assert", "collectgarbage", "error", "getmetatable", "ipairs", "next", "pairs",
        "pcall", "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring",
        "type", "xpcall", "require", "load" }
      local lunette, say, every = require "lunette", print, next
      for _, name in ipairs(own) do
        _G[name] = function(...) spy() end
      end
      for _, library in every, { table, coroutine, math, debug, utf8, os } do
        for name in every, library do library[name] = spy end
      end
      local promise = lunette.Promise.resolve(1, 2)
      local resolved = promise:andThen(function(a, b) return a + b end):await()
      local text = lunette.json.encode { 1, { a = "b" } }
      lunette.spawn(function() lunette.sleep(1) end):await()
      lunette.ipcRenderer.send("channel", { 1, 2, 3 })
      say(seen, resolved, text)
    ]]
    assert.equal('0\t3\t[1,{"a":"b"}]\n', output)
  end)

  it("harms only itself by replacing string methods", function()
    local output = page.output [[
      local say = print
      for name in pairs(string) do string[name] = function() return nil end end
      require("lunette").ipcRenderer.send("x", 1)
      say("still here")
    ]]
    assert.equal("still here\n", output)
  end)

  it("finds no way out through the main coroutine that a finaliser sees", function()
    local output = page.output [[
      local lunette = require "lunette"
      local main
      local function arm()
        setmetatable({}, { __gc = function()
          local co, is_main = coroutine.running()
          if is_main then main = co else arm() end
        end })
      end
      arm()
      repeat
        local promise = lunette.Promise.resolve(1, 2, 3)
        for _ = 1, 200 do promise = promise:andThen() end
        lunette.sleep(0)
      until main
      for _, wait in ipairs {
        function() lunette.sleep(0) end,
        function() lunette.Promise.resolve(1):andThen():await() end,
      } do
        wait()
        assert(not coroutine.resume(main, print, "out"))
        pcall(coroutine.close, main)
        assert(not coroutine.resume(main, print, "out"))
      end
      lunette.setTimeout(function()
        assert(not coroutine.resume(main, print, "out"))
        pcall(coroutine.close, main)
      end, 0)
      lunette.sleep(1)
      print "alive"
    ]]
    assert.equal("alive\n", output)
  end)

  it("finds nothing of the runtime in a promise", function()
    local output = page.output [[
      local lunette = require "lunette"
      local Promise = lunette.Promise
      local promise, resolve = Promise.withResolvers()
      local done = lunette.spawn(function() promise:await() end)
      for _, key in ipairs { 1, 2, "timer", "task", "traceback", "n" } do
        assert(promise[key] == nil and Promise.delay(0)[key] == nil)
        assert(not pcall(function() promise[key] = 1 end))
      end
      assert(not pcall(next, promise) and not pcall(rawset, promise, 1, 1))
      assert(not pcall(Promise.await, setmetatable({}, Promise)))
      resolve()
      done:await()
      print "alive"
    ]]
    assert.equal("alive\n", output)
  end)

  it("survives error objects that fail when they are shown", function()
    local result = page.run [[
      local lunette = require "lunette"
      local evil = setmetatable({}, {
        __tostring = function() error "no" end,
        __index = function() error "no" end,
        __name = setmetatable({}, { __tostring = error }),
      })
      lunette.spawn(function() error(evil) end)
      lunette.setTimeout(function() error(evil) end, 0)
      lunette.sleep(1)
    ]]
    assert.equal(0, result.status)
    local _, count = result.stderr:gsub("an error whose tostring failed", "")
    assert.equal(2, count)
  end)

  it("may use finalisers that call the runtime, also at the very end", function()
    -- Only on a thread there is more than the end of a process.
    local result = page.run([[
      local lunette = require "lunette"
      keep = setmetatable({}, { __gc = function()
        lunette.ipcRenderer.send("late")
        lunette.spawn(function() lunette.sleep(1) end)
        pcall(lunette.ipcRenderer.sendSync, "late")
        setmetatable({}, getmetatable(keep))
      end })
      print "done"
    ]], { preferences = 'isolation = "thread"' })
    assert.same({ "done\n", "", 0 }, { result.stdout, result.stderr, result.status })
  end)

  it("has the preload under the same rules", function()
    local result = page.run("print(api.missing)", {
      preferences = 'preload = "preload.lua"',
      files = {
        ["preload.lua"] = [[
          local names = {}
          for _, name in ipairs { "io", "dofile", "loadfile" } do
            if _G[name] then names[#names + 1] = name end
          end
          if os.execute or debug.getregistry or string.dump then names[#names + 1] = "more" end
          local api = { missing = table.concat(names) }
          require("lunette").contextBridge.exposeInMainWorld("api", api)
        ]],
      },
    })
    assert.equal("\n", result.stdout)
  end)

  it("runs a preload and a page only from text", function()
    local bytecode = string.dump(function() print "bytecode ran" end)
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        local win = lunette.BrowserWindow.new { webPreferences = { preload = "preload.lua" } }
        win.webContents:on("preload-error", function(_, _, err) print(err) end)
        win.webContents:on("did-fail-load", function(_, code, text)
          print(code, text)
          win:close()
        end)
        win:loadFile("page.lua")
      ]],
      ["preload.lua"] = bytecode,
      ["page.lua"] = bytecode,
    }
    local refused = "attempt to load a binary chunk %(mode is 't'%)"
    assert.matches(refused .. "\n%-2\t" .. refused .. "\n$", result.stdout)
  end)
end)

describe("a page without a sandbox", function()
  it("has all of Lua, and uv", function()
    local output = page.output([[
      local lunette = require "lunette"
      print(io.type(io.stdout), type(os.execute), type(debug.getinfo), type(string.dump))
      print(type(lunette.uv.fs_stat), lunette.uv.fs_stat("/").type, lunette.process.sandboxed)
    ]], OPEN)
    assert.equal("file\tfunction\tfunction\tfunction\nfunction\tdirectory\tfalse\n", output)
  end)

  it("is also what nodeIntegration = true gives", function()
    local output = page.output("print(io ~= nil)", { preferences = "nodeIntegration = true" })
    assert.equal("true\n", output)
  end)

  it("loads C modules, as main does", function()
    local result = page.run("print(require('lpeg').match(require('lpeg').P 'ab', 'abc'))", {
      preferences = "sandbox = false",
      files = {
        ["main.lua"] = [[
          local lunette = require "lunette"
          print(require("lfs").attributes("/", "mode"))
          lunette.app.whenReady():await()
          lunette.BrowserWindow.new({ webPreferences = { sandbox = false } }):loadFile("page.lua")
        ]],
      },
    })
    assert.equal("directory\n3\n", result.stdout)
  end)

  it("requires the app's files first, and those of package.path", function()
    local output = page.output("print((require 'say'), type(require 'cliargs'))", {
      preferences = "sandbox = false",
      files = { ["say.lua"] = "return 'the app is first'" },
    })
    assert.equal("the app is first\ttable\n", output)
  end)

  it("ends its renderer by os.exit, after what it printed", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        local win = lunette.BrowserWindow.new { webPreferences = { sandbox = false } }
        win.webContents:on("render-process-gone", function(_, details)
          print(details.reason, details.exitCode)
          win:destroy()
        end)
        win:loadFile("page.lua")
      ]],
      ["page.lua"] = "print 'last words' os.exit(3)",
    }
    assert.equal("last words\nabnormal-exit\t3\n", result.stdout)
  end)

  it("ends by os.exit also when it is isolated", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        local win = lunette.BrowserWindow.new {
          webPreferences = { sandbox = false, contextIsolation = true },
        }
        win.webContents:on("render-process-gone", function(_, details)
          print(details.reason, details.exitCode)
          win:destroy()
        end)
        win:loadFile("page.lua")
      ]],
      ["page.lua"] = "print 'last words' os.exit(4)",
    }
    assert.equal("last words\nabnormal-exit\t4\n", result.stdout)
  end)
end)
