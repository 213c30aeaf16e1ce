-- SPDX-License-Identifier: MIT
-- webPreferences.limits: what each of them sets, on both sides, and what says so.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

describe("limits.depth", function()
  it("bounds the app's messages both ways, in each codec", function()
    for codec, what in pairs { clone = "could not clone %s 1", json = "could not encode" } do
      local output = ipc.output {
        preferences = ("{ limits = { depth = 2 }, codec = %q }"):format(codec),
        main = [[
          local contents
          ipcMain.handle("echo", function(event, ...) contents = event.sender return ... end)
          ipcMain.handle("deep", function() return { { {} } } end)
          ipcMain.on("main", function()
            say(select(2, pcall(contents.send, contents, "x", { { {} } })))
            contents:send("x", { { "two" } })
          end)
        ]],
        page = [[
          say(ipc.invoke("echo", { { 7 } }):await()[1][1])
          for _, verb in ipairs { "send", "invoke", "sendSync" } do
            say(select(2, pcall(ipc[verb], "echo", { { {} } })))
          end
          say(ipc.invoke("deep"):pawait())
          ipc.on("x", function(_, value) say(value[1][1]) quit() end)
          ipc.send "main"
        ]],
      }
      local text = ": nested deeper than 2 tables (limit depth)"
      local argument = ("%q\n"):format(what:format "argument" .. text)
      assert.equal("7\n" .. argument:rep(3) .. "false Error invoking remote method 'deep': "
        .. what:format "result" .. text .. "\n" .. argument .. '"two"\n', output, codec)
    end
  end)

  it("is not for what the runtime itself sends", function()
    local output = ipc.output {
      preferences = "{ limits = { depth = 1 }, preload = 'preload.lua' }",
      main = [[
        ipcMain.handle("raise", function() error { message = "no", more = { list = { 1 } } } end)
      ]],
      page = "",
      files = { ["preload.lua"] = [[
        local _, err = ipc.invoke("raise"):pawait()
        say(err, err.more.list[1])
        quit()
      ]] },
    }
    assert.equal("Error invoking remote method 'raise': no 1\n", output)
  end)
end)

