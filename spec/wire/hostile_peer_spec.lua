-- SPDX-License-Identifier: MIT
-- A page without a sandbox writes to its link what no renderer of ours would: that closes its link,
-- main says why, and nothing else changes.
local ipc = require "spec.support.ipc"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local GOOD <const> = [[
  ipc.handle("ask", function(_, n) return ipc.invoke("double", n):await() end)
]]

-- An app with a good page and, beside it, one that runs `attack` once main's "go" has come. It has
-- `wire` (support/wire.lua) and `write(bytes)`. `main` is run before, with `good` and `hostile` for
-- the web contents; behind it main waits for the end of the hostile one, and that the good page
-- still works. `preferences`: more of them, for the hostile one.
local function attack(code, main, preferences)
  local files = ipc.files {
    main = [[
      ipcMain.handle("double", function(_, n) return 2 * n end)
      local good = open("good.lua").webContents
      local win, load = open("page.lua", { sandbox = false, ]] .. (preferences or "") .. [[ })
      local hostile = win.webContents
      load:await()
      hostile:on("render-process-gone", function(_, details)
        say(details.reason)
        say(good:invoke("ask", 21):await(), good:isCrashed())
        hostile:reload():await()
        say(hostile:isCrashed())
        quit()
      end)
    ]] .. (main or "") .. [[
      if not hostile:isDestroyed() then hostile:send "go" end
    ]],
    page = [[
      local wire = require "wire"
      local function write(bytes, fd)
        assert(lunette.uv.fs_write(fd or wire.LINK_FD, bytes, -1))
      end
      ipc.on("go", function() ]] .. code .. [[ end)
    ]],
    files = { ["good.lua"] = GOOD },
  }
  files["wire.lua"] = read "spec/support/wire.lua"
  return ipc.run_files(files)
end

-- Runs the attack, of which main must say that it sent `fault`.
local function expect_fault(fault, code, main, preferences)
  local result = attack(code, main, preferences)
  local text = "lunette: closing the link to the renderer of WebContents #2: it sent "
  assert.equal(text .. fault .. "\n", result.stderr)
  assert.equal('"crashed"\n42 false\nfalse\n', result.stdout)
  assert.equal(0, result.status)
end

-- Sends one packet on the channel "x", of this kind and with these fields (both Lua text), which is
-- not delivered, nor is what follows it.
local function expect_refused(fault, kind, fields)
  local packet = "write(wire.packet(%s, { channel = 'x', %s }))"
  expect_fault(fault, packet:format(kind, fields or "") .. packet:format("wire.MESSAGE", ""), [[
    ipcMain.on("x", function() say "a packet came" end)
  ]])
end

