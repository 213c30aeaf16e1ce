-- SPDX-License-Identifier: MIT
-- Large strings go through shared memory, after the first. Nobody sees a difference: they arrive as
-- they were, in order, and count for the limits.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

-- A text of `size` bytes that differs from others, and whether it is one.
local TEXT <const> = [[
  local function text(size, n) return (("%08x"):format(n)):rep(size // 8) end
]]

describe("large strings", function()
  it("are echoed as they were, whatever their sizes, in both directions", function()
    local scripts = {
      main = TEXT .. [[
        ipcMain.handle("echo", function(_, ...) return ... end)
        ipcMain.on("ask", function(event)
          for i = 1, 40 do
            local sent = text(i << 16, i)
            assert(event.sender:invoke("echo", sent):await() == sent)
          end
          event.sender:send "go"
        end)
      ]],
      page = TEXT .. [[
        ipc.handle("echo", function(_, ...) return ... end)
        for i = 1, 40 do
          local sent, other = text(i << 16, i), text(100000, i)
          local a, b = ipc.invoke("echo", sent, { other, [sent] = other }):await()
          assert(a == sent and b[1] == other and b[sent] == other)
        end
        ipc.once("go", function() say "done" quit() end)
        ipc.send "ask"
      ]],
    }
    assert.equal('"done"\n', ipc.output(scripts))
    scripts.preferences = "{ sandbox = false }"
    assert.equal('"done"\n', ipc.output(scripts))
  end)

  it("come in the order in which they were sent, small messages between them", function()
    assert.equal("600\ntrue\n", ipc.output {
      main = TEXT .. [[
        local next, good = 1, true
        ipcMain.on("n", function(_, n, sent)
          good = good and n == next and (not sent or sent == text(1 << 18, n))
          next = n + 1
        end)
        ipcMain.handle("share", function() end) -- after a few, memory is shared
        ipcMain.handle("last", function() say(next - 1) say(good) end)
      ]],
      page = TEXT .. [[
        for _ = 1, 4 do ipc.invoke("share", text(1 << 18, 1)):await() end
        for n = 1, 600 do
          ipc.send("n", n, n % 3 == 0 and text(1 << 18, n) or nil)
        end
        ipc.invoke("last"):await()
        quit()
      ]],
    })
  end)

  it("pass a sendSync, which gets its answer while older ones wait", function()
    assert.equal("true\n1 true\n2 true\n3 true\n", ipc.output {
      main = TEXT .. [[
        ipcMain.handle("share", function() end) -- after a few, memory is shared
        ipcMain.on("ask", function(event, sent)
          for i = 1, 3 do event.sender:send("older", i, text(1 << 20, i)) end
          event.returnValue = sent
        end)
      ]],
      page = TEXT .. [[
        for _ = 1, 4 do ipc.invoke("share", text(1 << 20, 0)):await() end
        ipc.on("older", function(_, i, sent)
          say(i, sent == text(1 << 20, i))
          if i == 3 then quit() end
        end)
        local sent = text(1 << 20, 9)
        say(ipc.sendSync("ask", sent) == sent)
      ]],
    })
  end)

  it("of one page reach another by sendTo, with what main knows of it", function()
    assert.equal("true true\n", ipc.output {
      main = [[
        local first, second = open(), open "other.lua"
        ipcMain.handle("other", function() return second.webContents.id end)
      ]],
      page = TEXT .. [[
        local id = ipc.invoke("other"):await()
        for i = 1, 5 do ipc.sendTo(id, "text", i, text(1 << 20, i)) end
      ]],
      files = { ["other.lua"] = TEXT .. [[
        local all = true
        ipc.on("text", function(event, i, sent)
          all = all and sent == text(1 << 20, i)
          if i == 5 then say(all, event.senderId ~= 0) quit() end
        end)
      ]] },
    })
  end)

  it("arrive as they were though their sender has collected them", function()
    assert.equal("60 true\n60 true\n", ipc.output {
      main = TEXT .. [[
        local all, count = true, 0
        ipcMain.on("text", function(_, n, sent)
          all, count = all and sent == text(1 << 18, n), count + 1
        end)
        ipcMain.on("back", function(event)
          say(count, all)
          for n = 1, 60 do
            event.sender:send("text", n, text(1 << 18, n))
            collectgarbage()
          end
          event.sender:send "end"
        end)
      ]],
      page = TEXT .. [[
        local all, count = true, 0
        ipc.on("text", function(_, n, sent)
          all, count = all and sent == text(1 << 18, n), count + 1
        end)
        ipc.on("end", function() say(count, all) quit() end)
        for n = 1, 60 do
          ipc.send("text", n, text(1 << 18, n))
          collectgarbage()
          if n % 10 == 0 then require("lunette").sleep(1) end
        end
        ipc.send "back"
      ]],
    })
  end)

  it("arrive though their sender does not return to its loop", function()
    assert.equal("1048576\n", ipc.output {
      main = [[
        ipcMain.handle("share", function() end) -- after a few, memory is shared
        ipcMain.on("text", function(_, sent) say(#sent) quit() end)
      ]],
      page = TEXT .. [[
        for _ = 1, 4 do ipc.invoke("share", text(1 << 20, 0)):await() end
        ipc.send("text", text(1 << 20, 1))
        while true do end
      ]],
    })
  end)

  it("arrive though their sender has ended", function()
    assert.equal('5 true "clean-exit"\n', ipc.output {
      preferences = "{ sandbox = false }",
      main = TEXT .. [[
        local came = {}
        ipcMain.on("text", function(_, n, sent)
          if n == 1 then lunette.uv.sleep(200) end
          came[n] = sent -- to be looked at later: the sender waits a second for main
        end)
        app.on("render-process-gone", function(_, _, details)
          local all = true
          for n, sent in ipairs(came) do all = all and sent == text(1 << 20, n) end
          say(#came, all, details.reason)
          quit()
        end)
      ]],
      page = TEXT .. [[
        for n = 1, 5 do ipc.send("text", n, text(1 << 20, n)) end
        os.exit(0)
      ]],
    })
  end)

  it("count for messageSize", function()
    local refused = "could not clone argument 2: larger than 1000000 bytes (limit messageSize)"
    local line = ("true\n\"page.lua:%%d: %s\"\n"):format(refused):gsub("%%d", "5")
    assert.equal(line:rep(3) .. "true\n", ipc.output {
      preferences = "{ sandbox = false, limits = { messageSize = 1000000 } }",
      main = [[ ipcMain.handle("size", function(_, a, b) return #a + #b end) ]],
      page = [[
        local half = ("x"):rep(499900)
        for _ = 1, 3 do
          say(ipc.invoke("size", half, half):await() == 2 * #half)
          say(select(2, pcall(function() ipc.invoke("size", half, half .. ("x"):rep(300)) end)))
        end
        say(ipc.invoke("size", half, half):await() == 2 * #half)
        quit()
      ]],
    })
  end)

  app.it_in_process("give their memory back after a burst", function()
    assert.equal("true\ntrue\n", ipc.output {
      main = [[
        local function shared()
          for line in io.lines "/proc/self/status" do
            local kib = line:match "^RssShmem:%s*(%d+)"
            if kib then return kib / 1024 end
          end
        end
        local most = 0
        ipcMain.handle("text", function(_, sent) most = math.max(most, shared()) return sent end)
        ipcMain.on("end", function()
          say(most > 1.5) -- one each way
          local deadline = lunette.process.hrtime() + 10e9
          while shared() > 1 and lunette.process.hrtime() < deadline do lunette.sleep(10) end
          say(shared() <= 1)
          quit()
        end)
      ]],
      page = [[
        local sent, answers = ("x"):rep(1 << 20), {}
        for _ = 1, 4 do ipc.invoke("text", sent):await() end
        for i = 1, 20 do answers[i] = ipc.invoke("text", sent) end
        for i = 1, 20 do answers[i]:await() end
        ipc.send "end"
      ]],
    })
  end)
end)
