-- SPDX-License-Identifier: MIT
-- The chapter "What crosses between states" of the contract, through a real renderer.
local ipc = require "spec.support.ipc"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- An app whose two ends ask each other for what they send, and whose page gets this script.
local function echo(codec, page, main)
  return ipc.output {
    preferences = ("{ codec = %q }"):format(codec),
    main = [[
      ipcMain.handle("echo", function(_, ...) return ... end)
      ipcMain.on("echo-sync", function(event, value) event.returnValue = value end)
      ipcMain.on("echo-send", function(event, ...) event:reply("echo", ...) end)
    ]] .. (main or ""),
    page = page,
  }
end

-- Sends many random lists in each way that there is, and compares what comes back.
local ROUND_TRIPS <const> = [[
  local codec, seed, count = %q, %d, %d
  local values = (function(...) %s end)()
  local maker = values.new(seed, codec, lunette.null)
  local pack, back = table.pack
  ipc.on("echo", function(_, ...) back = pack(...) end)
  for i = 1, count do
    local sent = pack(maker:list())
    local function check(way, came)
      assert(values.is_same(sent, came), way .. " changed list " .. i .. " of seed " .. seed)
    end
    ipc.send("echo-send", table.unpack(sent, 1, sent.n))
    check("invoke", pack(ipc.invoke("echo", table.unpack(sent, 1, sent.n)):await()))
    check("send", back)
    sent = pack((table.unpack(sent, 1, sent.n)))
    check("sendSync", pack(ipc.sendSync("echo-sync", sent[1])))
  end
  quit()
]]

-- The ways in which values are sent, as code for the page.
local WAYS <const> = {
  { "send", [[ipc.send("channel", VALUES)]] },
  { "invoke", [[ipc.invoke("channel", VALUES)]] },
  { "sendSync", [[ipc.sendSync("channel", VALUES)]] },
  { "sendTo", [[ipc.sendTo(1, "channel", VALUES)]] },
}