describe("a hostile peer", function()
  it("that sends a kind which it may not send loses its link", function()
    for _, kind in ipairs { "0", "10", "255", "wire.BOOT" } do
      expect_refused("a packet of a kind that this peer may not send", kind)
    end
  end)

  it("that sends unknown flags loses its link", function()
    expect_refused("a packet with unknown flags", "wire.MESSAGE", "flags = 16")
    expect_refused("a packet with unknown flags", "wire.INVOKE", "flags = 128")
  end)

  it("that lies about lengths loses its link", function()
    local fault = "a packet larger than the limit messageSize"
    expect_refused(fault, "wire.MESSAGE", "size = 0xffffffff")
    fault = "a packet whose channel is longer than the packet"
    expect_refused(fault, "wire.MESSAGE", "channel_size = 2")
    expect_refused("the message ends too early", "wire.MESSAGE", [[body = "\0"]])
  end)

  it("that sends a body which is no list of values loses its link, whatever the kind", function()
    for _, kind in ipairs { "MESSAGE", "INVOKE", "SYNC", "SEND_TO" } do
      expect_refused("an unknown tag", "wire." .. kind, [[id = 1, body = "\0\1\xb8"]])
    end
    local function refuse_body(fault, body)
      expect_refused(fault, "wire.MESSAGE", "body = " .. body)
    end
    refuse_body("bytes behind the end of the message", "wire.body(1) .. 'x'")
    refuse_body("a function came where none can", [["\0\1\xa7\1\1"]])
    refuse_body("a table larger than the message", [["\0\1\xdf\0\xa8"]])
    local deep = [["\0\1" .. ("\xc0\1"):rep(1000) .. "\xc0\0"]]
    refuse_body("tables nested too deep (limit depth)", deep)
  end)

  it("that sends bad JSON loses its link", function()
    local fault = "bad JSON: could not decode: a list expected"
    expect_refused(fault, "wire.MESSAGE", "flags = wire.JSON, body = '{}'")
    local result = attack "write(wire.packet(wire.MESSAGE, { flags = wire.JSON, body = '[1' }))"
    assert.matches("#2: it sent bad JSON: ", result.stderr, 1, true)
  end)

  it("that sends more values than a message may have loses its link", function()
    local fault = "more values in one message than the limit values"
    local body = [[body = "\0\x81\x80\4" .. ("\xa0"):rep(65537)]]
    for _, kind in ipairs { "MESSAGE", "INVOKE", "SYNC", "SEND_TO" } do
      expect_refused(fault, "wire." .. kind, "id = 1, " .. body)
    end
    body = [[body = "[" .. ("0,"):rep(65536) .. "0]"]]
    expect_refused(fault, "wire.MESSAGE", "flags = wire.JSON, " .. body)
    local packet = [[write(wire.packet(wire.MESSAGE, { body = wire.body(1, 2) }))]]
    expect_fault(fault, packet, nil, "limits = { values = 1 }")
  end)

  it("that sends a longer channel than it may have loses its link", function()
    local packet = [[write(wire.packet(wire.%s, { id = 1, channel = "xxxxx" }))]]
    for _, kind in ipairs { "MESSAGE", "INVOKE", "SYNC", "SEND_TO" } do
      expect_fault("a channel longer than the limit channelSize", packet:format(kind), nil,
        "limits = { channelSize = 4 }")
    end
  end)

  it("that sends few bytes which would take much memory loses its link", function()
    local fault = "values that take too much memory (limit messageSize)"
    local packet = "write(wire.packet(wire.%s, { id = 1, %s }))"
    local limits = "limits = { messageSize = 1 << 20 }"
    for _, kind in ipairs { "MESSAGE", "INVOKE", "SYNC", "SEND_TO" } do
      local body = [[body = "\0\1\xc0\x80\x80\x10" .. ("\xc0\0"):rep(1 << 18)]]
      expect_fault(fault, packet:format(kind, body), nil, limits)
    end
    local body = [=[flags = wire.JSON, body = "[[" .. ("[],"):rep(200000) .. "0]]"]=]
    expect_fault(fault, packet:format("MESSAGE", body), nil, limits)
  end)

  it("that speaks of shared memory which is not there loses its link", function()
    local blocks = "flags = wire.SHARED, body = ('\\1'):rep(8)"
    expect_refused("a packet in shared memory that is not there", "wire.MESSAGE", blocks)
    local fault = "a packet without the blocks that it shares"
    expect_refused(fault, "wire.MESSAGE", "flags = wire.SHARED, body = '7 bytes'")
    expect_refused("an answer to no offer of an upgrade", "wire.UPGRADE")
    expect_refused("a string outside of shared memory", "wire.MESSAGE", [[body = "\0\1\xa9\0\100"]])
  end)

  it("that lies about strings in shared memory loses its link", function()
    local share = [[
      for _ = 1, 4 do ipc.invoke("size", ("x"):rep(1 << 20)):await() end
    ]]
    local fault = "a string outside of shared memory"
    for _, string in ipairs {
      [[\0\1\xa9\xff\xff\xff\xff\x7f\xff\1]], [[\0\1\xa9\0\40]], [[\0\1\xa9\0\x81\x80\x80\4]],
    } do
      local packet = [[
        write(wire.packet(wire.MESSAGE, { channel = "z", body = "%s" }), wire.find_pipe())
      ]]
      expect_fault(fault, share .. packet:format(string), [[
        ipcMain.handle("size", function(_, text) return #text end)
        ipcMain.on("z", function() say "a packet came" end)
      ]])
    end
  end)

  it("that greets once more loses its link", function()
    expect_refused("a greeting once more", "wire.HELLO", "id = 1")
  end)

  it("that answers what nobody asked, or twice, loses its link", function()
    local fault = "an answer that nobody waits for"
    expect_refused(fault, "wire.REPLY", "id = 99")
    expect_refused(fault, "wire.REPLY", "id = 0xffffffff, flags = wire.ERROR")
    expect_fault(fault, "for _ = 1, 2 do write(wire.packet(wire.REPLY, { id = 1 })) end", [[
      hostile:invoke "ask"
    ]])
  end)

  it("that uses the number of an open question again loses its link", function()
    local fault = "a question with the number of an open one"
    local main = [[
      ipcMain.handle("stuck", function() lunette.sleep(1e6) end)
      ipcMain.on("stuck", function() lunette.sleep(1e6) end)
    ]]
    for _, kinds in ipairs { { "INVOKE", "INVOKE" }, { "SYNC", "INVOKE" }, { "INVOKE", "SYNC" } } do
      local packet = "write(wire.packet(wire.%s, { id = 5, channel = 'stuck' }))"
      expect_fault(fault, packet:format(kinds[1]) .. packet:format(kinds[2]), main)
    end
    expect_fault(fault, [[
      for _, kind in ipairs { wire.INVOKE, wire.CANCEL, wire.INVOKE } do
        write(wire.packet(kind, { id = 5, channel = "stuck" }))
      end
    ]], main)
  end)

  it("that numbers its questions without bound loses its link", function()
    local fault = "a question with a number beyond the limit"
    expect_refused(fault, "wire.INVOKE", "id = (1 << 20) + 1")
    expect_refused(fault, "wire.SYNC", "id = 0xffffffff")
  end)

  it("that speaks for a frame which is not there loses its link", function()
    for kind, what in pairs { MESSAGE = "message", INVOKE = "question", SYNC = "question" } do
      local fault = ("a %s of a frame that is not there"):format(what)
      expect_refused(fault, "wire." .. kind, "frame = 1")
    end
  end)

  it("that guesses at the runtime's own channels loses its link", function()
    local fields = "channel = 'execute-lua', flags = wire.INTERNAL"
    expect_refused("an unknown message of the runtime's own", "wire.MESSAGE", fields)
    expect_refused("an unknown question of the runtime's own", "wire.INVOKE", fields)
    expect_refused("an unknown question of the runtime's own", "wire.SYNC", fields)
  end)

  it("cannot reach an app's channels by the runtime's, nor the other way round", function()
    local fault = "an unknown message of the runtime's own"
    expect_refused(fault, "wire.MESSAGE", "flags = wire.INTERNAL")
    local result = attack([[
      write(wire.packet(wire.MESSAGE, { channel = "close-window" }))
      write(wire.packet(wire.MESSAGE, { channel = "end" }))
    ]], [[ ipcMain.on("end", function() say(#BrowserWindow.getAllWindows()) quit() end) ]])
    assert.equal("2\n", result.stdout)
  end)

  it("that sends odd values on the runtime's channels changes nothing", function()
    local result = attack([[
      local odd = { wire.body(), wire.body({}), wire.body(nil, {}), wire.body(1, 2, 3), "" }
      for _, channel in ipairs { "page-loaded", "page-failed", "preload-error", "find-module",
          "find-contents" } do
        for i, body in ipairs(odd) do
          local fields = { channel = channel, body = body, flags = wire.INTERNAL, id = i }
          write(wire.packet(wire.MESSAGE, fields))
          write(wire.packet(wire.CANCEL, { id = i }))
        end
      end
      write(wire.packet(wire.CANCEL, { id = 0xffffffff }))
      write(wire.packet(wire.MESSAGE, { channel = "end" }))
    ]], [[
      ipcMain.on("end", function()
        say(hostile:isLoading(), good:invoke("ask", 21):await())
        quit()
      end)
    ]])
    assert.equal("false 42\n", result.stdout)
    assert.equal(0, result.status)
  end)

  it("that is cut off in mid-packet has ended, not broken the protocol", function()
    local result = attack([[
      lunette.sleep(0) -- what the page has to say to a ping that came with "go" is written before
      write(wire.packet(wire.MESSAGE, { channel = "x", body = wire.body(1) }):sub(1, -2))
      os.exit(3)
    ]], [[ ipcMain.on("x", function() say "it came" end) ]])
    assert.equal("", result.stderr)
    assert.equal('"abnormal-exit"\n42 false\nfalse\n', result.stdout)
  end)

  it("whose answer is malformed leaves nobody waiting for it", function()
    for _, fields in ipairs { [[body = "\xff\xff"]], [[flags = wire.JSON, body = "[1"]] } do
      local result = attack("write(wire.packet(wire.REPLY, { id = 1, " .. fields .. " }))", [[
        local waiting = hostile:invoke("ask")
        hostile:once("render-process-gone", function() say(waiting:pawait()) end)
      ]])
      assert.matches("false PeerGoneError: crashed\n", result.stdout)
    end
  end)

  it("is told by PeerGoneError to whoever waits for it", function()
    local result = attack("write(wire.packet(0))", [[
      local waiting = hostile:invoke("ask")
      hostile:once("render-process-gone", function() say(waiting:pawait()) end)
    ]])
    assert.matches("false PeerGoneError: crashed\n", result.stdout)
  end)
end)

describe("an error that a hostile peer answers with", function()
  -- What main's invoke comes to when the page answers with this packet.
  local function answer(body, flags)
    local result = attack(([[
      write(wire.packet(wire.REPLY, { id = 1, flags = %s, body = %s }))
    ]]):format(flags or "wire.ERROR", body), [[
      local promise = hostile:invoke "ask"
      local function show(err) say(err, err.name, err.channel, err.message) end
      promise:andThen(say, show):finally(quit)
    ]])
    assert.equal("", result.stderr)
    return result.stdout
  end

  it("may be anything, and is a rejection with a text", function()
    local text = "Error invoking remote method 'ask': %s %q %q %q\n"
    assert.equal(text:format("nil", "RemoteError", "ask", "nil"), answer "''")
    assert.equal(text:format("nil", "RemoteError", "ask", "nil"), answer "wire.body()")
    assert.equal(text:format("7", "RemoteError", "ask", "7"), answer "wire.body(7, 8)")
    assert.equal(text:format("no", "RemoteError", "ask", "no"), answer "wire.body('no')")
    assert.equal(text:format("nil", "RemoteError", "ask", "nil"), answer "wire.body({})")
    local fields = "wire.body({ message = 'm', name = 'N', channel = 7, __tostring = 1 })"
    assert.equal(text:format("m", "N", "ask", "m"), answer(fields))
    assert.matches("ask': table: 0x", answer "wire.body({ message = {} })")
  end)

  it("is no error without its flag", function()
    assert.equal("7 8\n", answer("wire.body(7, 8)", "0"))
    assert.equal("7 8\n", answer("'[7,8]'", "wire.JSON"))
  end)
end)

describe("what a hostile peer can make main keep", function()
  it("is bounded for answers that it does not read", function()
    local files = {
      main = [[
        local count, text = 0, ("x"):rep(1 << 16)
        ipcMain.handle("ask", function() count = count + 1 return text end)
        ipcMain.handle("double", function(_, n) return 2 * n end)
        local win = open("page.lua", { sandbox = false, limits = { queueSize = 1 << 20 } })
        ipcMain.once("flooding", function()
          local good, load = open("good.lua")
          load:await()
          for i = 1, 300 do good.webContents:invoke("ask", i):await() end
          say(count > 10, count < 40)
          win:close()
          quit()
        end)
      ]],
      page = [[
        local wire = require "wire"
        local packets = { wire.packet(wire.MESSAGE, { channel = "flooding" }) }
        for i = 1, 3000 do
          packets[i + 1] = wire.packet(wire.INVOKE, { channel = "ask", id = i })
        end
        lunette.setImmediate(function()
          lunette.uv.fs_write(wire.LINK_FD, table.concat(packets), -1)
          while true do end
        end)
      ]],
      files = { ["good.lua"] = GOOD },
    }
    files = ipc.files(files)
    files["wire.lua"] = read "spec/support/wire.lua"
    local result = ipc.run_files(files)
    assert.equal("", result.stderr)
    assert.equal("true true\n", result.stdout)
  end)

  it("is nothing for a length that it only claims", function()
    local result = attack([[
      write(wire.packet(wire.MESSAGE, { channel = "x", size = 200 << 20 }))
      write(("x"):rep(100000))
    ]], [[
      local before = lunette.process.memoryUsage().rss
      hostile:send "go"
      for i = 1, 300 do good:invoke("ask", i):await() end
      say(lunette.process.memoryUsage().rss - before < 20 << 20)
      quit()
    ]])
    assert.equal("true\n", result.stdout)
    assert.equal("", result.stderr)
  end)
end)

describe("another page", function()
  it("is not reached by a bad body of a sendTo", function()
    expect_refused("an unknown tag", "wire.SEND_TO", [[id = 1, body = "\0\1\xb8"]])
    local result = attack [[
      write(wire.packet(wire.SEND_TO, { channel = "x", id = 1, flags = wire.JSON, body = "[" }))
    ]]
    assert.equal('"crashed"\n42 false\nfalse\n', result.stdout)
  end)

  it("does not get more by sendTo than its own limit", function()
    local result = attack([[
      local body = wire.body(("x"):rep(5000))
      write(wire.packet(wire.SEND_TO, { channel = "x", id = 3, body = body }))
      write(wire.packet(wire.MESSAGE, { channel = "end" }))
    ]], [[
      local small = open("good.lua", { limits = { messageSize = 1000 } }).webContents
      ipcMain.on("end", function()
        say(small:invoke("ask", 21):await(), small:isCrashed())
        quit()
      end)
    ]])
    assert.equal("42 false\n", result.stdout)
    local text = "lunette: WebContents #2: ipcRenderer.sendTo: "
      .. "could not clone argument 1: larger than 1000 bytes (limit messageSize); dropped\n"
    assert.equal(text, result.stderr)
  end)
end)