describe("limits.openInvokes", function()
  local TEXT <const> = "3 questions wait for their answers already (limit openInvokes)"

  it("bounds what a page may ask at once, and not what it asks in all", function()
    local output = ipc.output {
      preferences = "{ limits = { openInvokes = 3 } }",
      main = [[
        local answer = {}
        ipcMain.handle("wait", function()
          return lunette.Promise.new(function(resolve) answer[#answer + 1] = resolve end)
        end)
        ipcMain.on("answer", function() table.remove(answer, 1)("answered") end)
      ]],
      page = [[
        local first = ipc.invoke("wait")
        ipc.invoke("wait") ipc.invoke("wait")
        say(select(2, pcall(ipc.invoke, "wait")))
        say(select(2, pcall(ipc.sendSync, "wait")))
        ipc.send "answer"
        say(first:await())
        say(ipc.invoke("wait"):status())
        quit()
      ]],
    }
    assert.equal(('%q\n%q\n"answered"\n"pending"\n'):format(TEXT, TEXT), output)
  end)

  it("bounds what main may ask a page", function()
    local output = ipc.output {
      preferences = "{ limits = { openInvokes = 3 } }",
      main = [[
        local win, load = open()
        load:await()
        local contents = win.webContents
        for _ = 1, 3 do contents:invoke("wait"):catch(function() end) end
        say(select(2, pcall(contents.invoke, contents, "wait")))
        quit()
      ]],
      page = [[ ipc.handle("wait", function() lunette.sleep(1e9) end) ]],
    }
    assert.equal(("%q\n"):format(TEXT), output)
  end)
end)

describe("limits.waitingListeners", function()
  local PREFERENCES <const> = "{ limits = { waitingListeners = 3 } }"
  local GONE <const> = '{exitCode = 9, reason = "crashed"}\n'

  -- What an app prints that tells how its page ends, and what is on standard error.
  local function run(main, page, preferences)
    local result = ipc.run {
      preferences = preferences or PREFERENCES,
      main = [[
        local win, load = open()
        local contents = win.webContents
        contents:on("render-process-gone", function(_, details) say(details) quit() end)
      ]] .. main,
      page = page,
    }
    return result.stdout, result.stderr
  end

  local function fault(name)
    return ("lunette: closing the link to %s: it sent more than 3 messages whose listeners wait "
      .. "(limit waitingListeners)\n"):format(name)
  end

  it("bounds the messages of a page whose listeners wait", function()
    local stdout, stderr = run([[
      ipcMain.on("wait", function(_, i) say(i) lunette.sleep(1e9) end)
    ]], "for i = 1, 9 do ipc.send('wait', i) end")
    assert.equal("1\n2\n3\n4\n" .. GONE, stdout)
    assert.equal(fault "the renderer of WebContents #1", stderr)
  end)

  it("counts every listener to a message, and those to the events of the runtime's own", function()
    local stdout, stderr = run([[
      for _ = 1, 2 do ipcMain.on("wait", function() lunette.sleep(1e9) end) end
      contents:on("console-message", function(_, line)
        say(line.message)
        lunette.sleep(1e9)
      end)
    ]], "ipc.send 'wait' print 'one' print 'two' print 'three'")
    assert.equal('one\n"one"\ntwo\n"two"\n' .. GONE, stdout)
    assert.equal(fault "the renderer of WebContents #1", stderr)
  end)

  it("bounds main's messages to a page, which ends", function()
    local stdout, stderr = run([[
      ipcMain.on("here", function(_, i) say(i) end)
      load:await()
      for i = 1, 9 do contents:send("wait", i) end
    ]], "ipc.on('wait', function(_, i) ipc.send('here', i) lunette.sleep(1e9) end)")
    assert.matches('^[1-4\n]*{exitCode = %d+, reason = "[%a-]+"}\n$', stdout)
    assert.equal(fault "main", stderr)
  end)

  it("counts none that has returned, raised, been closed, or can never be woken", function()
    local stdout, stderr = run([[
      contents:removeAllListeners "console-message"
      lunette.process.on("uncaughtException", function() end)
      local ended = 0
      local function finish() ended = ended + 1 end
      ipcMain.on("return", function() lunette.sleep(1) finish() end)
      ipcMain.on("raise", function() lunette.sleep(1) finish() error "no" end)
      ipcMain.on("never", function() finish() lunette.Promise.new(function() end):await() end)
      ipcMain.on("close", function()
        local co = coroutine.running()
        lunette.setTimeout(function() coroutine.close(co) finish() end, 1)
        lunette.sleep(1e9)
      end)
      ipcMain.handle("ended", function(_, count)
        while ended < count do lunette.sleep(1) end
        return ended
      end)
      ipcMain.on("quit", function() quit() end)
    ]], [[
      local sent = 0
      for _, channel in ipairs { "return", "raise", "never", "close" } do
        for _ = 1, 5 do
          for _ = 1, 3 do ipc.send(channel) end
          sent = sent + 3
          ipc.invoke("ended", sent):await()
        end
      end
      local questions = {}
      for i = 1, 9 do questions[i] = ipc.invoke("ended", sent) end
      say(lunette.Promise.all(questions):await()[9])
      ipc.send "quit"
    ]])
    assert.equal("60\n", stdout)
    assert.equal("", stderr)
  end)
end)

describe("limits.values and channelSize", function()
  it("bound the app's messages both ways", function()
    for _, codec in ipairs { "clone", "json" } do
      local output = ipc.output {
        preferences = ("{ limits = { values = 2, channelSize = 9 }, codec = %q }"):format(codec),
        main = [[
          local win, load = open()
          local contents = win.webContents
          ipcMain.handle("echo", function(_, ...) return ... end)
          ipcMain.handle("many", function() return 1, 2, 3 end)
          load:await()
          for _, verb in ipairs { "send", "invoke" } do
            say(select(2, pcall(contents[verb], contents, "x", 1, 2, 3)))
            say(select(2, pcall(contents[verb], contents, ("c"):rep(10))))
          end
          contents:send "go"
        ]],
        page = [[
          ipc.on("go", function()
            say(ipc.invoke("echo", 1, 2):await())
            for _, verb in ipairs { "send", "invoke", "sendSync" } do
              say(select(2, pcall(ipc[verb], "echo", 1, 2, 3)))
              say(select(2, pcall(ipc[verb], ("c"):rep(10))))
            end
            say(ipc.invoke("many"):pawait())
            quit()
          end)
        ]],
      }
      local values = "more than 2 values in one message (limit values)"
      local raised = ("%q\n%q\n"):format(values,
        "the channel is longer than 9 bytes (limit channelSize)")
      assert.equal(raised:rep(2) .. "1 2\n" .. raised:rep(3)
        .. "false Error invoking remote method 'many': " .. values .. "\n", output, codec)
    end
  end)
end)

describe("limits.descriptors", function()
  app.it_in_process("bounds what a page without a sandbox may open", function()
    local output = ipc.output {
      preferences = "{ sandbox = false, limits = { descriptors = 40 } }",
      page = [[
        local files, failure = {}, nil
        repeat
          local file, err = io.open "/dev/null"
          files[#files + 1], failure = file, err
        until not file
        say(#files < 40 and #files > 10, failure)
        quit()
      ]],
    }
    assert.equal('true "/dev/null: Too many open files"\n', output)
  end)

  app.it_in_process("bounds a sandboxed page's process, too", function()
    local output = ipc.output {
      main = [[
        local win, load = open("page.lua", { limits = { descriptors = 40 } })
        load:await()
        local file = io.open(("/proc/%d/limits"):format(win.webContents:getOSProcessId()))
        say(file:read("a"):match "Max open files%s+(%d+)%s+(%d+)")
        quit()
      ]],
    }
    assert.equal('"40" "40"\n', output)
  end)
end)

describe("limits.messageSize and queueSize", function()
  it("are no larger than the memory of the page, unless they are set", function()
    local output = ipc.output {
      main = [[
        opened = true
        app.whenReady():await()
        local function try(limits, size)
          local preferences = { memoryLimit = 4 << 20, limits = limits }
          local contents = BrowserWindow.new { webPreferences = preferences }.webContents
          local text = ("x"):rep(size)
          say(select(2, pcall(contents.send, contents, "x", text)))
          while pcall(contents.send, contents, "x", ("x"):rep(1 << 20)) do end
          say(select(2, pcall(contents.send, contents, "x")))
        end
        try(nil, 5 << 20)
        try({ messageSize = 6 << 20, queueSize = 7 << 20 }, 5 << 20)
        quit()
      ]],
    }
    local size = "could not clone argument 1: larger than 4194304 bytes (limit messageSize)"
    local queue = "more than %d bytes wait for the receiver already (limit queueSize)"
    assert.equal(('%q\n%q\ntrue\n%q\n'):format(size, queue:format(4 << 20), queue:format(7 << 20)),
      output)
  end)
end)

describe("a limit", function()
  it("cannot be set beyond what the runtime can do", function()
    local output = ipc.output {
      main = [[
        opened = true
        app.whenReady():await()
        local most = {
          messageSize = 1 << 31, depth = 1001, openInvokes = (1 << 20) + 1,
          values = (1 << 16) + 1, channelSize = 1 << 16, waitingListeners = 1 << 31,
        }
        for _, name in ipairs {
          "messageSize", "depth", "openInvokes", "values", "channelSize", "waitingListeners",
        } do
          local preferences = { limits = { [name] = most[name] } }
          say(select(2, pcall(function()
            BrowserWindow.new { webPreferences = preferences }
          end)))
        end
        for _, name in ipairs { "backlog", "descriptors" } do
          local preferences = { limits = { [name] = 0 } }
          say(select(2, pcall(BrowserWindow.new, { webPreferences = preferences })))
        end
        say(#BrowserWindow.getAllWindows())
        quit()
      ]],
    }
    assert.equal([[
"main.lua:13: webPreferences.limits.messageSize must be at most 2147483647, got 2147483648"
"main.lua:13: webPreferences.limits.depth must be at most 1000, got 1001"
"main.lua:13: webPreferences.limits.openInvokes must be at most 1048576, got 1048577"
"main.lua:13: webPreferences.limits.values must be at most 65536, got 65537"
"main.lua:13: webPreferences.limits.channelSize must be at most 65535, got 65536"
"main.lua:13: webPreferences.limits.waitingListeners must be at most 2147483647, got 2147483648"
"BrowserWindow: option 'webPreferences.limits.backlog' must be a positive integer, got 0"
"BrowserWindow: option 'webPreferences.limits.descriptors' must be a positive integer, got 0"
0
]], output)
  end)
end)
