-- SPDX-License-Identifier: MIT
-- The chapter "ipcMain" of the contract, and the outcomes of an invoke.
local ipc = require "spec.support.ipc"

-- A page that says what an invoke of "ask" comes to.
local ASK <const> = [[
  say(ipc.invoke("ask"):pawait())
  quit()
]]

-- What the page says when the handler has this body.
local function outcome(body)
  return ipc.output {
    main = ("ipcMain.handle('ask', function(event, ...) %s end)"):format(body),
    page = ASK,
  }
end

describe("ipcMain", function()
  it("has what Electron's has", function()
    local output = ipc.output {
      main = [[
        local names = { "on", "once", "off", "removeListener", "removeAllListeners", "handle",
          "handleOnce", "removeHandler" }
        open()
        for _, name in ipairs(names) do
          assert(type(ipcMain[name]) == "function", name)
          assert(type(webContents.getAllWebContents()[1].ipc[name]) == "function", name)
        end
        quit()
      ]],
    }
    assert.equal("", output)
  end)

  it("refuses a second handler for a channel", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("ask", print)
        say(pcall(ipcMain.handle, "ask", print))
        say(pcall(ipcMain.handleOnce, "ask", print))
        local scope = open().webContents.ipc
        scope:handle("ask", print)
        say(pcall(scope.handle, scope, "ask", print))
        quit()
      ]],
    }
    assert.equal(('false "Attempted to register a second handler for \'ask\'"\n'):rep(3), output)
  end)

  it("finds no handler once it was removed", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("ask", print)
        ipcMain.removeHandler("ask")
        ipcMain.removeHandler("ask")
      ]],
      page = ASK,
    }
    local text = "false Error invoking remote method 'ask': No handler registered for 'ask'\n"
    assert.equal(text, output)
  end)

  it("asks the sender's own handler first, and no other", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("ask", function() return "ipcMain" end)
        ipcMain.handle("other", function() return "ipcMain" end)
        app.on("web-contents-created", function(_, contents)
          contents.ipc:handle("ask", function() return "contents.ipc" end)
        end)
      ]],
      page = [[
        say(ipc.invoke("ask"):await())
        say(ipc.invoke("other"):await())
        quit()
      ]],
    }
    assert.equal('"contents.ipc"\n"ipcMain"\n', output)
  end)

  it("removes a handleOnce before it runs, so that it may register itself again", function()
    local output = ipc.output {
      main = [[
        local count = 0
        local function once()
          count = count + 1
          if count < 3 then ipcMain.handleOnce("ask", once) end
          return count
        end
        ipcMain.handleOnce("ask", once)
      ]],
      page = [[
        for _ = 1, 4 do say(ipc.invoke("ask"):pawait()) end
        quit()
      ]],
    }
    local refused = "false Error invoking remote method 'ask': No handler registered for 'ask'\n"
    assert.equal("true 1\ntrue 2\ntrue 3\n" .. refused, output)
  end)

  it("gives a message to ipc-message, then webContents.ipc, then ipcMain, each in order", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("log", function(event, ...) say("ipcMain 1", ...) end)
        ipcMain.on("log", function(event, ...) say("ipcMain 2", ...) quit() end)
        app.on("web-contents-created", function(_, contents)
          contents.ipc:on("log", function(event, ...) say("contents.ipc", ...) end)
          contents:on("ipc-message", function(event, ...) say("ipc-message", ...) end)
        end)
      ]],
      page = [[ ipc.send("log", 1, nil) ]],
    }
    assert.equal([[
"ipc-message" "log" 1 nil
"contents.ipc" 1 nil
"ipcMain 1" 1 nil
"ipcMain 2" 1 nil
]], output)
  end)

  it("calls whoever listens when the message comes", function()
    local output = ipc.output {
      main = [[
        local function tell(name) return function(_, n) say(name, n) end end
        local a, b, watch = tell "a", tell "b", function(_, channel, n) say(channel, n) end
        local steps = {
          function() ipcMain.on("log", a) end,
          function() ipcMain.on("log", b) end,
          function() ipcMain.off("log", a) end,
          function(contents) contents.ipc:on("log", a) end,
          function(contents) contents.ipc:removeAllListeners() end,
          function(contents) contents:on("ipc-message", watch) end,
          function(contents) contents:removeListener("ipc-message", watch) end,
          function() ipcMain.removeAllListeners("log") end,
          function() ipcMain.once("log", a) end,
        }
        ipcMain.on("step", function(event, n) steps[n](event.sender) end)
      ]],
      page = [[
        for n = 1, 9 do
          ipc.send("step", n)
          ipc.send("log", n)
          if n % 2 == 1 then ipc.send("log", -n) end
        end
        quit()
      ]],
    }
    assert.equal([["a" 1
"a" -1
"a" 2
"b" 2
"b" 3
"b" -3
"a" 4
"b" 4
"b" 5
"b" -5
"log" 6
"b" 6
"step" 7
"b" 7
"b" -7
"a" 9
]], output)
  end)

  it("asks the handler that is there when the question comes", function()
    local output = ipc.output {
      main = [[
        local function tell(name) return function() return name end end
        local steps = {
          function() ipcMain.handle("ask", tell "a") end,
          function() ipcMain.removeHandler("ask") end,
          function() ipcMain.handle("ask", tell "b") end,
          function(contents) contents.ipc:handleOnce("ask", tell "once") end,
          function(contents) contents.ipc:handle("ask", tell "c") end,
          function(contents) contents.ipc:removeHandler("ask") end,
        }
        ipcMain.on("step", function(event, n) steps[n](event.sender) end)
      ]],
      page = [[
        for n = 1, 6 do
          ipc.send("step", n)
          say(n, (select(2, ipc.invoke("ask"):pawait())))
          say(n, (select(2, ipc.invoke("ask"):pawait())))
        end
        quit()
      ]],
    }
    local nobody = "Error invoking remote method 'ask': No handler registered for 'ask'"
    local answers = { "a", "a", nil, nil, "b", "b", "once", "b", "c", "c", "b", "b" }
    local lines = {}
    for i = 1, 12 do
      local answer = answers[i] and ('"%s"'):format(answers[i]) or nobody
      lines[i] = ("%d %s\n"):format((i + 1) // 2, answer)
    end
    assert.equal(table.concat(lines), output)
  end)

  it("lets go of a listener and of a handler that were removed", function()
    local output = ipc.output {
      main = [[
        local kept = setmetatable({}, { __mode = "k" })
        local function keep() local function fn() return kept end kept[fn] = true return fn end
        ipcMain.on("log", keep())
        ipcMain.handle("ask", keep())
        ipcMain.on("remove", function()
          ipcMain.removeAllListeners("log")
          ipcMain.removeHandler("ask")
          collectgarbage()
          collectgarbage()
          say(next(kept))
          quit()
        end)
      ]],
      page = [[ ipc.send("log") ipc.invoke("ask"):pawait() ipc.send("remove") ]],
    }
    assert.equal("nil\n", output)
  end)

  it("goes on with the other listeners when one raises", function()
    local result = ipc.run {
      main = [[
        ipcMain.on("log", function() error "first" end)
        ipcMain.on("log", function() say("second") quit() end)
      ]],
      page = [[ ipc.send("log") ]],
    }
    assert.equal('"second"\n', result.stdout)
    assert.matches("^lunette: uncaught error: main.lua:2: first\nstack traceback:\n", result.stderr)
    assert.equal(1, result.status)
  end)

  it("lets a listener await, and takes the next message meanwhile", function()
    local output = ipc.output {
      main = [[
        local promise, resolve = lunette.Promise.withResolvers()
        ipcMain.on("wait", function() promise:await() say("waited") quit() end)
        ipcMain.on("go", function() say("go") resolve() end)
      ]],
      page = [[ ipc.send("wait") ipc.send("go") ]],
    }
    assert.equal('"go"\n"waited"\n', output)
  end)

  it("drops a message that nobody listens to", function()
    assert.equal("", ipc.output { page = [[ ipc.send("nobody", 1) quit() ]] })
  end)

  it("survives a message on the channel 'error', as on any other", function()
    assert.equal("", ipc.output { page = [[ ipc.send("error", 1) ipc.send("") quit() ]] })
  end)
end)