describe("the clone codec", function()
  it("brings back every value as it was, whatever the way", function()
    local script = ROUND_TRIPS:format("clone", 20260101, 1500, read "spec/support/values.lua")
    assert.equal("", echo("clone", script))
  end)

  it("brings back every value from the page to main", function()
    local output = ipc.output {
      main = [[
        local values = (function(...) ]] .. read "spec/support/values.lua" .. [[ end)()
        local maker, pack = values.new(7, "clone", lunette.null), table.pack
        local contents = open().webContents
        for i = 1, 500 do
          local sent = pack(maker:list())
          local back = pack(contents:invoke("echo", table.unpack(sent, 1, sent.n)):await())
          assert(values.is_same(sent, back), i)
        end
        quit()
      ]],
      page = [[ ipc.handle("echo", function(_, ...) return ... end) ]],
    }
    assert.equal("", output)
  end)

  it("carries strings of any bytes and of every size up to 64 MiB", function()
    local output = echo("clone", [[
      local bytes = {}
      for byte = 0, 255 do bytes[byte + 1] = string.char(byte) end
      local all = table.concat(bytes)
      assert(ipc.invoke("echo", all):await() == all)
      local sizes = { 0, 63, 64, 255, 256, 65535, 65536, 65537, 1 << 20, (3 << 20) + 1, 64 << 20 }
      for _, size in ipairs(sizes) do
        local text = all:rep(size // 256 + 1):sub(1, size)
        assert(ipc.invoke("echo", text):await() == text, size)
        assert(ipc.sendSync("echo-sync", text) == text, size)
      end
      quit()
    ]])
    assert.equal("", output)
  end)

  it("keeps subtypes, NaN, infinities and -0.0", function()
    local output = echo("clone", [[
      say(ipc.invoke("echo", 1, 1.0, -0.0, 1 / 0, -1 / 0, math.mininteger, math.maxinteger):await())
      local nan = ipc.invoke("echo", 0 / 0):await()
      say(nan ~= nan)
      quit()
    ]])
    local expected = "1 1.0 -0.0 inf -inf -9223372036854775808 9223372036854775807\ntrue\n"
    assert.equal(expected, (output:gsub("0x8000000000000000", "-9223372036854775808")))
  end)

  it("keeps nils inside and at the end of an argument list, and lunette.null", function()
    local output = echo("clone", [[
      say((select("#", ipc.invoke("echo"):await())))
      say((select("#", ipc.invoke("echo", nil, nil):await())))
      say(ipc.invoke("echo", nil, 1, nil, lunette.null, nil):await())
      say(ipc.invoke("echo", lunette.null):await() == lunette.null)
      quit()
    ]])
    assert.equal("0\n2\nnil 1 nil null nil\ntrue\n", output)
  end)

  it("keeps shared and cyclic references inside one message, across its arguments too", function()
    local output = echo("clone", [[
      local shared = {}
      local cycle = { shared = shared }
      cycle.self, cycle[cycle] = cycle, shared
      local a, b, c = ipc.invoke("echo", shared, cycle, { shared, shared }):await()
      say(a == b.shared, b.self == b, b[b] == a, c[1] == a, c[2] == a, a == shared)
      say(ipc.invoke("echo", shared):await() == a)
      quit()
    ]])
    assert.equal("true true true true true false\nfalse\n", output)
  end)

  it("leaves metatables behind, and runs none of their functions", function()
    local output = echo("clone", [[
      local function fail() error "a metamethod ran" end
      local metatable = { __index = fail, __pairs = fail, __len = fail, __name = "Class" }
      local object = setmetatable({ 1, 2, a = 3 }, metatable)
      local back = ipc.invoke("echo", object):await()
      say(back, getmetatable(back))
      quit()
    ]])
    assert.equal("{1, 2, a = 3} nil\n", output)
  end)
end)

describe("a value that cannot be sent", function()
  -- What each of the ways raises for these values, and whether a message behind it arrives.
  local function failures(codec, values)
    local page = [[ local function cannot(fn) say((select(2, pcall(fn)))) end ]]
    for _, way in ipairs(WAYS) do
      local call = way[2]:gsub("VALUES", (values:gsub("%%", "%%%%")))
      page = page .. ("cannot(function() %s end)\n"):format(call)
    end
    page = page .. [[ say(ipc.invoke("echo", "next"):await()) quit() ]]
    return echo(codec, page, [[ ipcMain.on("channel", function() say "something came" end) ]])
  end

  local function expect(codec, values, text)
    local lines = {}
    for i in ipairs(WAYS) do
      lines[i] = ('"page.lua:%d: %s"\n'):format(i + 1, text)
    end
    assert.equal(table.concat(lines) .. '"next"\n', failures(codec, values))
  end

  it("raises where the message was sent, says where it stands, and sends nothing", function()
    expect("clone", "print", "could not clone argument 1: a function cannot be sent")
  end)

  it("is found however deep it lies", function()
    local text = "could not clone argument 2.user.onSave: a function cannot be sent"
    expect("clone", "1, { user = { onSave = print } }", text)
    text = "could not clone argument 1.list[3]: a thread cannot be sent"
    expect("clone", "{ list = { 1, 2, coroutine.create(print) } }", text)
    text = "could not clone argument 1[a table key]: a function cannot be sent"
    expect("clone", "{ [{ print }] = 1 }", text)
  end)

  it("is a function, a thread or a userdata", function()
    local output = echo("clone", [[
      local name = ipc.on
      say(pcall(ipc.send, "x", coroutine.running()))
      say(pcall(ipc.send, "x", { fn = function() end }))
      quit()
    ]])
    assert.equal(([[
false "could not clone argument 1: a thread cannot be sent"
false "could not clone argument 1.fn: a function cannot be sent"
]]), output)
    output = ipc.output {
      main = [[
        local contents = open().webContents
        say(select(2, pcall(contents.send, contents, "x", io.stdout)))
        say(select(2, pcall(contents.invoke, contents, "x", 1, io.stdout)))
        say(select(2, pcall(contents.send, contents, "x", { [io.stdout] = 1 })))
        quit()
      ]],
    }
    assert.equal([[
"could not clone argument 1: a userdata cannot be sent"
"could not clone argument 2: a userdata cannot be sent"
"could not clone argument 1[a table key]: a userdata cannot be sent"
]], output)
  end)

  it("raises in main too, where the message was sent, and the next one arrives", function()
    local output = ipc.output {
      main = [[
        local contents
        local function cannot(fn) say((select(2, pcall(fn)))) end
        ipcMain.on("ready", function(event)
          contents = event.sender
          cannot(function() contents:send("x", print) end)
          cannot(function() contents:sendToFrame(0, "x", print) end)
          cannot(function() contents.mainFrame:send("x", print) end)
          cannot(function() contents:invoke("x", print) end)
          cannot(function() event:reply("x", print) end)
          contents:send("x", "next")
        end)
      ]],
      page = [[ ipc.on("x", function(_, ...) say(...) quit() end) ipc.send("ready") ]],
    }
    local lines, text = {}, '"main.lua:%d: could not clone argument 1: a function cannot be sent"\n'
    for i = 1, 5 do
      lines[i] = text:format(i + 5)
    end
    assert.equal(table.concat(lines) .. '"next"\n', output)
  end)

  it("raises at event.returnValue, and a later answer still counts", function()
    local output = ipc.output {
      main = [[
        ipcMain.on("ask", function(event)
          say(pcall(function() event.returnValue = { fn = print } end))
          event.returnValue = "later"
        end)
      ]],
      page = [[ say(ipc.sendSync("ask")) quit() ]],
    }
    local text = 'false "main.lua:3: could not clone result 1.fn: a function cannot be sent"\n'
    assert.equal(text .. '"later"\n', output)
  end)

  it("is named by its number among many", function()
    local output = ipc.output {
      main = [[
        ipcMain.handle("last", function(_, n)
          local t = {}
          t[n] = print
          return table.unpack(t, 1, n)
        end)
      ]],
      page = [[
        say(ipc.invoke("last", 300):pawait())
        quit()
      ]],
    }
    local text = "could not clone result 300: a function cannot be sent"
    assert.equal("false Error invoking remote method 'last': " .. text .. "\n", output)
  end)

  it("rejects an invoke whose handler in the page returns it", function()
    local output = ipc.output {
      main = [[
        local contents = open().webContents
        say(contents:invoke("ask"):pawait())
        say(contents:invoke("ask", "next"):pawait())
        say(contents:executeLua("return print"):pawait())
        say(contents:executeLua("return 7"):pawait())
        quit()
      ]],
      page = [[
        ipc.handle("ask", function(_, ...) if ... then return ... end return 1, print end)
      ]],
    }
    local text = "false Error invoking remote method '%s': "
      .. "could not clone result %d: a function cannot be sent\n"
    local expected = text:format("ask", 2) .. 'true "next"\n' .. text:format("execute-lua", 1)
    assert.equal(expected .. "true 7\n", output)
  end)

  it("does not leave a part of the message behind", function()
    local output = echo("clone", [[
      local big = ("x"):rep(100000)
      for i = 1, 50 do
        assert(not pcall(ipc.send, "echo-send", big, { big, i, print }))
        assert(ipc.invoke("echo", i):await() == i)
      end
      quit()
    ]])
    assert.equal("", output)
  end)
end)

describe("the json codec", function()
  it("brings back what JSON can carry, whatever the way", function()
    local script = ROUND_TRIPS:format("json", 4711, 400, read "spec/support/values.lua")
    assert.equal("", echo("json", script))
  end)

  it("names the place of what JSON cannot carry", function()
    local output = echo("json", [[
      local function cannot(...) say((select(2, pcall(ipc.send, "x", ...)))) end
      cannot(print)
      cannot(1, { a = { print } })
      cannot((1 << 53) + 1)
      cannot({ n = 0 / 0 })
      cannot(1 / 0)
      cannot({ [2.5] = 1 })
      cannot({ 1, nil, 3 })
      cannot({ 1, a = 2 })
      cannot("\xff")
      cannot({ ["\xff"] = 1 })
      local cycle = {}
      cycle.self = cycle
      cannot(cycle)
      say(ipc.invoke("echo", "next"):await())
      quit()
    ]])
    assert.equal([[
"could not encode argument 1: a function cannot be sent"
"could not encode argument 2.a[1]: a function cannot be sent"
"could not encode argument 1: 9007199254740993 is beyond 2^53, where JSON's numbers are not exact"
"could not encode argument 1.n: JSON has no NaN"
"could not encode argument 1: JSON has no infinity"
"could not encode argument 1[2.5]: a key that is not a string"
"could not encode argument 1[2]: a hole in a list"
"could not encode argument 1: a list with the key \"a\""
"could not encode argument 1: text that is not UTF-8 at byte 1"
"could not encode argument 1[\"\\255\"]: text that is not UTF-8 at byte 1"
"could not encode argument 1.self: a table that is inside itself"
"next"
]], output)
  end)

  it("rejects a result that JSON cannot carry, and carries errors whole", function()
    local output = ipc.output {
      preferences = '{ codec = "json" }',
      main = [[
        ipcMain.handle("nan", function() return 1, 0 / 0 end)
        ipcMain.handle("raise", function()
          error { message = "no", list = { 1, nil, 3 }, n = 2 ^ 60 }
        end)
        ipcMain.on("sync", function(event)
          say(pcall(function() event.returnValue = print end))
          event.returnValue = { 1, 2 }
        end)
      ]],
      page = [[
        say(ipc.invoke("nan"):pawait())
        local _, err = ipc.invoke("raise"):pawait()
        say(err, err.list[3], err.n)
        say(ipc.sendSync("sync"))
        quit()
      ]],
    }
    assert.equal([[
false Error invoking remote method 'nan': could not encode result 2: JSON has no NaN
Error invoking remote method 'raise': no 3 1152921504606846976.0
false "main.lua:7: could not encode result 1: a function cannot be sent"
{1, 2}
]], output)
  end)
end)
