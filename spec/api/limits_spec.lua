-- SPDX-License-Identifier: MIT
-- The limits of the contract: sizes, depth, water marks, and how much of it there may be at once.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

-- Two huge turns take seconds; machines under a sanitizer or under load take longer.
local GENEROUS <const> = 6 * app.DEADLINE

describe("the message size", function()
  local LIMITS <const> = "{ limits = { messageSize = 1000 } }"

  it("raises on the sending side, and the next message works", function()
    local output = ipc.output {
      preferences = LIMITS,
      main = [[ ipcMain.handle("echo", function(_, ...) return ... end) ]],
      page = [[
        local large = ("x"):rep(1001)
        for _, verb in ipairs { "send", "invoke", "sendSync" } do
          say((select(2, pcall(function() ipc[verb]("echo", 1, large) end))))
        end
        say((select(2, pcall(function() ipc.sendTo(1, "echo", large) end))))
        say(ipc.invoke("echo", "next"):await())
        quit()
      ]],
    }
    local text = "could not clone argument %d: larger than 1000 bytes (limit messageSize)"
    local verb = ('"page.lua:4: %s"\n'):format(text:format(2)):rep(3)
    assert.equal(verb .. ('"page.lua:6: %s"\n"next"\n'):format(text:format(1)), output)
  end)

  it("is for the body of a message, whatever its channel", function()
    local output = ipc.output {
      preferences = LIMITS,
      main = [[ ipcMain.handle(("c"):rep(5000), function(_, text) return text end) ]],
      page = [[
        local most
        for size = 900, 1000 do
          if pcall(ipc.send, "x", ("x"):rep(size)) then most = size end
        end
        say(#ipc.invoke(("c"):rep(5000), ("x"):rep(most)):await(), 1000 - most < 10)
        quit()
      ]],
    }
    local size = output:match "^(%d+) true\n$"
    assert.is_true(size and tonumber(size) > 990, output)
  end)

  it("rejects an invoke whose result is too large, and raises for event.returnValue", function()
    local output = ipc.output {
      preferences = LIMITS,
      main = [[
        ipcMain.handle("large", function() return ("x"):rep(1001) end)
        ipcMain.on("large", function(event)
          say(pcall(function() event.returnValue = ("x"):rep(1001) end))
          event.returnValue = "small"
        end)
      ]],
      page = [[
        say(ipc.invoke("large"):pawait())
        say(ipc.sendSync("large"))
        quit()
      ]],
    }
    local text = "could not clone result 1: larger than 1000 bytes (limit messageSize)"
    assert.equal("false Error invoking remote method 'large': " .. text .. "\n"
      .. 'false "main.lua:4: ' .. text .. '"\n"small"\n', output)
  end)

  it("leaves room for errors with their tracebacks, and says so when one is too large", function()
    local output = ipc.output {
      preferences = LIMITS,
      main = [[
        local function deep(n) if n == 0 then error "oops" end deep(n - 1) return n end
        ipcMain.handle("deep", function() deep(50) end)
        ipcMain.handle("large", function() error(("x"):rep(100000)) end)
      ]],
      page = [[
        local _, err = ipc.invoke("deep"):pawait()
        say(err, #err.traceback > 300)
        say(ipc.invoke("large"):pawait())
        quit()
      ]],
    }
    local text = "could not clone result 1: larger than 66536 bytes (limit messageSize)"
    assert.equal("Error invoking remote method 'deep': main.lua:2: oops true\n"
      .. "false Error invoking remote method 'large': " .. text .. "\n", output)
  end)

  it("lets pages be larger", function()
    local output = ipc.output {
      preferences = '{ limits = { messageSize = 10 }, codec = "json" }',
      page = "--" .. ("x"):rep(100000) .. "\n say(pcall(ipc.send, 'x', ('x'):rep(9))) quit()",
    }
    assert.equal('false "could not encode: larger than 10 bytes (limit messageSize)"\n', output)
  end)

  it("is 256 MiB unless it is set", function()
    local output = ipc.output {
      deadline = GENEROUS,
      main = [[ ipcMain.on("large", function() say "it came" end) ]],
      page = [[
        say(pcall(ipc.send, "large", ("x"):rep(256 << 20)))
        quit()
      ]],
    }
    local text = "could not clone argument 1: larger than 268435456 bytes (limit messageSize)"
    assert.equal(('false %q\n'):format(text), output)
  end)

  it("may be larger than that", function()
    local output = ipc.output {
      deadline = GENEROUS,
      preferences = "{ limits = { messageSize = 300 << 20, queueSize = 400 << 20 } }",
      main = [[ ipcMain.on("large", function(_, text) say(#text) quit() end) ]],
      page = [[ ipc.send("large", ("x"):rep(257 << 20)) ]],
    }
    assert.equal((257 << 20) .. "\n", output)
  end)

  it("bounds what the values take in memory too, on the sending side", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("count", function(_, list) return #list end)
        lunette.spawn(function()
          for _, codec in ipairs { "clone", "json" } do
            local win = open("child.lua", { codec = codec, limits = { messageSize = 1 << 20 } })
            win.webContents:invoke("go"):await()
          end
          quit()
        end)
      ]],
      page = "",
      files = { ["child.lua"] = [[
        local function lists(count)
          local all = {}
          for i = 1, count do all[i] = { i % 10 } end
          return all
        end
        ipc.handle("go", function()
          say(ipc.invoke("count", lists(100000)):await())
          say((select(2, pcall(ipc.invoke, "count", lists(230000)))))
          say(ipc.invoke("count", ('[,[,"'):rep(150000)):await())
        end)
      ]] },
    }
    assert.equal("100000\n\"could not clone argument 1: its values would take more than 20971520 "
      .. "bytes of memory, too much for a message of 1048576 bytes (limit messageSize)\"\n750000\n"
      .. "100000\n\"could not encode: values that would take too much memory for a message of "
      .. "1048576 bytes (limit messageSize)\"\n750000\n", output)
  end)

  it("also bounds a channel", function()
    local output = ipc.output {
      main = [[ ipcMain.on(("c"):rep(65535), function() say "it came" end) ]],
      page = [[
        ipc.send(("c"):rep(65535))
        say(select(2, pcall(function() ipc.send(("c"):rep(65536)) end)))
        quit()
      ]],
    }
    local text = "the channel is longer than 65535 bytes (limit channelSize)"
    assert.equal(('"it came"\n"page.lua:3: %s"\n'):format(text), output)
  end)
end)

describe("the number of values", function()
  it("of one message may be 65,536, and no more", function()
    for _, codec in ipairs { "clone", "json" } do
      local output = ipc.output {
        preferences = ("{ codec = %q }"):format(codec),
        main = [[
          ipcMain.handle("ask", function(_, ...) return ... end)
          ipcMain.on("sync", function(event, ...) event.returnValue = select("#", ...) end)
          ipcMain.on("send", function(event, ...) event:reply("reply", ...) end)
        ]],
        page = [[
          ipc.on("reply", function(_, ...) say((select("#", ...))) end)
          local function unpack(n) return table.unpack({}, 1, n) end
          ipc.send("send", unpack(65536))
          say((select("#", ipc.invoke("ask", unpack(65536)):await())))
          say(ipc.sendSync("sync", unpack(65536)))
          say(select(2, pcall(function() ipc.send("x", unpack(65537)) end)))
          say(select(2, pcall(function() ipc.sendSync("x", unpack(65537)) end)))
          quit()
        ]],
      }
      local text = "more than 65536 values in one message (limit values)"
      local raised = ('"page.lua:7: %s"\n"page.lua:8: %s"\n'):format(text, text)
      assert.equal(("65536\n"):rep(3) .. raised, output)
    end
  end)

  it("of a result is bounded as well", function()
    local output = ipc.output {
      main = [[ ipcMain.handle("ask", function(_, n) return table.unpack({}, 1, n) end) ]],
      page = [[
        say((select("#", ipc.invoke("ask", 65536):await())))
        say(ipc.invoke("ask", 65537):pawait())
        quit()
      ]],
    }
    local text = "more than 65536 values in one message (limit values)"
    assert.equal("65536\nfalse Error invoking remote method 'ask': " .. text .. "\n", output)
  end)
end)

describe("nesting", function()
  local NEST <const> = [[
    local function nest(depth)
      local value = {}
      for _ = 2, depth do value = { value } end
      return value
    end
  ]]

  it("may be 1,000 tables deep, counted from the argument, and no deeper", function()
    for codec, text in pairs {
      clone = "could not clone argument 2: nested deeper than 1000 tables (limit depth)",
      json = "could not encode argument 2: nested deeper than 1000 tables (limit depth)",
    } do
      local output = ipc.output {
        preferences = ("{ codec = %q }"):format(codec),
        main = [[ ipcMain.handle("echo", function(_, ...) return ... end) ]],
        page = NEST .. [[
          local back, depth = ipc.invoke("echo", nest(1000), nest(1000)):await(), 0
          while back do back, depth = back[1], depth + 1 end
          say(depth, select(2, pcall(ipc.send, "x", 1, nest(1001))))
          say(ipc.invoke("echo", "next"):await())
          quit()
        ]],
      }
      assert.equal(('1000 %q\n"next"\n'):format(text), output)
    end
  end)

  it("rejects an invoke whose result is too deep", function()
    local output = ipc.output {
      main = NEST .. [[
        ipcMain.handle("deep", function() return nest(1001) end)
        ipcMain.handle("raise", function() error { message = "no", deep = nest(5000), n = 1 } end)
      ]],
      page = [[
        say(ipc.invoke("deep"):pawait())
        local _, err = ipc.invoke("raise"):pawait()
        say(err, err.deep, err.n)
        quit()
      ]],
    }
    local text = "could not clone result 1: nested deeper than 1000 tables (limit depth)"
    assert.equal("false Error invoking remote method 'deep': " .. text
      .. "\nError invoking remote method 'raise': no nil 1\n", output)
  end)
end)

describe("the water marks", function()
  it("make send false for a slow reader, until drained", function()
    local output = ipc.output {
      main = [[
        local win, load = open()
        load:await()
        local contents = win.webContents
        say(contents:drained():status(), contents:send("work"))
        local sent, text = 0, ("x"):rep(1 << 20)
        while contents:send("chunk", text) do sent = sent + 1 end
        say(sent >= 7 and sent < 12)
        local drained = contents:drained()
        say(drained:status(), contents:send("small"))
        drained:await()
        say(contents:send("small"))
        quit()
      ]],
      page = [[
        ipc.on("work", function()
          local begun = os.clock()
          repeat until os.clock() - begun > 0.2
        end)
      ]],
    }
    assert.equal('"fulfilled" true\ntrue\n"pending" false\ntrue\n', output)
  end)

  it("are 8 MiB unless they are set", function()
    local output = ipc.output {
      main = [[
        opened = true
        app.whenReady():await()
        local contents = BrowserWindow.new().webContents
        local text = ("x"):rep((8 << 20) - 100)
        say(contents:send("x", text), contents:send("x", ("x"):rep(100)))
        quit()
      ]],
    }
    assert.equal("true false\n", output)
  end)

  it("are the page's too", function()
    local output = ipc.output {
      preferences = "{ limits = { highWaterMark = 1 << 20 } }",
      main = [[
        local bytes = 0
        ipcMain.on("chunk", function(_, text) bytes = bytes + #text end)
        ipcMain.on("end", function() say(bytes % 100000, bytes > 1000000) quit() end)
        ipcMain.on("block", function()
          local begun = lunette.process.hrtime()
          repeat until lunette.process.hrtime() - begun > 50000000
        end)
      ]],
      page = [[
        ipc.send("block")
        local text = ("x"):rep(100000)
        local sent = 0
        while ipc.send("chunk", text) do sent = sent + 1 end
        say(sent >= 10)
        ipc.drained():await()
        say(ipc.send("chunk", ""))
        ipc.send("end")
      ]],
    }
    assert.equal("true\ntrue\n0 true\n", output)
  end)

  -- The question is written, and all that waits before it, where no turn of the loop sees it.
  it("tell of the room that was made while sendSync waited", function()
    local output = ipc.output {
      preferences = "{ unresponsiveTimeout = 0, limits = { highWaterMark = 1 << 20 } }",
      main = [[
        ipcMain.on("block", function() lunette.uv.sleep(400) end)
        ipcMain.on("chunk", function() lunette.uv.sleep(20) end)
        ipcMain.on("ask", function(event) event.returnValue = true end)
        ipcMain.handle("warm", function() end)
        ipcMain.on("end", quit)
      ]],
      page = [[
        for _ = 1, 300 do ipc.invoke("warm"):await() end -- until it goes over pipes
        for _, size in ipairs { 20000, 1 << 18 } do
          ipc.send("block")
          lunette.sleep(20)
          local text = ("x"):rep(size) -- once: main must be slower than this page
          while ipc.send("chunk", text) do end
          local drained = ipc.drained()
          local before, answer = drained:status(), ipc.sendSync("ask")
          drained:await() -- nothing else is sent meanwhile
          say(before, answer)
        end
        ipc.send("end")
      ]],
    }
    assert.equal('"pending" true\n"pending" true\n', output)
  end)

  it("do not count what came while sendSync waited: the answer may wait for drained", function()
    local output = ipc.output {
      preferences = "{ unresponsiveTimeout = 0 }",
      main = [[
        ipcMain.on("ask", function(event)
          local text = ("x"):rep(5 << 20)
          for n = 1, 3 do event.sender:send("chunk", n, text) end
          event.sender:drained():await() -- at once, if the page was as fast
          event.returnValue = "drained"
        end)
      ]],
      page = [[
        ipc.on("chunk", function(_, n, text)
          say(n, #text)
          if n == 3 then quit() end
        end)
        say(ipc.sendSync("ask"))
      ]],
    }
    local chunks = "1 5242880\n2 5242880\n3 5242880\n"
    assert.equal('"drained"\n' .. chunks, output)
  end)

  it("raise past the hard limit, sending nothing, and answers still go", function()
    local output = ipc.output {
      preferences = "{ limits = { queueSize = 1 << 20, highWaterMark = 1 << 19 } }",
      main = [[
        opened = true
        app.whenReady():await()
        local win = BrowserWindow.new { webPreferences = { limits = { queueSize = 1000 } } }
        local contents = win.webContents
        local count = 0
        while pcall(contents.send, contents, "n", ("x"):rep(100)) do count = count + 1 end
        say(count)
        say(select(2, pcall(function() contents:send("n") end)))
        say(select(2, pcall(function() contents:invoke("n") end)))
        ipcMain.on("ready", function() contents:send("end", count) end)
        win:loadFile("page.lua")
      ]],
      page = [[
        local came = 0
        ipc.on("n", function() came = came + 1 end)
        ipc.on("end", function(_, sent) say(came == sent) quit() end)
        ipc.send("ready")
      ]],
    }
    local text = "more than 1000 bytes wait for the receiver already (limit queueSize)"
    local lines = ('"main.lua:9: %s"\n"main.lua:10: %s"\n'):format(text, text)
    assert.equal("9\n" .. lines .. "true\n", (output:gsub("^%d+", "9")))
  end)

  -- To another process, 8 MiB lie in shared memory beside the queue.
  it("raise past the hard limit for large strings, though the soft one is larger", function()
    local output = ipc.output {
      preferences = "{ limits = { queueSize = 1 << 20, highWaterMark = 1 << 30 } }",
      main = [[
        ipcMain.handle("warm", function() end)
        ipcMain.on("block", function() lunette.uv.sleep(500) end)
        ipcMain.on("end", quit)
      ]],
      page = [[
        for _ = 1, 20 do ipc.invoke("warm", ("x"):rep(1 << 18)):await() end
        ipc.send("block")
        lunette.sleep(20)
        local sent, text = 0, ("x"):rep(1 << 20)
        while sent < 50 and pcall(ipc.send, "chunk", text) do sent = sent + 1 end
        say(sent > 0 and sent < 50 or sent)
        while not pcall(ipc.send, "end") do lunette.sleep(10) end
      ]],
    }
    assert.equal("true\n", output)
  end)

  app.it_in_process("do not keep a page that filled its queue from having loaded", function()
    local output = ipc.output {
      preferences = "{ limits = { queueSize = 1 << 20 } }",
      main = [[
        local win, load = open()
        load:await()
        say "loaded"
        quit()
      ]],
      page = [[
        local text = ("x"):rep(8 << 20)
        while pcall(ipc.send, "n", text) do end -- faster than main can read it
      ]],
    }
    assert.equal('"loaded"\n', output)
  end)

  it("answer a page that has filled main's queue to it, once it reads", function()
    local output = ipc.output {
      preferences = "{ limits = { queueSize = 4 << 20 } }",
      main = [[
        local text = ("x"):rep(1 << 16)
        ipcMain.handle("ask", function(_, i) return i, text end)
      ]],
      page = [[
        local open = 500
        for i = 1, 500 do
          ipc.invoke("ask", i):andThen(function(n)
            assert(n == i)
            open = open - 1
            if open == 0 then say "all answered" quit() end
          end)
        end
        local begun = os.clock()
        repeat until os.clock() - begun > 0.2
      ]],
    }
    assert.equal('"all answered"\n', output)
  end)

  it("settle what waits for drained when the queue was filled before the load", function()
    local output = ipc.output {
      main = [[
        opened = true
        app.whenReady():await()
        local win = BrowserWindow.new()
        local contents = win.webContents
        say(contents:send("x", ("x"):rep(9 << 20)))
        local drained = contents:drained()
        say(drained:status())
        win:loadFile("page.lua")
        drained:await()
        say(contents:send("y"))
        quit()
      ]],
    }
    assert.equal('false\n"pending"\ntrue\n', output)
  end)

  it("forget a drained promise that was cancelled", function()
    local output = ipc.output {
      main = [[
        local win, load = open()
        load:await()
        local contents = win.webContents
        contents:send("x", ("x"):rep(9 << 20))
        contents:drained():cancel()
        contents:drained():await()
        quit()
      ]],
    }
    assert.equal("", output)
  end)

  it("say so when a line is too large to be printed", function()
    local output = ipc.output {
      preferences = "{ limits = { messageSize = 1000 } }",
      page = [[ print(("x"):rep(100000)) print "next" quit() ]],
    }
    local text = "could not clone argument 2: larger than 66536 bytes (limit messageSize)"
    assert.equal("(a line is not shown: " .. text .. ")\nnext\n", output)
  end)

  it("make a page that prints too fast wait, and lose no line", function()
    local output = ipc.output {
      preferences = "{ limits = { highWaterMark = 10000, queueSize = 20000 } }",
      page = [[ for i = 1, 5000 do print(i, ("x"):rep(100)) end quit() ]],
    }
    local expected = 0
    for number in output:gmatch "(%d+)\tx+\n" do
      expected = expected + 1
      assert.equal(expected, tonumber(number))
    end
    assert.equal(5000, expected)
  end)
end)

describe("a huge turn", function()
  it("of a million sends arrives in order", function()
    local output = ipc.output {
      deadline = GENEROUS,
      main = [[
        local count = 0
        ipcMain.on("n", function(_, n)
          count = count + 1
          if n ~= count then error(n .. " came as number " .. count) end
          if n == 1000000 then say(count) quit() end
        end)
      ]],
      page = [[ for i = 1, 1000000 do ipc.send("n", i) end ]],
    }
    assert.equal("1000000\n", output)
  end)

  it("of a million messages from main arrives in order", function()
    local output = ipc.output {
      deadline = GENEROUS,
      main = [[
        local contents = open().webContents
        for i = 1, 1000000 do contents:send("n", i) end
      ]],
      page = [[
        local count = 0
        ipc.on("n", function(_, n)
          count = count + 1
          if n ~= count then error(n .. " came as number " .. count) end
          if n == 1000000 then say(count) quit() end
        end)
      ]],
    }
    assert.equal("1000000\n", output)
  end)

  it("of 100,000 invokes one after the other takes seconds", function()
    local output = ipc.output {
      deadline = GENEROUS,
      main = [[ ipcMain.handle("inc", function(_, n) return n + 1 end) ]],
      page = [[
        local n = 0
        for _ = 1, 100000 do n = ipc.invoke("inc", n):await() end
        say(n)
        quit()
      ]],
    }
    assert.equal("100000\n", output)
  end)

  it("of 100,000 invokes at once has an answer for each", function()
    local output = ipc.output {
      deadline = GENEROUS,
      main = [[ ipcMain.handle("double", function(_, n) return 2 * n end) ]],
      page = [[
        local promises = {}
        for i = 1, 100000 do promises[i] = ipc.invoke("double", i) end
        for i, promise in ipairs(promises) do assert(promise:await() == 2 * i) end
        say(#promises)
        quit()
      ]],
    }
    assert.equal("100000\n", output)
  end)
end)
