-- SPDX-License-Identifier: MIT
-- The chapter "ipcRenderer" of the contract.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

local WITHOUT_LISTENER <const> =
  "lunette: WebContents #1 called ipcRenderer.sendSync() with 'ask' channel without listeners.\n"

-- An app whose page learns that main has closed the link, and tells by a file, which is waited for.
local function after_the_end(page)
  local name = os.tmpname()
  local output = ipc.output {
    preferences = "{ sandbox = false }",
    main = ([[
      app.on("window-all-closed", function() end)
      local function finish(event)
        event.sender:close()
        local file, text = assert(io.open(%q)), ""
        while not text:find "\n" do lunette.sleep(1) text = text .. file:read "a" end
        io.write(text)
        quit()
      end
      ipcMain.on("ask", finish)
      ipcMain.handle("ask", finish)
    ]]):format(name),
    page = ([[
      local function tell(...)
        local file <close> = io.open(%q, "w")
        file:write(require "show".show(table.pack(...)), "\n")
      end
    ]]):format(name) .. page,
  }
  os.remove(name)
  return output
end

describe("ipcRenderer", function()
  it("has listeners that get an event with sender, senderId and ports", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("ready", function(event) event.sender:send("hello", 1, nil) end)
      ]],
      page = [[
        ipc.once("hello", function(event, ...)
          say(event.sender == ipc, event.senderId, #event.ports, ...)
          quit()
        end)
        ipc.send("ready")
      ]],
    }
    assert.equal("true 0 0 1 nil\n", output)
  end)

  it("refuses a channel that is no string, and the colon, by name", function()
    local output = ipc.output {
      page = [[
        for _, verb in ipairs { "send", "invoke", "sendSync" } do
          say(select(2, pcall(function() ipc[verb](7) end)))
          say(select(2, pcall(function() ipc[verb](ipc, "x") end)))
        end
        say(select(2, pcall(function() ipc.sendTo("x", "y") end)))
        say(select(2, pcall(function() ipc.sendTo(1, nil) end)))
        quit()
      ]],
    }
    local text = [["page.lua:3: bad argument #1 to 'ipcRenderer.VERB' ]]
      .. '(string expected, got number)"'
      .. '\n"page.lua:4: ipcRenderer.VERB is called with a dot: '
      .. [[write ipcRenderer.VERB(...), not ipcRenderer:VERB(...)"]]
      .. "\n"
    local expected = {}
    for i, verb in ipairs { "send", "invoke", "sendSync" } do
      expected[i] = text:gsub("VERB", verb)
    end
    assert.equal(table.concat(expected) .. [[
"page.lua:6: bad argument #1 to 'ipcRenderer.sendTo' (positive integer expected, got string)"
"page.lua:7: bad argument #2 to 'ipcRenderer.sendTo' (string expected, got nil)"
]], output)
  end)

  it("delivers what one sender sends in order, whatever the verbs, replies included", function()
    local output = ipc.output {
      main = [[
        local came = {}
        ipcMain.on("n", function(_, n) came[#came + 1] = n end)
        ipcMain.handle("n", function(_, n) came[#came + 1] = n end)
        ipcMain.on("sync", function(event, n) came[#came + 1] = n event.returnValue = n end)
        ipcMain.on("end", function() say(table.unpack(came)) quit() end)
      ]],
      page = [[
        for i = 1, 15, 3 do
          ipc.send("n", i)
          ipc.invoke("n", i + 1)
          ipc.sendSync("sync", i + 2)
        end
        ipc.send("end")
      ]],
    }
    assert.equal("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n", output)
  end)

  it("gets main's messages, questions and replies in the order in which main sent them", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("ask", function(event)
          event.sender:send("n", 1)
          event.sender:invoke("n", 2)
          event:reply("n", 3)
          return 4
        end)
      ]],
      page = [[
        local came = {}
        local function add(_, n) came[#came + 1] = n end
        ipc.on("n", add)
        ipc.handle("n", add)
        ipc.invoke("ask"):andThen(function(n) add(nil, n) say(table.unpack(came)) quit() end)
      ]],
    }
    assert.equal("1 2 3 4\n", output)
  end)

  it("answers main's invoke with handle and handleOnce until removeHandler", function()
    local output = ipc.output {
      main = [[
        local contents = open().webContents
        say(contents:invoke("twice", 21):await())
        say(contents:invoke("once"):pawait())
        say(contents:invoke("once"):pawait())
        say(contents:invoke("removed"):pawait())
        say(contents:invoke("raise"):pawait())
        quit()
      ]],
      page = [[
        ipc.handle("twice", function(event, n)
          lunette.sleep(1)
          return n * 2, event.sender == ipc
        end)
        ipc.handleOnce("once", function() return "once" end)
        ipc.handle("removed", print)
        ipc.removeHandler("removed")
        ipc.handle("raise", function() error({ message = "no", code = 7 }) end)
      ]],
    }
    assert.equal([[
42 true
true "once"
false Error invoking remote method 'once': No handler registered for 'once'
false Error invoking remote method 'removed': No handler registered for 'removed'
false Error invoking remote method 'raise': no
]], output)
  end)

  it("rejects an invoke with AbortError when it is cancelled, whatever the answer", function()
    local output = ipc.output {
      main = [[ ipcMain.handle("ask", function() return "answer" end) ]],
      page = [[
        local promise = ipc.invoke("ask")
        promise:cancel()
        say(promise:pawait())
        say(ipc.invoke("ask"):await())
        say(promise:status())
        quit()
      ]],
    }
    assert.equal('false AbortError: the operation was cancelled\n"answer"\n"rejected"\n', output)
  end)
end)

describe("ipcRenderer.sendSync", function()
  it("returns what event.returnValue was set to, falsy values too", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("ask", function(event, ...) event.returnValue = (...) end)
      ]],
      page = [[
        for _, value in ipairs { 0, "", false, lunette.null, 1.5 } do
          say(ipc.sendSync("ask", value))
        end
        say(ipc.sendSync("ask", nil))
        quit()
      ]],
    }
    assert.equal('0\n""\nfalse\nnull\n1.5\nnil\n', output)
  end)

  it("returns the first answer, of whichever listener", function()
    local output = ipc.output {
      main = [[
        app.on("web-contents-created", function(_, contents)
          contents:on("ipc-message-sync", function(event, channel, ...)
            say("ipc-message-sync", channel, ...)
            if channel == "first" then event.returnValue = "ipc-message-sync" end
          end)
          contents.ipc:on("second", function(event) event.returnValue = "contents.ipc" end)
        end)
        local function answer(event) event.returnValue = "ipcMain" event.returnValue = "again" end
        ipcMain.on("first", answer)
        ipcMain.on("second", answer)
        ipcMain.on("third", answer)
      ]],
      page = [[
        say(ipc.sendSync("first", 1)) say(ipc.sendSync("second")) say(ipc.sendSync("third"))
        quit()
      ]],
    }
    assert.equal([[
"ipc-message-sync" "first" 1
"ipc-message-sync"
"ipc-message-sync" "second"
"contents.ipc"
"ipc-message-sync" "third"
"ipcMain"
]], output)
  end)

  it("waits for a listener that answers later and keeps awaiting until then", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("ask", function(event) say "asked" end)
        ipcMain.on("ask", function(event) lunette.sleep(20) event.returnValue = "late" end)
      ]],
      page = [[ say(ipc.sendSync("ask")) quit() ]],
    }
    assert.equal('"asked"\n"late"\n', output)
  end)

  it("raises when there is no listener, and main warns of it", function()
    local result = ipc.run {
      main = [[ ipcMain.handle("ask", function() return 1 end) ]],
      page = [[ say(pcall(ipc.sendSync, "ask")) quit() ]],
    }
    local text = "false Error invoking remote method 'ask': no listener for 'ask'\n"
    assert.equal(text, result.stdout)
    assert.equal(WITHOUT_LISTENER, result.stderr)
    assert.equal(0, result.status)
  end)

  it("raises when every listener has ended without answering", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("ask", function() end)
        ipcMain.on("ask", function() lunette.sleep(1) end)
      ]],
      page = [[ say(pcall(ipc.sendSync, "ask")) quit() ]],
    }
    local text = "Error invoking remote method 'ask': no listener for 'ask' set event.returnValue"
    assert.equal("false " .. text .. "\n", output)
  end)

  it("raises when the listener does, which is reported in main", function()
    local result = ipc.run {
      main = [[ ipcMain.on("ask", function() error "oops" end) ]],
      page = [[ say(pcall(ipc.sendSync, "ask")) quit() ]],
    }
    local text = "Error invoking remote method 'ask': no listener for 'ask' set event.returnValue"
    assert.equal("false " .. text .. "\n", result.stdout)
    assert.matches("^lunette: uncaught error: main.lua:2: oops\n", result.stderr)
  end)

  it("raises when the last listener that could answer was collected, no sooner", function()
    local output = ipc.output {
      main = [[
        local second, release = lunette.Promise.withResolvers()
        ipcMain.on("ask", function() lunette.Promise.new(function() end):await() end)
        ipcMain.on("ask", function(event, answers)
          lunette.sleep(1)
          collectgarbage() collectgarbage()
          lunette.sleep(1)
          if answers then event.returnValue = "second" end
        end)
        setmetatable({}, { __gc = function() end })
        lunette.setInterval(collectgarbage, 5)
      ]],
      page = [[
        say(pcall(ipc.sendSync, "ask", true))
        say(pcall(ipc.sendSync, "ask", false))
        quit()
      ]],
    }
    local text = "Error invoking remote method 'ask': no listener for 'ask' set event.returnValue"
    assert.equal('true "second"\nfalse ' .. text .. "\n", output)
  end)

  it("keeps what arrives meanwhile for afterwards, in order", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("ask", function(event)
          for i = 1, 5 do event.sender:send("n", i) end
          event.returnValue = "answer"
          for i = 6, 9 do event.sender:send("n", i) end
        end)
        ipcMain.handle("before", function() return "before" end)
      ]],
      page = [[
        local came = {}
        ipc.on("n", function(_, n)
          came[#came + 1] = n
          if n == 9 then say(table.unpack(came)) quit() end
        end)
        ipc.invoke("before"):andThen(function(answer) came[#came + 1] = answer end)
        say(ipc.sendSync("ask"), #came)
      ]],
    }
    assert.equal('"answer" 0\n"before" 1 2 3 4 5 6 7 8 9\n', output)
  end)

  it("lets what arrived meanwhile come at once, also when it was called by a timer", function()
    local output = ipc.output {
      preferences = "{ sandbox = false }",
      main = [[
        ipcMain.on("ask", function(event)
          event.sender:send("n", 1)
          event.returnValue = "answer"
        end)
      ]],
      page = [[
        ipc.on("n", function(_, n) say("came", n) quit() end)
        lunette.uv.new_timer():start(1, 1000000, function() say(ipc.sendSync("ask")) end)
      ]],
    }
    assert.equal('"answer"\n"came" 1\n', output)
  end)

  it("may be called by what arrived during another one", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("ask", function(event, n)
          event.sender:send("n", n)
          event.returnValue = n
        end)
      ]],
      page = [[
        ipc.on("n", function(_, n)
          if n == 5 then return quit() end
          say("came", n, ipc.sendSync("ask", n + 1))
        end)
        say(ipc.sendSync("ask", 1))
      ]],
    }
    assert.equal('1\n"came" 1 2\n"came" 2 3\n"came" 3 4\n"came" 4 5\n', output)
  end)

  it("blocks this renderer alone", function()
    local output = ipc.output {
      main = [[
        local blocked
        ipcMain.on("block", function(event) blocked = event open("other.lua")
          lunette.Promise.new(function(resolve) ipcMain.once("release", resolve) end):await()
          event.returnValue = "released"
        end)
        ipcMain.handle("ask", function() return "other goes on" end)
      ]],
      page = [[ say(ipc.sendSync("block")) quit() ]],
      files = { ["other.lua"] = [[ say(ipc.invoke("ask"):await()) ipc.send("release") ]] },
    }
    assert.equal('"other goes on"\n"released"\n', output)
  end)

  app.it_in_process("raises PeerGoneError when main goes meanwhile", function()
    local output = after_the_end [[
      local ok, err = pcall(ipc.sendSync, "ask")
      tell(ok, err.name, err)
    ]]
    assert.equal('{false, "PeerGoneError", PeerGoneError: main has gone, n = 3}\n', output)
  end)

  it("carries large questions and answers", function()
    local output = ipc.output {
      main = [[ ipcMain.on("ask", function(event, text) event.returnValue = text .. text end) ]],
      page = [[
        local text = ("x"):rep(5000000)
        say(ipc.sendSync("ask", text) == text .. text)
        quit()
      ]],
    }
    assert.equal("true\n", output)
  end)