describe("an event of ipcMain", function()
  it("tells who sent it", function()
    local output = ipc.output {
      main = [[
        local function tell(event)
          local contents = webContents.getAllWebContents()[1]
          say(event.sender == contents, event.frameId, event.senderFrame == contents.mainFrame,
            event.processId == contents:getOSProcessId(), #event.ports)
        end
        ipcMain.on("message", tell)
        ipcMain.on("sync", function(event) tell(event) event.returnValue = nil end)
        ipcMain.handle("ask", tell)
      ]],
      page = [[
        ipc.send("message") ipc.sendSync("sync") ipc.invoke("ask"):await()
        quit()
      ]],
    }
    assert.equal(("true 0 true true 0\n"):rep(3), output)
  end)

  it("replies to the frame that sent it, like its sender sends", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("ask", function(event, ...)
          say(event:reply("answer", "reply", ...), event.sender:send("answer", "send", ...))
        end)
      ]],
      page = [[
        ipc.on("answer", function(event, way, ...)
          say(way, ...)
          if way == "send" then quit() end
        end)
        ipc.send("ask", 1, nil)
      ]],
    }
    assert.equal('true true\n"reply" 1 nil\n"send" 1 nil\n', output)
  end)

  it("has a signal that tells when the asker has cancelled", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("ask", function(event)
          say(event.signal.aborted)
          local aborted, resolve = lunette.Promise.withResolvers()
          event.signal:on("abort", function() resolve() end)
          event.sender:send("started")
          aborted:await()
          say(event.signal.aborted)
          event.sender:send("aborted")
        end)
      ]],
      page = [[
        local promise = ipc.invoke("ask")
        ipc.on("started", function() promise:cancel() say(promise:pawait()) end)
        ipc.on("aborted", quit)
      ]],
    }
    assert.equal("false\ntrue\nfalse AbortError: the operation was cancelled\n", output)
  end)

  it("has a signal that tells when the asker has gone", function()
    for _, how in ipairs { "forcefullyCrashRenderer", "reload", "close" } do
      local output = ipc.output {
        main = [[
          app.on("window-all-closed", function() end)
          local first = true
          ipcMain.handle("ask", function(event)
            if not first then return end
            first = false
            local aborted, resolve = lunette.Promise.withResolvers()
            event.signal:once("abort", function() resolve() end)
            event.sender:]] .. how .. [[()
            aborted:await()
            say(event.signal.aborted)
            quit()
          end)
        ]],
        page = [[ ipc.invoke("ask") ]],
      }
      assert.equal("true\n", output)
    end
  end)

  it("has the signal aborted when it is looked at too late", function()
    local output = ipc.output {
      main = [[
        local promise, resolve = lunette.Promise.withResolvers()
        ipcMain.handle("ask", function(event) promise:await() say(event.signal.aborted) quit() end)
        ipcMain.on("cancelled", function() resolve() end)
      ]],
      page = [[ ipc.invoke("ask"):cancel() ipc.send("cancelled") ]],
    }
    assert.equal("true\n", output)
  end)
