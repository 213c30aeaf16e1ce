--- `app`: the order of its events, quitting, instances.
local app = require "spec.support.app"

-- Prints the app's events and those of windows made by new(name).
local TRACE = [[
local lunette = require "lunette"
local app, BrowserWindow = lunette.app, lunette.BrowserWindow
for _, name in ipairs {
  "will-finish-launching", "ready", "window-all-closed", "before-quit", "will-quit", "quit",
} do
  if name ~= "window-all-closed" or not lunette.process.argv[2] then
    app.on(name, function(_, ...) print(name, ...) end)
  end
end
lunette.process.on("exit", function(code) print("exit " .. code) end)
local function new(name)
  local win = BrowserWindow.new()
  win:on("close", function() print(name .. " close") end)
  win:on("closed", function() print(name .. " closed") end)
  return win
end
]]

-- Runs main code behind TRACE; "keep" as an argument leaves window-all-closed without a listener.
local function trace(code, options)
  return app.run({ ["main.lua"] = TRACE .. code, ["page.lua"] = "" }, options)
end

local function lines(...)
  return table.concat({ ... }, "\n") .. "\n"
end

local DEFAULT = { args = { "without" } }

describe("the start of an app", function()
  it("resolves whenReady for everybody, whoever cancels what awaits it", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.spawn(function() lunette.app.whenReady():await() end):cancel()
        lunette.app.whenReady():await()
        print("ready", lunette.app.whenReady():pawait())
      ]],
    }
    assert.equal("ready\ttrue\n", result.stdout)
    assert.equal(0, result.status)
  end)

  it("emits will-finish-launching and ready once the main script has returned", function()
    local result = trace "print 'script' print(app.isReady())"
    assert.equal(
      lines("script", "false", "will-finish-launching", "ready", "quit\t0", "exit 0"),
      result.stdout
    )
    assert.equal(0, result.status)
  end)

  it("emits them when the script first suspends", function()
    local result = trace "print 'script' lunette.sleep(1) print(app.isReady())"
    assert.equal(
      lines("script", "will-finish-launching", "ready", "true", "quit\t0", "exit 0"),
      result.stdout
    )
  end)

  it("fulfils whenReady after ready, also when it is asked for later", function()
    local result = trace [[
      app.whenReady():andThen(function() print "fulfilled" end)
      lunette.sleep(1)
      print(app.whenReady():status(), app.whenReady():await())
    ]]
    assert.equal(
      lines(
        "will-finish-launching", "ready", "fulfilled", "fulfilled", "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("gives listeners an event first", function()
    local result = app.run {
      ["main.lua"] = [[
        local app = require("lunette").app
        app.on("ready", function(...) print(select("#", ...), type((...).preventDefault)) end)
      ]],
    }
    assert.equal("1\tfunction\n", result.stdout)
  end)
end)

describe("the end of an app", function()
  it("comes by itself when it opened no window and nothing is left to wait for", function()
    local result = trace "lunette.setTimeout(function() print 'timer' end, 1)"
    assert.equal(
      lines("will-finish-launching", "ready", "timer", "quit\t0", "exit 0"),
      result.stdout
    )
  end)

  it("does not come by itself while a window is open", function()
    local result = trace [[
      app.whenReady():await()
      local win = new "win"
      win:loadFile("page.lua"):await()
      lunette.sleep(20)
      print "still here"
      app.quit()
    ]]
    assert.equal(
      lines(
        "will-finish-launching", "ready", "still here", "before-quit", "win close", "win closed",
        "will-quit", "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("comes when the last window is closed and nobody listens", function()
    local result = trace([[
      app.whenReady():await()
      local a, b = new "a", new "b"
      a:close()
      print "one left"
      b:close()
    ]], DEFAULT)
    assert.equal(
      lines(
        "will-finish-launching", "ready", "a close", "a closed", "one left", "b close", "b closed",
        "before-quit", "will-quit", "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("is left to the listener of window-all-closed, who finds no window", function()
    local result = trace [[
      app.whenReady():await()
      app.on("window-all-closed", function()
        print(#BrowserWindow.getAllWindows())
        lunette.sleep(1)
        print "living on"
        app.quit()
      end)
      new("win"):close()
    ]]
    assert.equal(
      lines(
        "will-finish-launching", "ready", "win close", "win closed", "window-all-closed", "0",
        "living on", "before-quit", "will-quit", "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("by quit closes the windows in the order of their making, no window-all-closed", function()
    local result = trace [[
      app.whenReady():await()
      new "a" new "b"
      app.quit()
    ]]
    assert.equal(
      lines(
        "will-finish-launching", "ready", "before-quit", "a close", "a closed", "b close",
        "b closed", "will-quit", "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("is put off by preventDefault in before-quit: nothing closes", function()
    local result = trace [[
      app.whenReady():await()
      new "win"
      app.once("before-quit", function(event) event:preventDefault() end)
      app.quit()
      print "living on"
      app.quit()
    ]]
    assert.equal(
      lines(
        "will-finish-launching", "ready", "before-quit", "living on", "before-quit", "win close",
        "win closed", "will-quit", "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("is put off by preventDefault in close; what has closed stays closed", function()
    local result = trace [[
      app.whenReady():await()
      new "a"
      local b = new "b"
      b:once("close", function(event) event:preventDefault() end)
      new "c"
      app.quit()
      print(#BrowserWindow.getAllWindows(), b:isDestroyed())
      app.quit()
    ]]
    assert.equal(
      lines(
        "will-finish-launching", "ready", "before-quit", "a close", "a closed", "b close",
        "c close", "c closed", "1\tfalse", "before-quit", "b close", "b closed", "will-quit",
        "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("is put off by preventDefault in will-quit: the app lives on without windows", function()
    local result = trace [[
      app.whenReady():await()
      new "win"
      app.once("will-quit", function(event) event:preventDefault() end)
      app.quit()
      lunette.sleep(1)
      print(#BrowserWindow.getAllWindows())
      app.quit()
    ]]
    assert.equal(
      lines(
        "will-finish-launching", "ready", "before-quit", "win close", "win closed", "will-quit",
        "0", "before-quit", "will-quit", "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("is asked for once: quit while quitting does nothing", function()
    local result = trace [[
      for _, name in ipairs { "before-quit", "will-quit", "quit" } do app.on(name, app.quit) end
      app.quit()
      app.quit()
    ]]
    local text = "before%-quit.*\nwill%-quit.*\nquit"
    assert.matches(text, result.stdout)
    assert.equal(1, select(2, result.stdout:gsub("before%-quit", "")))
  end)

  it("comes at once by exit: windows are not asked, and the status is its code", function()
    local result = trace [[
      app.whenReady():await()
      local win = new "win"
      win:on("close", function(event) event:preventDefault() end)
      app.exit(7)
    ]]
    assert.equal(
      lines("will-finish-launching", "ready", "win closed", "quit\t7", "exit 7"),
      result.stdout
    )
    assert.equal(7, result.status)
  end)

  it("by exit is no way back: quit and a second exit do nothing", function()
    local result = trace [[
      app.on("quit", function() app.exit(3) app.quit() end)
      app.exit()
      app.exit(4)
    ]]
    assert.equal(0, result.status)
    assert.equal(lines("quit\t0", "exit 0"), result.stdout)
  end)

  for _, name in ipairs { "before-quit", "will-quit" } do
    it("comes at once by exit in " .. name, function()
      local result = trace(([[
        app.on(%q, function() app.exit(6) end)
        app.quit()
      ]]):format(name))
      local before = name == "will-quit" and "before-quit\nwill-quit\n" or "before-quit\n"
      assert.equal(before .. "quit\t6\nexit 6\n", result.stdout)
      assert.equal(6, result.status)
    end)
  end

  it("before ready keeps ready from coming", function()
    local result = trace "app.quit()"
    assert.equal(lines("before-quit", "will-quit", "quit\t0", "exit 0"), result.stdout)
  end)

  for code, status in pairs { ["3"] = 3, ["true"] = 0, ["false"] = 1, [""] = 0 } do
    it(("comes by os.exit(%s), after the events of an exit"):format(code), function()
      local result = trace([[
        app.whenReady():await()
        new "win"
        io.write "unflushed "
        os.exit(]] .. code .. ")")
      assert.equal(
        lines("will-finish-launching", "ready", "unflushed win closed", "quit\t" .. status,
          "exit " .. status),
        result.stdout
      )
      assert.equal(status, result.status)
    end)
  end

  it("comes when the page closes the only window", function()
    local result = app.run({
      ["main.lua"] = TRACE .. [[
        app.whenReady():await()
        new("win"):loadFile("page.lua")
      ]],
      ["page.lua"] = "print 'page' window.close()",
    }, DEFAULT)
    assert.equal(
      lines(
        "will-finish-launching", "ready", "page", "win close", "win closed", "before-quit",
        "will-quit", "quit\t0", "exit 0"
      ),
      result.stdout
    )
  end)

  it("can be had from inside any event of a window or a page", function()
    local names = { "did-start-loading", "dom-ready", "did-finish-load", "did-stop-loading" }
    for _, name in ipairs(names) do
      local result = app.run {
        ["main.lua"] = ([[
          local lunette = require "lunette"
          lunette.app.whenReady():await()
          local win = lunette.BrowserWindow.new()
          win.webContents:on(%q, function() lunette.app.exit(5) end)
          win:loadFile("page.lua")
        ]]):format(name),
        ["page.lua"] = "",
      }
      assert.same({ "", "", 5 }, { result.stdout, result.stderr, result.status })
    end
  end)
end)

describe("app's functions", function()
  -- What an app of these files prints for the expressions, a line each.
  local function values(files, ...)
    local code = { 'local lunette = require "lunette" local app = lunette.app' }
    for _, expression in ipairs { ... } do
      code[#code + 1] = ("print(%s)"):format(expression)
    end
    files["main.lua"] = table.concat(code, "\n")
    return app.run(files).stdout
  end

  it("tell name, version and main script of lunette.json", function()
    local result = app.run {
      ["lunette.json"] = '{"name": "Nice App", "version": "1.2.3", "main": "src/start.lua"}',
      ["src/start.lua"] = [[
        local app = require("lunette").app
        print(app.getName(), app.getVersion(), app.getAppPath():match("[^/]*$"))
      ]],
    }
    assert.matches("^Nice App\t1.2.3\tlunette%-spec%-%w+\n$", result.stdout)
  end)

  it("tell the folder's name and 0.0.0 without one", function()
    local name = "app.getName() == app.getAppPath():match('[^/]*$')"
    assert.equal("true\n0.0.0\n", values({}, name, "app.getVersion()"))
  end)

  it("give absolute paths by name", function()
    local output = values(
      { ["lunette.json"] = '{"name": "paths"}' },
      "app.getPath 'userData' == app.getPath 'appData' .. '/paths'",
      "app.getPath 'exe' == lunette.process.execPath",
      "app.getPath 'home':sub(1, 1)",
      "select(2, pcall(app.getPath, 'nothing'))",
      "select(2, pcall(function() app.getPath() end)):gsub('^.*/', '')"
    )
    assert.equal(
      lines(
        "true", "true", "/", "Failed to get 'nothing' path",
        "main.lua:6: bad argument #1 to 'app.getPath' (string expected, got nil)\t1"
      ),
      output
    )
  end)

  it("read and change the switches of the command line", function()
    local result = app.run({
      ["main.lua"] = [[
        local line = require("lunette").app.commandLine
        print(line.hasSwitch "a", line.getSwitchValue "b", line.hasSwitch "c")
        line.appendSwitch("c", 5)
        print(line.getSwitchValue "c")
      ]],
    }, { args = { "--a", "--b=2", "--", "--c" } })
    assert.equal("true\t2\tfalse\n5\n", result.stdout)
  end)

  for _, name in ipairs {
    "whenReady", "isReady", "quit", "exit", "relaunch", "getAppPath", "getName", "getVersion",
    "getPath", "requestSingleInstanceLock", "on",
  } do
    it("are called with a dot: " .. name, function()
      local output = values({}, ("select(2, pcall(function() app:%s('x') end))"):format(name))
      local text = "main.lua:2: app.NAME is called with a dot: "
        .. "write app.NAME(...), not app:NAME(...)"
      assert.equal(text:gsub("NAME", name) .. "\n", (output:gsub("^.*/", "")))
    end)
  end

  for expression, expected in pairs {
    ["app.exit('1')"] = "bad argument #1 to 'app.exit' (integer or nil expected, got string)",
    ["app.exit(1.5)"] = "bad argument #1 to 'app.exit' (integer or nil expected, got 1.5)",
    ["os.exit('1')"] = "bad argument #1 to 'os.exit' "
      .. "(integer or boolean or nil expected, got string)",
    ["app.relaunch { arg = {} }"] = "app.relaunch: unknown option 'arg' (did you mean 'args'?)",
    ['app.relaunch { args = { "a\\0b" } }'] = "app.relaunch: option 'args[1]' has a zero byte",
    ['app.relaunch { execPath = "a\\0b" }'] = "app.relaunch: option 'execPath' has a zero byte",
    ["app.relaunch { args = { 1 } }"] = "app.relaunch: option 'args[1]' must be a string, "
      .. "got number",
    ["app.requestSingleInstanceLock(print)"] = "app.requestSingleInstanceLock: could not clone "
      .. "argument 1: a function cannot be sent",
  } do
    it("raise at the caller: " .. expression, function()
      local output = values({}, ("select(2, pcall(function() %s end))"):format(expression))
      assert.equal("main.lua:2: " .. expected .. "\n", (output:gsub("^.*/", "")))
    end)
  end
end)

describe("relaunch", function()
  -- Each instance appends a line to the file `log`, and awaits its turn: the test reads them.
  local LOG = [[
    local lunette = require "lunette"
    local app, argv = lunette.app, lunette.process.argv
    local path = app.getAppPath() .. "/log"
    local function log(...)
      local file = assert(io.open(path, "a"))
      file:write(table.concat({ ... }, " "), "\n")
      file:close()
    end
  ]]

  local function read(path)
    local file = io.open(path)
    local text = file and file:read("a") or ""
    if file then file:close() end
    return text
  end

  -- Runs the code behind LOG until the log has `count` lines; returns them.
  local function run(code, count, ...)
    local dir = app.folder { ["main.lua"] = LOG .. code }
    local result = app.spawn(app.executable, { dir, ... }).wait()
    app.wait_until(function()
      return select(2, read(dir .. "/log"):gsub("\n", "")) >= count
    end, "the instances that were started")
    local text = read(dir .. "/log")
    app.remove(dir)
    return text, result
  end

  it("starts a new instance with the same arguments when this one has ended", function()
    local text = run([[
      if lunette.process.env.AGAIN then return log("second", argv[2], argv[3]) end
      lunette.process.env.AGAIN = "1"
      app.relaunch()
      log("first", argv[2], argv[3])
      app.quit()
    ]], 2, "a", "b c")
    assert.equal("first a b c\nsecond a b c\n", text)
  end)

  it("starts one with the arguments that are given", function()
    local text = run([[
      if argv[2] then return log("second", argv[2]) end
      app.relaunch { args = { app.getAppPath(), "again" } }
      app.exit()
    ]], 1)
    assert.equal("second again\n", text)
  end)

  it("starts as many as there were calls", function()
    local text = run([[
      if argv[2] then return log("second") end
      for _ = 1, 3 do app.relaunch { args = { app.getAppPath(), "again" } } end
      app.exit()
    ]], 3)
    assert.equal(("second\n"):rep(3), text)
  end)

  for _, how in ipairs { "app.quit()", "app.exit()", "os.exit()", "return" } do
    it("gives the single instance lock to the new one: " .. how, function()
      local text = run(([[
        local is_first = app.requestSingleInstanceLock()
        if lunette.process.env.AGAIN then return log("second", tostring(is_first)) end
        lunette.process.env.AGAIN = "1"
        log("first", tostring(is_first))
        app.relaunch()
        %s
      ]]):format(how), 2)
      assert.equal("first true\nsecond true\n", text)
    end)
  end

  it("finds the app again wherever this instance has gone", function()
    local text = run([[
      if lunette.process.env.AGAIN then return log("second") end
      lunette.process.env.AGAIN = "1"
      lunette.process.chdir "/"
      app.relaunch()
    ]], 1)
    assert.equal("second\n", text)
  end)

  it("works for a piece of code", function()
    local dir = app.folder {}
    local code = [[
      local lunette = require "lunette"
      io.open("log" .. (lunette.process.env.AGAIN or "1"), "w"):close()
      if not lunette.process.env.AGAIN then
        lunette.process.env.AGAIN = "2"
        lunette.app.relaunch()
      end
    ]]
    app.spawn(app.executable, { "-e", code }, { cwd = dir }).wait()
    app.wait_until(function() return io.open(dir .. "/log2") end, "the second instance")
    app.remove(dir)
  end)

  it("warns when the program is not there", function()
    local result = app.run {
      ["main.lua"] = 'require("lunette").app.relaunch { execPath = "/no/such/program" }',
    }
    assert.equal(
      "lunette: app.relaunch: /no/such/program: no such file or directory\n",
      result.stderr
    )
    assert.equal(0, result.status)
  end)
end)

describe("requestSingleInstanceLock", function()
  -- Starts an app that holds the lock and prints what later instances leave.
  local function holder(dir)
    local process = app.spawn(app.executable, { dir, "hold" })
    app.wait_until(function() return process.output():find "holding" end, "the lock")
    return process
  end

  local FILES = {
    ["main.lua"] = [[
      local lunette = require "lunette"
      local app, argv = lunette.app, lunette.process.argv
      local data = load("local lunette = ... return " .. (argv[3] or "nil"))(lunette)
      if not app.requestSingleInstanceLock(data) then return print "another is first" end
      if argv[2] ~= "hold" then return print "first" end
      app.on("second-instance", function(_, line, cwd, value)
        local text = type(value) == "table" and value.text or value
        print(line[2], cwd:match("[^/]*$"), type(value), text)
        io.stdout:flush()
        if line[2] == "last" then app.quit() end
      end)
      app.whenReady():await()
      lunette.BrowserWindow.new()
      print(app.requestSingleInstanceLock(), "holding")
      io.stdout:flush()
    ]],
  }

  it("is true for the first, which hears of the others; false for these", function()
    local dir = app.folder(FILES)
    local first = holder(dir)
    local function later(...)
      return app.spawn(app.executable, { dir, ... }, { cwd = "/tmp" }).wait()
    end
    assert.equal("another is first\n", later("one").stdout)
    assert.equal("another is first\n", later("two", "{ text = 'x', [1] = 2 }").stdout)
    assert.equal(0, later("last", "1 << 60").status)
    local result = first.wait()
    app.remove(dir)
    assert.equal(
      "true\tholding\none\ttmp\tnil\tnil\ntwo\ttmp\ttable\tx\n"
        .. "last\ttmp\tnumber\t1152921504606846976\n",
      result.stdout
    )
    assert.equal("", result.stderr)
  end)

  it("is free again when its holder has ended, however that happened", function()
    local dir = app.folder(FILES)
    local first = holder(dir)
    first.kill "sigkill"
    first.wait()
    assert.equal("first\n", app.spawn(app.executable, { dir }).wait().stdout)
    app.remove(dir)
  end)

  it("is one per app: another folder has its own", function()
    local dir, other = app.folder(FILES), app.folder(FILES)
    local first = holder(dir)
    assert.equal("first\n", app.spawn(app.executable, { other }).wait().stdout)
    first.kill()
    first.wait()
    app.remove(dir)
    app.remove(other)
  end)

  it("delivers to the first, after its ready, what came before", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        local app = lunette.app
        if lunette.process.argv[2] then
          app.requestSingleInstanceLock("early")
          return
        end
        app.requestSingleInstanceLock()
        app.on("ready", function() print "ready" end)
        app.on("second-instance", function(_, _, _, data)
          print(data, app.isReady())
          app.quit()
        end)
        local uv = lunette.uv
        uv.spawn(lunette.process.execPath, { args = { app.getAppPath(), "later" } })
      ]],
    }
    assert.equal("ready\nearly\ttrue\n", result.stdout)
  end)

  it("drops data of more than 32 MiB, with a warning", function()
    local dir = app.folder(FILES)
    local first = holder(dir)
    local later = app.spawn(app.executable, { dir, "last", "('x'):rep(33 << 20)" }).wait()
    local result = first.wait()
    app.remove(dir)
    assert.equal("another is first\n", later.stdout)
    assert.equal(
      "lunette: app.requestSingleInstanceLock: the data is larger than 32 MiB and is dropped\n",
      later.stderr
    )
    assert.matches("\nlast\t[^\t]*\tnil\tnil\n$", result.stdout)
  end)
end)

describe("app's events of others", function()
  it("tell of a renderer that has gone, after its web contents did", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        local app = lunette.app
        app.whenReady():await()
        local win = lunette.BrowserWindow.new()
        win.webContents:on("render-process-gone", function() print "web contents" end)
        app.on("render-process-gone", function(_, contents, details)
          print(contents == win.webContents, details.reason)
          app.quit()
        end)
        win:loadFile("page.lua"):await()
        win.webContents:forcefullyCrashRenderer()
      ]],
      ["page.lua"] = "",
    }
    assert.equal("web contents\ntrue\tkilled\n", result.stdout)
  end)
end)
