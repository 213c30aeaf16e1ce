--- No process outlives its app, signals end it in order, and finalisers may run at any moment.
local app = require "spec.support.app"
local lunette = require "lunette"
local processes = require "spec.support.processes"
local uv, setInterval, clearInterval = lunette.uv, lunette.setInterval, lunette.clearInterval

local gone_within, marked = processes.gone_within, processes.marked

-- Starts an app of these files; it and all that it starts carry the mark `process.mark`.
local function start(files, args, path)
  local mark = processes.new_mark()
  local dir = app.folder(files)
  local line = path and { app.executable, dir } or { dir }
  table.move(args or {}, 1, #(args or {}), #line + 1, line)
  local process = app.spawn(path or app.executable, line, { env = processes.environment(mark) })
  process.mark, process.dir = mark, dir
  processes.adopt(mark, process.pid)
  return process
end

local function wait_for_output(process, text)
  app.wait_until(function()
    return process.output():find(text, 1, true)
  end, text)
end

local MAIN = [[
  local lunette = require "lunette"
  local app, BrowserWindow = lunette.app, lunette.BrowserWindow
  local function say(text) print(text) io.stdout:flush() end
  local function open(preferences)
    app.whenReady():await()
    local win = BrowserWindow.new { webPreferences = preferences }
    win:loadFile("page.lua")
    return win
  end
  lunette.ipcMain.on("say", function(_, text) say(text) end)
]]

local HUNG = "require('lunette').ipcRenderer.send('say', 'now') require('lunette').sleep(0) "
  .. "while true do end"

describe("when main is killed, no process is left after a second:", function()
  -- Main code and page code; main or the page prints "now" at the moment. `count`: how many
  -- processes there are then at least.
  local moments = {
    ["while it boots"] = { "open()", at_once = true },
    ["while its script runs"] = { "say 'now' while true do end" },
    ["while it starts renderers"] = {
      "for i = 1, 1000 do open() if i == 5 then say 'now' end lunette.sleep(0) end",
    },
    ["while it loads a page"] = {
      "open().webContents:on('did-start-loading', function() say 'now' end)",
    },
    ["with fifty windows"] = {
      [[local list = {}
      app.whenReady():await()
      for i = 1, 50 do list[i] = BrowserWindow.new():loadFile "page.lua" end
      for i = 1, 50 do list[i]:await() end
      say 'now']],
      count = 51,
    },
    ["in the middle of an invoke"] = {
      "lunette.ipcMain.handle('x', function() say 'now' lunette.sleep(1e6) end) open()",
      "require('lunette').ipcRenderer.invoke('x'):await()",
    },
    ["in the middle of a sendSync"] = {
      "lunette.ipcMain.on('x', function() say 'now' lunette.sleep(1e6) end) open()",
      "require('lunette').ipcRenderer.sendSync('x')",
    },
    ["with a page in an endless loop"] = { "open()", HUNG, count = 2 },
    ["with a page in an endless loop, without a sandbox"] = { "open { sandbox = false }", HUNG },
    ["with a page that floods it"] = {
      "lunette.ipcMain.once('flood', function() say 'now' end) open()",
      [[local lunette = require "lunette"
      while true do
        if not lunette.ipcRenderer.send("flood", ("x"):rep(10000)) then
          lunette.ipcRenderer.drained():await()
        end
      end]],
    },
    ["while it quits"] = {
      "app.on('before-quit', function() say 'now' while true do end end) open() app.quit()",
    },
    ["with pages that never end their preload"] = {
      "open { preload = 'page.lua' }",
      HUNG,
    },
  }

  for what, moment in pairs(moments) do
    for _, flag in ipairs { "", "--no-zygote" } do
      app.it_in_process(what .. (flag == "" and "" or ", each started by itself"), function()
        local files = { ["main.lua"] = MAIN .. moment[1], ["page.lua"] = moment[2] or "" }
        local process = start(files, { flag })
        if not moment.at_once then wait_for_output(process, "now") end
        assert.is_true(#marked(process.mark) >= (moment.count or 0))
        process.kill "sigkill"
        gone_within(process.mark, 1000)
        assert.equal(9, process.wait().signal)
        app.remove(process.dir)
      end)
    end
  end
end)

describe("an app that ends", function()
  it("leaves no process either", function()
    local process = start {
      ["main.lua"] = MAIN .. [[
        for _ = 1, 10 do open() end
        lunette.sleep(1)
        app.quit()
      ]],
      ["page.lua"] = "",
    }
    assert.equal(0, process.wait().status)
    gone_within(process.mark, 1000)
    app.remove(process.dir)
  end)

  for what, preferences in pairs { sandboxed = "", ["not sandboxed"] = "{ sandbox = false }" } do
    it("is not delayed by more than a second by a hung page that is " .. what, function()
      local process = start {
        ["main.lua"] = MAIN .. ("lunette.ipcMain.on('say', app.quit) open(%s)"):format(preferences),
        ["page.lua"] = HUNG,
      }
      wait_for_output(process, "now")
      local from = uv.hrtime()
      local result = process.wait()
      assert.is_true((uv.hrtime() - from) / 1e6 < 1000 * app.PATIENCE)
      assert.same({ "now\n", "", 0 }, { result.stdout, result.stderr, result.status })
      gone_within(process.mark, 1000)
      app.remove(process.dir)
    end)
  end

  it("by an error in its script leaves none", function()
    local process = start { ["main.lua"] = MAIN .. "open() error 'oh'", ["page.lua"] = HUNG }
    assert.equal(1, process.wait().status)
    gone_within(process.mark, 1000)
    app.remove(process.dir)
  end)

  it("with handles of luv open ends in order", function()
    local result = app.run { ["main.lua"] = [[
      local uv = require("lunette").uv
      local handles = { uv.new_timer(), uv.new_pipe(), uv.new_tcp(), uv.new_async(print) }
      handles[#handles + 1] = uv.spawn("sleep", { args = { "0" } }, print)
      handles[1]:start(1e6, 0, print)
      error "enough"
    ]] }
    assert.equal(1, result.status)
    assert.matches("main.lua:5: enough", result.stderr, 1, true)
  end)

  it("by os.exit leaves none", function()
    local process = start {
      ["main.lua"] = MAIN .. "lunette.ipcMain.on('say', function() os.exit(3) end) open()",
      ["page.lua"] = HUNG,
    }
    assert.equal(3, process.wait().status)
    gone_within(process.mark, 1000)
    app.remove(process.dir)
  end)
end)

describe("a signal", function()
  local EVENTS = MAIN .. [[
    for _, name in ipairs { "before-quit", "will-quit", "quit" } do
      app.on(name, function(_, ...) say(name) end)
    end
    local win = open()
    win:on("close", function() say "close" end)
    win:on("closed", function() say "closed" end)
    win.webContents:on("render-process-gone", function(_, details) say(details.reason) end)
  ]]
  local IN_ORDER = "now\nbefore-quit\nclose\nclosed\nwill-quit\nquit\n"
  local FILES = {
    ["main.lua"] = EVENTS,
    ["page.lua"] = "require('lunette').ipcRenderer.send('say', 'now')",
  }

  for _, signal in ipairs { "sigint", "sigterm" } do
    it(("quits in order: %s"):format(signal), function()
      local process = start(FILES)
      wait_for_output(process, "now")
      process.kill(signal)
      local result = process.wait()
      assert.same({ IN_ORDER, "", 0 }, { result.stdout, result.stderr, result.status })
      gone_within(process.mark, 1000)
      app.remove(process.dir)
    end)
  end

  for _, case in ipairs { { "sigint", 2 }, { "sigterm", 15 } } do
    local signal, number = table.unpack(case)
    it(("ends main when it comes again while a script is in an endless loop: %s"):format(signal),
      function()
        local process = start {
          ["main.lua"] = MAIN .. [[
            lunette.ipcMain.on("say", function(_, text)
              say(text)
              while true do end
            end)
            open()
          ]],
          ["page.lua"] = HUNG,
        }
        wait_for_output(process, "now")
        local again = setInterval(function() process.kill(signal) end, 20)
        local result = process.wait()
        clearInterval(again)
        assert.equal(number, result.signal)
        gone_within(process.mark, 1000)
        app.remove(process.dir)
      end)
  end

  it("of the terminal's Ctrl-C, which all its processes get, quits in order too", function()
    local process = start(FILES, nil, "/usr/bin/setsid")
    wait_for_output(process, "now")
    uv.kill(-process.pid, "sigint")
    local result = process.wait()
    assert.same({ IN_ORDER, "", 0 }, { result.stdout, result.stderr, result.status })
    app.remove(process.dir)
  end)

  it("can be refused like any quit", function()
    local process = start {
      ["main.lua"] = MAIN .. [[
        app.once("before-quit", function(event)
          event:preventDefault()
          say "refused"
        end)
        app.whenReady():await()
        BrowserWindow.new()
        say "now"
      ]],
    }
    wait_for_output(process, "now")
    process.kill "sigterm"
    wait_for_output(process, "refused")
    process.kill "sigterm"
    assert.equal(0, process.wait().status)
    app.remove(process.dir)
  end)

  app.it_in_process("ends a renderer that gets it, and main tells why", function()
    local process = start {
      ["main.lua"] = MAIN .. [[
        local win = open()
        win.webContents:on("render-process-gone", function(_, details)
          say(details.reason .. " " .. details.exitCode)
          app.quit()
        end)
        lunette.ipcMain.on("ready", function()
          lunette.process.kill(win.webContents:getOSProcessId(), "SIGTERM")
        end)
      ]],
      ["page.lua"] = "require('lunette').ipcRenderer.send('ready')",
    }
    assert.equal("killed 15\n", process.wait().stdout)
    app.remove(process.dir)
  end)
end)

describe("a parent that ignores SIGCHLD", function()
  local function run(code, page)
    local dir = app.folder { ["main.lua"] = MAIN .. code, ["page.lua"] = page }
    local line = 'trap "" CHLD; exec "$0" "$@"'
    local result = app.spawn("/bin/sh", { "-c", line, app.executable, dir }).wait()
    app.remove(dir)
    return result
  end

  it("has an app that runs and ends as any other", function()
    local result = run("open()", "require('lunette').ipcRenderer.send('say', 'hi') window.close()")
    assert.same({ "hi\n", "", 0 }, { result.stdout, result.stderr, result.status })
  end)

  app.it_in_process("has an app that hears how each renderer ends", function()
    local result = run([[
      local lunette = require "lunette"
      local function die(code)
        local win = open { sandbox = false }
        win.webContents:on("did-finish-load", function(event)
          event.sender:executeLua(code):catch(function() end)
        end)
        local _, details = lunette.Promise.new(function(resolve)
          win.webContents:on("render-process-gone", resolve)
        end):await()
        say(details.reason .. " " .. details.exitCode)
      end
      die "os.exit(0)"
      die "os.exit(3)"
      die "local p = require('lunette').process p.kill(p.pid, 'SIGKILL')"
      die "local p = require('lunette').process p.kill(p.pid, 'SIGTERM')"
      app.quit()
    ]], "")
    local expected = "clean-exit 0\nabnormal-exit 3\nkilled 9\nkilled 15\n"
    assert.same({ expected, "", 0 }, { result.stdout, result.stderr, result.status })
  end)
end)

describe("a finaliser", function()
  local BIG = [[
    local t = {}
    for i = 1, 2000 do t[i] = { i, tostring(i), { ('x'):rep(i % 50) } } end
  ]]

  it("in main may destroy a window whose message is being read", function()
    local result = app.run {
      ["main.lua"] = MAIN .. [[
        local win, count = open(), 0
        local function again()
          setmetatable({}, { __gc = function()
            count = count + 1
            if count > 200 and not win:isDestroyed() then win:destroy() end
            again()
          end })
        end
        for _ = 1, 20 do again() end
        lunette.ipcMain.on("big", function() end)
      ]],
      ["page.lua"] = BIG .. "for i = 1, 200 do require('lunette').ipcRenderer.send('big', t) end",
    }
    assert.same({ "", 0 }, { result.stderr, result.status })
  end)

  it("in a page cannot wait for main while a message is read, and is told so", function()
    local result = app.run {
      ["main.lua"] = MAIN .. BIG .. [[
        local win = open()
        lunette.ipcMain.on("sync", function(event) event.returnValue = ("q"):rep(200000) end)
        lunette.ipcMain.on("done", function() win:close() end)
        for i = 1, 60 do win.webContents:send("big", t, i) end
      ]],
      ["page.lua"] = [[
        local ipcRenderer = require("lunette").ipcRenderer
        local waits, refused = 0, 0
        local function again()
          setmetatable({}, { __gc = function()
            local ok, err = pcall(ipcRenderer.sendSync, "sync")
            if ok then waits = waits + 1
            elseif err:find "a finaliser cannot wait while a message is being read$" then
              refused = refused + 1
            else print(err) end
            again()
          end })
        end
        for _ = 1, 20 do again() end
        ipcRenderer.on("big", function(_, t, number)
          for i = 1, 2000 do
            assert(t[i][1] == i and t[i][2] == tostring(i) and #t[i][3][1] == i % 50)
          end
          if number < 60 then return end
          print(refused > 0)
          ipcRenderer.send("done")
        end)
      ]],
    }
    assert.same({ "true\n", "", 0 }, { result.stdout, result.stderr, result.status })
  end)

  -- The collector runs as often as it can: at each step on a message's way, as each time another
  -- amount of garbage precedes it. An answer that was taken is seen in the second round of amounts
  -- at the latest; each question has main and the page wait for one another.
  it("in a page that wait for main never get the answer to another question", function()
    for _, codec in ipairs { "clone", "json" } do
      local result = app.run {
        ["main.lua"] = [[
          local lunette = require "lunette"
          local ipcMain = lunette.ipcMain
          lunette.app.whenReady():await()
          ipcMain.on("sync", function(event, n) event.returnValue = n end)
          ipcMain.handle("next", function(_, n) return n, n + 1, { { {} }, { {} } } end)
          ipcMain.on("done", function() lunette.app.quit() end)
          local preferences = { codec = "]] .. codec .. [[" }
          lunette.BrowserWindow.new({ webPreferences = preferences }):loadFile "page.lua"
        ]],
        ["page.lua"] = [[
          local ipc = require("lunette").ipcRenderer
          collectgarbage("generational", 1, 100)
          local asked, refused, busy = 0, 0, false
          local function arm()
            setmetatable({}, { __gc = function()
              arm()
              if busy then return end
              busy, asked = true, asked - 1
              local ok, value = pcall(ipc.sendSync, "sync", asked)
              if not ok then refused = refused + 1 else assert(value == asked) end
              busy = false
            end })
          end
          arm()
          for i = 1, 8 * 127 do
            local garbage = ("x"):rep(50 + i % 127 * 8)
            local a, b = ipc.invoke("next", i):await()
            assert(a == i and b == i + 1 and #garbage > 0)
          end
          print(asked < 0, refused > 0)
          ipc.send "done"
        ]],
      }
      assert.same({ "true\ttrue\n", "", 0 }, { result.stdout, result.stderr, result.status })
    end
  end)

  it("in main may destroy a window at any step of a message or a question", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        local BrowserWindow, ipcMain = lunette.BrowserWindow, lunette.ipcMain
        lunette.app.whenReady():await()
        lunette.app.on("window-all-closed", function() end)
        ipcMain.on("flood", function() end)
        collectgarbage("generational", 1, 100)
        local function round(codec, ask)
          local win = BrowserWindow.new { webPreferences = { codec = codec } }
          win:loadFile("page.lua"):await()
          local contents, promises = win.webContents, {}
          local function arm()
            setmetatable({}, { __gc = function()
              if #promises < 20 then arm() else win:destroy() end
            end })
          end
          arm()
          while not win:isDestroyed() do
            if #promises % 50 == 0 then
              lunette.sleep(0)
              if win:isDestroyed() then break end
            end
            local text = ("y"):rep(#promises * 7 % 900)
            local ok, promise = pcall(contents.invoke, contents, ask, text)
            if ok then promises[#promises + 1] = promise:catch(function() end) end
          end
          for _, promise in ipairs(promises) do promise:pawait() end
        end
        for i = 1, 10 do
          round(i % 2 == 0 and "json" or "clone", "echo")
        end
        print "done"
        lunette.app.quit()
      ]],
      ["page.lua"] = [[
        local ipc = require("lunette").ipcRenderer
        ipc.handle("echo", function(_, text)
          ipc.send("flood", text)
          return text, 1
        end)
      ]],
    }
    assert.same({ "done\n", "", 0 }, { result.stdout, result.stderr, result.status })
  end)
end)