end)

describe("ipcRenderer.sendTo", function()
  local function no_page(sender, id)
    local text = "lunette: WebContents #%d: ipcRenderer.sendTo: "
      .. "there is no page in WebContents #%d; dropped\n"
    return text:format(sender, id)
  end

  local PAIR <const> = [[
    ipcMain.on("loaded", function(event) open("other.lua") end)
  ]]

  it("sends to another page, which learns the sender's id", function()
    local output = ipc.output {
      main = PAIR,
      page = [[
        ipc.on("hello", function(event, ...)
          say("first", event.senderId, ...)
          say(ipc.sendTo(event.senderId, "back", ...))
        end)
        ipc.send("loaded")
      ]],
      files = {
        ["other.lua"] = [[
          ipc.on("back", function(event, ...) say("second", event.senderId, ...) quit() end)
          say(ipc.sendTo(1, "hello", { a = 1.5 }, nil, "\0\1"))
        ]],
      },
    }
    assert.equal([[
true
"first" 2 {a = 1.5} nil "\0\1"
true
"second" 1 {a = 1.5} nil "\0\1"
]], output)
  end)

  it("drops what is for an id that is not there, with one warning, and returns false", function()
    local result = ipc.run {
      page = [[
        for _ = 1, 3 do say(ipc.sendTo(99, "hello")) end
        say(ipc.sendTo((1 << 32) + 1, "hello"))
        ipc.on("hello", say)
        quit()
      ]],
    }
    assert.equal(("false\n"):rep(4), result.stdout)
    assert.equal(no_page(1, 99), result.stderr)
    assert.equal(0, result.status)
  end)

  it("returns false while the receiver is closed or crashed, and true when it is back", function()
    local result = ipc.run {
      main = [[
        local win = open("other.lua")
        local contents = win.webContents
        ipcMain.handle("crash", function()
          contents:forcefullyCrashRenderer()
          lunette.Promise.new(function(resolve)
            contents:once("render-process-gone", resolve)
          end):await()
        end)
        ipcMain.handle("reload", function() contents:reload():await() end)
        ipcMain.handle("close", function() win:close() end)
        open("page.lua")
      ]],
      page = [[
        say(ipc.sendTo(1, "hello"))
        for _, what in ipairs { "crash", "reload", "close" } do
          ipc.invoke(what):await()
          say(what, ipc.sendTo(1, "hello"))
        end
        quit()
      ]],
      files = { ["other.lua"] = "" },
    }
    assert.equal('true\n"crash" false\n"reload" true\n"close" false\n', result.stdout)
    assert.equal(no_page(2, 1), result.stderr)
  end)

  it("keeps its order with what else the page sends", function()
    local output = ipc.output {
      main = PAIR .. [[
        local count = 0
        ipcMain.on("n", function(_, n)
          count = count + 1
          assert(n == count)
          webContents.fromId(1):send("n", "main", n)
        end)
      ]],
      page = [[
        local last = { main = 0, page = 0 }
        ipc.on("n", function(_, from, n)
          assert(n == last[from] + 1)
          last[from] = n
          assert(last.main <= last.page)
          if n == 100 and from == "main" then say "in order" quit() end
        end)
        ipc.send("loaded")
      ]],
      files = {
        ["other.lua"] = [[ for i = 1, 100 do ipc.sendTo(1, "n", "page", i) ipc.send("n", i) end ]],
      },
    }
    assert.equal('"in order"\n', output)
  end)

  it("crosses between pages of different codecs", function()
    local output = ipc.output {
      preferences = '{ codec = "json" }',
      main = [[
        open()
        ipcMain.on("loaded", function() open("other.lua", { codec = "clone" }) end)
      ]],
      page = [[
        ipc.on("hello", function(event, ...) say(...) ipc.sendTo(event.senderId, "back", ...) end)
        ipc.send("loaded")
      ]],
      files = {
        ["other.lua"] = [[
          ipc.on("back", function(_, ...) say(...) quit() end)
          ipc.sendTo(1, "hello", { 1, { a = "b" } }, nil, 2)
        ]],
      },
    }
    assert.equal(('{1, {a = "b"}} nil 2\n'):rep(2), output)
  end)
end)

