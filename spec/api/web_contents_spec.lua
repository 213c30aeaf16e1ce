-- SPDX-License-Identifier: MIT
-- The chapter "webContents" of the contract: loading, ending, and what can be asked.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

-- Text for a main script: says each event of the contents as it comes.
local TELL <const> = [[
  local function tell(contents)
    for _, name in ipairs { "did-start-loading", "dom-ready", "did-finish-load", "did-fail-load",
        "did-stop-loading", "render-process-gone", "destroyed" } do
      contents:on(name, function(event, ...)
        assert(event.sender == contents)
        say(name, ...)
      end)
    end
  end
]]

describe("webContents", function()
  it("is found by its id while it is there", function()
    local output = ipc.output {
      main = [[
        app.on("window-all-closed", function() end)
        local first, second = open(), open()
        local a, b = first.webContents, second.webContents
        say(a.id, b.id, webContents.fromId(1) == a, webContents.fromId(2) == b)
        say(webContents.fromId(3))
        say(#webContents.getAllWebContents(), webContents.getAllWebContents()[2] == b)
        first:close()
        say(webContents.fromId(1), #webContents.getAllWebContents(), a.id)
        say(open().webContents.id)
        quit()
      ]],
    }
    assert.equal("1 2 true true\nnil\n2 true\nnil 1 1\n3\n", output)
  end)

  app.it_in_process("has no process before the first load, and another one after each", function()
    local output = ipc.output {
      main = [[
        opened = true
        app.whenReady():await()
        local win = BrowserWindow.new()
        local contents = win.webContents
        say(contents:getOSProcessId(), contents:getURL(), contents:isLoading(), contents:reload())
        local load = win:loadFile("page.lua")
        say(contents:isLoading())
        load:await()
        -- The zygote may tell the number a moment after the page has loaded.
        local function process_id()
          while contents:getOSProcessId() == 0 do lunette.sleep(1) end
          return contents:getOSProcessId()
        end
        local first = process_id()
        say(first > 0, first ~= lunette.process.pid, contents:isLoading())
        say(contents:getURL():match("^file://.*(/page.lua)$"), contents:getTitle())
        contents:reload():await()
        local second = process_id()
        say(second ~= first)
        say(contents:executeLua("return lunette.process.pid"):await() == second)
        quit()
      ]],
      page = [[ _G.lunette = lunette ]],
    }
    assert.equal('0 "" false\ntrue\ntrue true false\n"/page.lua" "page.lua"\ntrue\ntrue\n', output)
  end)

  it("raises for every call but isDestroyed once it is destroyed", function()
    local output = ipc.output {
      main = [[
        app.on("window-all-closed", function() end)
        local win = open()
        local contents = win.webContents
        say(contents:isDestroyed())
        contents:on("destroyed", function() say("destroyed", contents:isDestroyed()) end)
        contents:close()
        for _, name in ipairs { "send", "sendToFrame", "postMessage", "invoke", "executeLua",
            "loadFile", "loadURL", "reload", "getURL", "getTitle", "isLoading", "isCrashed",
            "getOSProcessId", "forcefullyCrashRenderer", "close", "drained" } do
          local ok, text = pcall(function() contents[name](contents, "x", "x") end)
          assert(not ok and text:find ":11: Object has been destroyed$", name .. text)
        end
        say(contents.id, win:isDestroyed())
        quit()
      ]],
    }
    assert.equal('false\n"destroyed" true\n1 true\n', output)
  end)

  it("names the function of a wrong dot, and of wrong arguments", function()
    local output = ipc.output {
      main = [[
        local contents = open().webContents
        local _, text = pcall(function() contents.send("x") end)
        say(text:match "main.lua:3: (.-): write win.webContents:send")
        say(select(2, pcall(function() contents:send(1) end)))
        say(select(2, pcall(function() contents:invoke() end)))
        say(select(2, pcall(function() contents:executeLua({}) end)))
        say(select(2, pcall(function() contents:loadFile() end)))
        say(select(2, pcall(function() contents:sendToFrame("x", "y") end)))
        say(select(2, pcall(function() webContents.fromId("1") end)))
        say(contents:sendToFrame(7, "x"), contents:sendToFrame({ 1, 0 }, "x"))
        quit()
      ]],
    }
    assert.equal([[
"WebContents:send is called with a colon"
"main.lua:5: bad argument #1 to 'WebContents:send' (string expected, got number)"
"main.lua:6: bad argument #1 to 'WebContents:invoke' (string expected, got nil)"
"main.lua:7: bad argument #1 to 'WebContents:executeLua' (string expected, got table)"
"main.lua:8: bad argument #1 to 'WebContents:loadFile' (string expected, got nil)"
"main.lua:9: Missing required frame argument (must be number or [processId, frameId])"
"main.lua:10: bad argument #1 to 'webContents.fromId' (integer expected, got string)"
false true
]], output)
  end)

  it("tells what pages print as console-message", function()
    local result = ipc.run {
      main = [[
        local contents = open().webContents
        contents:on("console-message", function(_, line) say(line) end)
        ipcMain.on("end", quit)
      ]],
      page = [[
        print("a b", 1.0) console.info("b") console.warn("c")
        ipc.send "end"
      ]],
    }
    assert.equal([[
a b	1.0
{level = "log", message = "a b\0091.0"}
b
{level = "info", message = "b"}
{level = "warn", message = "c"}
]], result.stdout)
    assert.equal("c\n", result.stderr)
  end)
end)

describe("a load", function()
  it("has its events in order, then its promise", function()
    local output = ipc.output {
      main = TELL .. [[
        local win, load = open()
        tell(win.webContents)
        say "called"
        load:await()
        say "loaded"
        win:reload():await()
        quit()
      ]],
    }
    local events = '"did-start-loading"\n"dom-ready"\n"did-finish-load"\n"did-stop-loading"\n'
    assert.equal('"called"\n' .. events .. '"loaded"\n' .. events .. '"destroyed"\n', output)
  end)

  it("of a file that is missing fails", function()
    local output = ipc.output {
      main = TELL .. [[
        local win, load = open("nowhere.lua")
        tell(win.webContents)
        local ok, err = load:pawait()
        say(ok, err)
        say(err.code, err.errno, err.url)
        say(win.webContents:isCrashed(), win.webContents:getOSProcessId())
        quit()
      ]],
    }
    local expected = ([[
"did-start-loading"
"did-fail-load" -6 "WHY" "file://nowhere.lua"
"did-stop-loading"
false ERR_FILE_NOT_FOUND (-6) loading 'file://nowhere.lua': WHY
"ERR_FILE_NOT_FOUND" -6 "file://nowhere.lua"
false 0
"destroyed"
]]):gsub("WHY", "ENOENT: no such file or directory: nowhere.lua")
    assert.equal(expected, output)
  end)

  it("of a page that does not compile fails, and says the file and the line", function()
    local output = ipc.output {
      main = TELL .. [[
        local win, load = open("bad.lua")
        tell(win.webContents)
        local _, err = load:pawait()
        say(err, err.code, err.errno, err.url)
        win:loadFile("page.lua"):await()
        quit()
      ]],
      files = { ["bad.lua"] = "say 'fine'\nlocal = 1\n" },
    }
    local expected = ([[
"did-start-loading"
"did-fail-load" -2 "WHY" "file://bad.lua"
"did-stop-loading"
ERR_FAILED (-2) loading 'file://bad.lua': WHY "ERR_FAILED" -2 "file://bad.lua"
"did-start-loading"
"dom-ready"
"did-finish-load"
"did-stop-loading"
"destroyed"
]]):gsub("WHY", "bad.lua:3: <name> expected near '='")
    assert.equal(expected, output)
  end)

  it("of what is no page fails, as does any URL but a file's", function()
    local output = ipc.output {
      main = [[
        local win, load = open(".")
        say(select(2, load:pawait()))
        say(select(2, win:loadFile("page.html"):pawait()).code ~= nil)
        say(select(2, win:loadURL("http://example.org/"):pawait()))
        say(win:loadURL("file://" .. app.getAppPath() .. "/page.lua"):pawait())
        quit()
      ]],
    }
    local expected = ([[
ERR_FAILED (-2) loading 'file://': WHY
true
ERR_UNKNOWN_URL_SCHEME (-302) loading 'http://example.org/': only file: URLs can be loaded
true
]]):gsub("WHY", "EISDIR: illegal operation on a directory: ")
    assert.equal(expected, output)
  end)

  it("that nobody looks at is told of on standard error when it fails", function()
    local result = ipc.run {
      main = [[
        local win = open("nowhere.lua")
        win.webContents:on("did-stop-loading", function() lunette.setTimeout(quit, 1) end)
      ]],
    }
    assert.same({ "", 0 }, { result.stdout, result.status })
    assert.matches("^lunette: Failed to load URL: file://%S*nowhere.lua with error: "
      .. "ERR_FILE_NOT_FOUND: ENOENT: [^\n]*\n$", result.stderr)
  end)

  it("that fails is no news to who listens to did-fail-load", function()
    assert.equal("-6\n", ipc.output {
      main = [[
        local win = open("nowhere.lua")
        win.webContents:on("did-fail-load", function(_, code) say(code) end)
        win.webContents:on("did-stop-loading", function() lunette.setTimeout(quit, 1) end)
      ]],
    })
  end)

  it("of a page that raises while it runs has succeeded; the error is on the console", function()
    local result = ipc.run {
      main = [[
        local win, load = open()
        win.webContents:removeAllListeners "console-message" -- the one that quits
        win.webContents:on("console-message", function(_, line)
          say(line.level, (line.message:match("[^\n]*")))
        end)
        say(load:pawait())
        quit()
      ]],
      page = [[ error "oops" ]],
    }
    assert.equal('"error" "uncaught error: page.lua:2: oops"\ntrue\n', result.stdout)
    assert.matches("^uncaught error: page.lua:2: oops\nstack traceback:\n", result.stderr)
  end)

  it("is aborted by a newer one, whose events alone come", function()
    local output = ipc.output {
      main = TELL .. [[
        local win, first = open("other.lua")
        tell(win.webContents)
        local second = win:loadFile("nowhere.lua")
        local third = win:loadFile("page.lua")
        say(first:pawait())
        local _, err = second:pawait()
        say(err.code, err.errno, err.url)
        say(third:pawait())
        quit()
      ]],
      files = { ["other.lua"] = "say 'never'" },
    }
    assert.equal([[
false ERR_ABORTED (-3) loading 'file://other.lua': another load was started
"ERR_ABORTED" -3 "file://nowhere.lua"
"did-start-loading"
"dom-ready"
"did-finish-load"
"did-stop-loading"
true
"destroyed"
]], output)
  end)

  it("is aborted by a newer one also when its page boots already", function()
    local output = ipc.output {
      main = TELL .. [[
        local win, first = open("slow.lua")
        tell(win.webContents)
        ipcMain.on("running", function()
          local second = win:loadFile("page.lua")
          say(first:pawait())
          say(second:pawait())
          quit()
        end)
      ]],
      files = { ["slow.lua"] = [[ ipc.sendSync("running") ]] },
    }
    assert.equal([[
"did-start-loading"
false ERR_ABORTED (-3) loading 'file://slow.lua': another load was started
"dom-ready"
"did-finish-load"
"did-stop-loading"
true
"destroyed"
]], output)
  end)

  it("may be begun inside every event of another", function()
    local names = { "did-start-loading", "dom-ready", "did-finish-load", "did-stop-loading" }
    for _, name in ipairs(names) do
      local output = ipc.output {
        main = ([[
          local win, first = open("other.lua")
          local contents = win.webContents
          local second
          contents:once(%q, function() second = win:loadFile("page.lua") end)
          local ok, err = first:pawait()
          say(ok, err and err.code)
          say(second:pawait())
          say(contents:getTitle(), contents:isLoading())
          quit()
        ]]):format(name),
        files = { ["other.lua"] = "" },
      }
      local is_aborted = name == "did-start-loading" or name == "dom-ready"
      local first = is_aborted and 'false "ERR_ABORTED"' or "true nil"
      assert.equal(first .. '\ntrue\n"page.lua" false\n', output)
    end
  end)

  it("may be begun inside the events of one that failed", function()
    for _, name in ipairs { "did-fail-load", "did-stop-loading" } do
      local output = ipc.output {
        main = ([[
          local win, first = open("nowhere.lua")
          local second
          win.webContents:once(%q, function() second = win:loadFile("page.lua") end)
          say(select(2, first:pawait()).code)
          say(second:pawait())
          quit()
        ]]):format(name),
      }
      assert.equal('"ERR_FILE_NOT_FOUND"\ntrue\n', output)
    end
  end)

  it("survives that a listener of any of its events destroys the window", function()
    for _, name in ipairs { "did-start-loading", "dom-ready", "did-finish-load",
        "did-stop-loading", "did-fail-load", "console-message", "ipc-message", "preload-error",
        "render-process-gone" } do
      local result = ipc.run {
        preferences = '{ preload = "preload.lua", contextIsolation = false }',
        main = TELL .. ([[
          app.on("window-all-closed", function() end)
          local name = %q
          local win, load = open(name == "did-fail-load" and "nowhere.lua" or "page.lua")
          win.webContents:on(name, function() win:destroy() end)
          win.webContents:on("destroyed", function() say "destroyed" end)
          win.webContents:on("dom-ready", function()
            if name == "render-process-gone" then win.webContents:forcefullyCrashRenderer() end
          end)
          load:pawait()
          if not win:isDestroyed() then
            lunette.Promise.new(function(resolve) win:on("closed", resolve) end):await()
          end
          say(#BrowserWindow.getAllWindows(), #webContents.getAllWebContents())
          win = open("other.lua")
          ipcMain.on("alive", function() say "main lives" quit() end)
        ]]):format(name),
        page = [[ print "line" ipc.send "message" ]],
        files = {
          ["preload.lua"] = "error 'in preload'",
          ["other.lua"] = [[ ipc.send "alive" ]],
        },
      }
      assert.equal('"destroyed"\n0 0\n"main lives"\n', (result.stdout:gsub("line\n", "")), name)
      assert.equal(0, result.status)
    end
  end)

  it("fails when the renderer dies before the page is there", function()
    local output = ipc.output {
      main = TELL .. [[
        local win, load = open()
        tell(win.webContents)
        ipcMain.once("booting", function(event)
          win.webContents:forcefullyCrashRenderer()
          lunette.sleep(1e6)
        end)
        say(load:pawait())
        say(win.webContents:isCrashed(), win.webContents:isLoading())
        quit()
      ]],
      page = [[ ipc.sendSync "booting" ]],
    }
    assert.equal([[
"did-start-loading"
"did-fail-load" -2 "the renderer has gone: killed" "file://page.lua"
"did-stop-loading"
"render-process-gone" {exitCode = 9, reason = "killed"}
false ERR_FAILED (-2) loading 'file://page.lua': the renderer has gone: killed
true false
"destroyed"
]], output)
  end)

  it("starts the page anew: its listeners are gone, main's stay", function()
    local output = ipc.output {
      main = [[
        local win, load = open()
        load:await()
        local contents = win.webContents
        local loads = 0
        contents.ipc:on("answer", function(_, ...)
          loads = loads + 1
          say(...)
          if loads == 3 then return quit() end
          win:reload():await()
          contents:send("n", loads)
        end)
        contents:send("n", 0)
      ]],
      page = [[
        count = (count or 0) + 1
        ipc.on("n", function(_, n) ipc.send("answer", n, count) end)
      ]],
    }
    assert.equal("0 1\n1 1\n2 1\n", output)
  end)

  it("tells of a preload that fails, and the page still runs", function()
    local result = ipc.run {
      main = [[
        opened = true
        app.whenReady():await()
        for _, preload in ipairs { "preload.lua", "nowhere.lua" } do
          local win = BrowserWindow.new { webPreferences = { preload = preload } }
          win.webContents:on("preload-error", function(_, path, err)
            say(path, (err:match("[^\n]*")))
          end)
          win:loadFile("plain.lua"):await()
        end
        quit()
      ]],
      files = { ["preload.lua"] = "local = 1", ["plain.lua"] = "" },
    }
    assert.equal([[
"preload.lua" "preload.lua:2: <name> expected near '='"
"nowhere.lua" "ENOENT: no such file or directory: nowhere.lua"
]], result.stdout)
    assert.matches("lunette: Unable to load preload script: preload.lua\npreload.lua:2: <name>",
      result.stderr)
    assert.matches("lunette: Unable to load preload script: nowhere.lua\nENOENT: ", result.stderr)
  end)
end)

describe("executeLua", function()
  it("has the results of the chunk, which may await, in the page", function()
    local output = ipc.output {
      main = [[
        local contents = open().webContents
        say(contents:executeLua("return answer, nil, { 1 }, nil"):await())
        say(contents:executeLua("answer = answer + 1"):await())
        say(contents:executeLua("require('lunette').sleep(1) return answer"):await())
        say(contents:executeLua("return require('lunette').Promise.resolve(7)"):pawait())
        quit()
      ]],
      page = [[ answer = 42 ]],
    }
    assert.equal("42 nil {1} nil\n\n43\ntrue 7\n", output)
  end)

  it("rejects with the error of the chunk, or that it does not compile", function()
    local output = ipc.output {
      main = [[
        local contents = open().webContents
        say(contents:executeLua("\nerror 'oops'"):pawait())
        local _, err = contents:executeLua("error { code = 7, message = 'no' }"):pawait()
        say(err.code, err.message, err.channel)
        say(contents:executeLua("local ="):pawait())
        quit()
      ]],
    }
    local prefix = "false Error invoking remote method 'execute-lua': "
    assert.equal(prefix .. "(executeLua):2: oops\n" .. '7 "no" "execute-lua"\n' .. prefix
      .. "(executeLua):1: <name> expected near '='\n", output)
  end)

  it("runs in an isolated page's world", function()
    local output = ipc.output {
      preferences = '{ preload = "preload.lua" }',
      main = [[
        local contents = open("plain.lua").webContents
        say(contents:executeLua("return where"):await())
        say(contents:executeLua("error('oops', 0)"):pawait())
        say(contents:executeLua("return print"):pawait())
        quit()
      ]],
      files = { ["preload.lua"] = "where = 'preload'", ["plain.lua"] = "" },
    }
    local prefix = "false Error invoking remote method 'execute%-lua': "
    assert.matches("^nil\n" .. prefix .. "oops\n" .. prefix, output)
  end)
end)

describe("a renderer's end", function()
  -- What main hears of a renderer that ends by this code of its page, which has no sandbox. The
  -- address sanitizer must not make something else of a signal.
  local function ending(code)
    return ipc.output {
      env = { ASAN_OPTIONS = "handle_segv=0:handle_abort=0:handle_sigill=0" },
      preferences = "{ sandbox = false }",
      main = TELL .. [[
        app.on("render-process-gone", function(_, contents, details)
          say("app", contents.id, details.reason, details.exitCode)
        end)
        local win, load = open()
        load:await()
        tell(win.webContents)
        win.webContents:executeLua([=[]] .. code .. [[]=]):catch(function() end)
        win.webContents:once("render-process-gone", function()
          say(win.webContents:isCrashed(), win.webContents:getOSProcessId(), win:isDestroyed())
          win.webContents:removeAllListeners()
          win:reload():await()
          say(win.webContents:isCrashed(), win.webContents:executeLua("return 7"):await())
          quit()
        end)
      ]],
      page = [[ _G.process, _G.uv = lunette.process, lunette.uv ]],
    }
  end

  local function expected(reason, code)
    local text = '"render-process-gone" {exitCode = %d, reason = %q}\ntrue 0 false\n'
      .. '"app" 1 %q %d\nfalse 7\n'
    return text:format(code, reason, reason, code)
  end

  local function kill(signal)
    return ("process.kill(process.pid, %q)"):format(signal)
  end

  local function check(code, reason, number)
    assert.equal(expected(reason, number), ending(code))
  end

  it("by os.exit is clean-exit or abnormal-exit", function()
    check("os.exit(3)", "abnormal-exit", 3)
    check("os.exit(0)", "clean-exit", 0)
  end)

  app.it_in_process("by a signal that others send is killed", function()
    check(kill "SIGKILL", "killed", 9)
    check(kill "SIGTERM", "killed", 15)
  end)

  app.it_in_process("by a signal of a fault is crashed", function()
    check(kill "SIGSEGV", "crashed", 11)
    check(kill "SIGABRT", "crashed", 6)
    check(kill "SIGILL", "crashed", 4)
  end)

  app.it_in_process("is killed when it closes its link and goes on", function()
    check("uv.fs_close(3) while true do end", "killed", 9)
  end)

  it("leaves main and the other windows alone", function()
    local output = ipc.output {
      main = [[
        local first, second = open(), open()
        ipcMain.handle("ask", function() return "answer" end)
        local gone = 0
        first.webContents:on("render-process-gone", function(_, details)
          gone = gone + 1
          say(details.reason, first.webContents:isCrashed(), second.webContents:isCrashed())
          say(second.webContents:invoke("ask"):await())
          first.webContents:reload():await()
          say(first.webContents:invoke("ask"):await(), first.webContents.id)
          if gone == 1 then return first.webContents:forcefullyCrashRenderer() end
          quit()
        end)
        first.webContents:once("did-finish-load", function()
          first.webContents:forcefullyCrashRenderer()
        end)
      ]],
      page = [[ ipc.handle("ask", function() return ipc.invoke("ask"):await() end) ]],
    }
    assert.equal(('"killed" true false\n"answer"\n"answer" 1\n'):rep(2), output)
  end)

  it("is launch-failed when it could not be started", function()
    local dir = app.folder(ipc.files {
      main = TELL .. [[
        opened = true
        app.whenReady():await()
        local win = BrowserWindow.new { webPreferences = { sandbox = false } }
        tell(win.webContents)
        local files = {}
        local function fill()
          local file = io.open "/dev/null"
          files[#files + 1] = file
          return file and fill()
        end
        fill()
        table.remove(files):close() -- one is left, to read the page by
        say(win:loadFile("page.lua"):pawait())
        for _, file in ipairs(files) do file:close() end
        say(win:reload():pawait())
        quit()
      ]],
    })
    local shell = { "-c", 'ulimit -n 60; exec "$0" "$1"', app.executable, dir }
    local result = app.spawn("/bin/sh", shell).wait()
    app.remove(dir)
    assert.equal(0, result.status)
    local gone = '"render%-process%-gone" {exitCode = 127, reason = "launch%-failed"}'
    assert.matches(gone, result.stdout)
    assert.matches("did%-finish%-load.*\ntrue\n", result.stdout)
    assert.matches("^lunette: cannot start a renderer: EMFILE", result.stderr)
  end)
end)

describe("fifty windows", function()
  app.it_in_process("opened, used and closed leave no process and no descriptor behind", function()
    local output = ipc.output {
      main = [[
        local uv = lunette.uv
        app.on("window-all-closed", function() end)
        local function count(path, wanted)
          local n, request = 0, uv.fs_scandir(path)
          for name in function() return uv.fs_scandir_next(request) end do
            local stat = wanted and name:find "^%d+$" and io.open("/proc/" .. name .. "/stat")
            local parent = stat and (stat:read "a" or ""):match "%) %a (%d+)"
            if stat then stat:close() end
            if not wanted or tonumber(parent) == wanted then n = n + 1 end
          end
          return n
        end
        ipcMain.handle("ask", function(_, n) return n * 2 end)
        local function use()
          local windows, loads = {}, {}
          for i = 1, 50 do windows[i], loads[i] = open() end
          for i = 1, 50 do
            loads[i]:await()
            assert(windows[i].webContents:invoke("ask", i):await() == i * 2)
          end
          for i = 1, 50 do windows[i]:close() end
        end
        local first, load = open() -- starts what stays: a zygote, and a spare process
        load:await()
        first:destroy()
        local function settles(is_settled)
          local deadline = lunette.process.hrtime() + 5e9
          repeat
            lunette.sleep(5)
            collectgarbage()
          until is_settled() or lunette.process.hrtime() > deadline
          return is_settled()
        end
        local function watches_two()
          local n, request = 0, uv.fs_scandir "/proc/self/fd"
          for name in function() return uv.fs_scandir_next(request) end do
            if uv.fs_readlink("/proc/self/fd/" .. name) == "anon_inode:[pidfd]" then n = n + 1 end
          end
          return n == 2 or n == 0 and count("/proc", lunette.process.pid) == 2 -- a kernel without
        end
        say(settles(watches_two))
        local descriptors = count "/proc/self/fd"
        use()
        say(settles(function()
          return count("/proc", lunette.process.pid) == 2 and count "/proc/self/fd" <= descriptors
        end), #webContents.getAllWebContents())
        quit()
      ]],
      page = [[ ipc.handle("ask", function(_, n) return ipc.invoke("ask", n):await() end) ]],
    }
    assert.equal("true\ntrue 0\n", output)
  end)
end)