end)

describe("an invoke", function()
  it("has all the values that the handler returns, nils included", function()
    assert.equal("true 1 nil {a = 1} nil\n", outcome "return 1, nil, { a = 1 }, nil")
    assert.equal("true\n", outcome "")
    assert.equal("true nil\n", outcome "return nil")
    assert.equal("true false\n", outcome "return false")
  end)

  it("has the values of the promise that the handler returns", function()
    assert.equal("true 1 nil\n", outcome "return lunette.Promise.resolve(1, nil)")
    assert.equal("true 2\n", outcome "return lunette.Promise.delay(1, 2)")
    local failed = [[false Error invoking remote method 'ask': no luck]] .. "\n"
    assert.equal(failed, outcome "return lunette.Promise.reject('no luck')")
  end)

  it("has the values of anything like a promise", function()
    local thenable = "return { andThen = function(_, resolve) resolve('then', nil) end }"
    assert.equal('true "then" nil\n', outcome(thenable))
    local class = "return setmetatable({}, { __index = { next = function(_, r) r(7) end } })"
    assert.equal("true 7\n", outcome(class))
    assert.equal('true {next = "page 2"}\n', outcome "return { next = 'page 2' }")
    local object = "return setmetatable({ a = 1 }, { __index = { b = 2 } })"
    assert.equal("true {a = 1}\n", outcome(object))
  end)

  it("has what the handler returns after awaiting", function()
    assert.equal('true "late"\n', outcome "lunette.sleep(1) return 'late'")
  end)

  it("rejects with what the handler raised, whatever that is", function()
    local prefix = "false Error invoking remote method 'ask': "
    assert.equal(prefix .. "main.lua:2: oops\n", outcome "error('oops')")
    assert.equal(prefix .. "oops\n", outcome "error('oops', 0)")
    assert.equal(prefix .. "\n", outcome "error('', 0)")
    assert.equal(prefix .. "nil\n", outcome "error()")
    assert.equal(prefix .. "0\n", outcome "error(0)")
    assert.equal(prefix .. "1.5\n", outcome "error(1.5)")
    assert.equal(prefix .. "false\n", outcome "error(false)")
    assert.equal(prefix .. "late\n", outcome "lunette.sleep(1) error('late', 0)")
    local named = "error(setmetatable({}, { __tostring = function() return 'E42' end }))"
    assert.equal(prefix .. "E42\n", outcome(named))
    assert.matches("ask': table: 0x%x+\n$", outcome "error({})")
    assert.matches("ask': function: 0x%x+\n$", outcome "error(function() end)")
    local broken = "error(setmetatable({}, { __tostring = function() error('no') end }))"
    assert.equal(prefix .. "(a table whose tostring failed)\n", outcome(broken))
  end)

  it("rejects with the cloneable fields of the table that was raised", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("ask", function()
          local cycle = {}
          cycle.self = cycle
          error {
            message = "no such user", code = 404, list = { 1, { 2 } }, fn = print, cycle = cycle,
            deep = { fn = print }, channel = "mine", traceback = "mine", [1] = "one", [cycle] = 2,
          }
        end)
      ]],
      page = [[
        local _, err = ipc.invoke("ask"):pawait()
        say(tostring(err), err.message, err.channel)
        say(err.code, err.list, err.fn, err.deep, err[1])
        say(err.cycle.self == err.cycle, err[err.cycle])
        say(err.traceback:match("^stack traceback:\n"), err.traceback:match("main.lua:%d"))
        quit()
      ]],
    }
    local expected = [[
"Error invoking remote method 'ask': no such user" "no such user" "ask"
404 {1, {2}} nil nil "one"
true 2
"stack traceback:\n" "main.lua:5"
]]
    assert.equal(expected, output)
  end)

  it("has a traceback of the handler, also where that awaited", function()
    local output = ipc.output {
      main = [[
        local function inner() lunette.sleep(1) error "late" end
        ipcMain.handle("late", function() inner() end)
        ipcMain.handle("rejected", function() return (lunette.Promise.reject "no") end)
      ]],
      page = [[
        local _, err = ipc.invoke("late"):pawait()
        say(err.traceback:match "main.lua:2", err.traceback:match "main.lua:3")
        _, err = ipc.invoke("rejected"):pawait()
        say(err.traceback:match "main.lua:%d")
        _, err = ipc.invoke("nobody"):pawait()
        say(err.traceback)
        quit()
      ]],
    }
    assert.equal('"main.lua:2" "main.lua:3"\n"main.lua:4"\nnil\n', output)
  end)

  it("rejects when the result cannot be cloned, and the next one works", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("ask", function(_, ...)
          if ... then return ... end
          return 1, { fn = print }
        end)
      ]],
      page = [[
        say(ipc.invoke("ask"):pawait())
        say(ipc.invoke("ask", "next"):pawait())
        quit()
      ]],
    }
    local text = "could not clone result 2.fn: a function cannot be sent"
    assert.equal("false Error invoking remote method 'ask': " .. text .. '\ntrue "next"\n', output)
  end)

  it("overlaps others: handlers begin in order, answers come as they are ready", function()
    local output = ipc.output {
      main = [[
        local gates = {}
        ipcMain.handle("ask", function(_, name)
          say("begin", name)
          local promise, resolve = lunette.Promise.withResolvers()
          gates[name] = resolve
          promise:await()
          return name
        end)
        ipcMain.on("go", function() gates.b() gates.c() gates.a() end)
      ]],
      page = [[
        local open = 3
        for _, name in ipairs { "a", "b", "c" } do
          ipc.invoke("ask", name):andThen(function(answer)
            say("answer", answer)
            open = open - 1
            if open == 0 then quit() end
          end)
        end
        ipc.send("go")
      ]],
    }
    local begun = '"begin" "a"\n"begin" "b"\n"begin" "c"\n'
    assert.equal(begun .. '"answer" "b"\n"answer" "c"\n"answer" "a"\n', output)
  end)

  it("rejects with `reply was never sent` when the handler's promise is collected", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("lost", function() return lunette.Promise.new(function() end) end)
        ipcMain.handle("stuck", function() lunette.Promise.new(function() end):await() end)
        ipcMain.on("collect", function() collectgarbage() collectgarbage() end)
      ]],
      page = [[
        for _, channel in ipairs { "lost", "stuck" } do
          local promise = ipc.invoke(channel)
          ipc.send("collect")
          say(promise:pawait())
        end
        quit()
      ]],
    }
    assert.equal([[
false Error invoking remote method 'lost': reply was never sent
false Error invoking remote method 'stuck': reply was never sent
]], output)
  end)

  it("is not taken for collected when an older one's task is", function()
    local output = ipc.output {
      main = [[
        local release
        ipcMain.handle("brief", function() lunette.sleep(1) end)
        ipcMain.handle("long", function(_, i)
          local promise, resolve = lunette.Promise.withResolvers()
          release = resolve
          collectgarbage() collectgarbage()
          promise:await()
          return i
        end)
        ipcMain.on("release", function() collectgarbage() release() end)
      ]],
      page = [[
        for i = 1, 20 do
          ipc.invoke("brief"):await()
          local promise = ipc.invoke("long", i)
          ipc.send("release")
          assert(promise:await() == i)
        end
        quit()
      ]],
    }
    assert.equal("", output)
  end)

  it("keeps a handler that awaits alive through collections", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("ask", function()
          lunette.sleep(20)
          return "here"
        end)
        ipcMain.on("collect", function() collectgarbage() collectgarbage() end)
      ]],
      page = [[
        local promise = ipc.invoke("ask")
        ipc.send("collect")
        say(promise:await())
        quit()
      ]],
    }
    assert.equal('"here"\n', output)
  end)
end)