describe("messages before the page's script has run", function()
  it("are kept, in order, also those from before any loadFile", function()
    local output = ipc.output {
      main = [[
        opened = true
        app.whenReady():await()
        local win = BrowserWindow.new()
        for i = 1, 3 do win.webContents:send("n", i) end
        local answer = win.webContents:invoke("ask", "early")
        win:loadFile("page.lua")
        for i = 4, 6 do win.webContents:send("n", i) end
        win.webContents:once("did-start-loading", function() win.webContents:send("n", 7) end)
        win.webContents:once("dom-ready", function() win.webContents:send("n", 8) end)
        say(answer:await())
      ]],
      page = [[
        local came = {}
        ipc.handle("ask", function(_, ...) came[#came + 1] = "asked" return ... end)
        ipc.on("n", function(_, n)
          came[#came + 1] = n
          if n == 8 then say(table.unpack(came)) quit() end
        end)
      ]],
    }
    assert.equal('"early"\n1 2 3 "asked" 4 5 6 7 8\n', output)
  end)

  it("come after the script has returned or first suspended", function()
    local output = ipc.output {
      main = [[
        opened = true
        app.whenReady():await()
        local win = BrowserWindow.new()
        win.webContents:send("n")
        win:loadFile("page.lua"):await()
        say "did-finish-load"
      ]],
      page = [[
        ipc.on("n", function() say "message" end)
        window.onload = function() say "load" end
        say "begun"
        lunette.sleep(10)
        say "resumed"
        quit()
      ]],
    }
    assert.equal('"begun"\n"load"\n"did-finish-load"\n"message"\n"resumed"\n', output)
  end)
end)

describe("what waits for a renderer", function()
  it("rejects with PeerGoneError when the page crashes, reloads or closes", function()
    for how, reason in pairs {
      ["contents:forcefullyCrashRenderer()"] = "killed",
      ["contents:reload()"] = "the page was replaced",
      ["win:close()"] = "destroyed",
    } do
      local output = ipc.output {
        preferences = "{ limits = { highWaterMark = 100 } }",
        main = [[
          app.on("window-all-closed", function() end)
          local win = open()
          local contents = win.webContents
          local waiting = { contents:invoke("ask"), contents:executeLua("lunette.sleep(1e6)") }
          local list = {} -- more than a socket or a channel takes, of strings that are not lent
          for i = 1, 1000 do list[i] = ("x"):rep(16000) end
          ipcMain.once("asked", function()
            contents:send("fill", list)
            waiting[3] = contents:drained()
            ]] .. how .. [[
            for _, promise in ipairs(waiting) do
              local ok, err = promise:pawait()
              say(ok, err.name, err.reason)
            end
            quit()
          end)
        ]],
        page = [[
          ipc.handle("ask", function() ipc.send("asked") lunette.sleep(1e6) end)
          _G.lunette = lunette
        ]],
      }
      assert.equal(('false "PeerGoneError" %q\n'):format(reason):rep(3), output)
    end
  end)

  it("rejects at once when the page has crashed; send warns once and returns false", function()
    local result = ipc.run {
      main = [[
        local win, load = open()
        load:await()
        local contents = win.webContents
        contents:on("render-process-gone", function()
          say(contents:send("x"), contents:sendToFrame(0, "x"), contents.mainFrame:send("x"))
          say(contents:invoke("x"):pawait())
          say(contents:executeLua("x"):pawait())
          say(contents:drained():pawait())
          quit()
        end)
        contents:forcefullyCrashRenderer()
      ]],
    }
    assert.equal("false false false\n" .. ("false PeerGoneError: killed\n"):rep(3), result.stdout)
    local text = "lunette: WebContents #1: its renderer has gone; what is sent to it is dropped\n"
    assert.equal(text, result.stderr)
    assert.equal(0, result.status)
  end)

  it("does not reject when the answer was sent before the end", function()
    local output = ipc.output {
      preferences = "{ sandbox = false }",
      main = [[
        local contents = open().webContents
        ipcMain.once("last", function(_, n) say("last", n) end)
        say(contents:invoke("ask"):await())
        contents:once("render-process-gone", quit)
      ]],
      page = [[
        ipc.handle("ask", function()
          lunette.setImmediate(function() ipc.send("last", 1) os.exit(3) end)
          return 42
        end)
      ]],
    }
    assert.equal('42\n"last" 1\n', output)
  end)
end)

describe("what a page waits for", function()
  local what = "rejects with PeerGoneError when main goes, and what it sends then is dropped"
  app.it_in_process(what, function()
    local output = after_the_end [[
      local ok, err = ipc.invoke("ask"):pawait()
      tell(ok, err, ipc.send("x"), ipc.invoke("x"):pawait())
    ]]
    local err = "PeerGoneError: main has gone"
    assert.equal(("{false, %s, false, false, %s, n = 5}\n"):format(err, err), output)
  end)
end)
