-- SPDX-License-Identifier: MIT
-- A page that does not return to its loop: `unresponsive`, and `responsive` when it does again.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

-- Says the events of the window and its contents as they come; `heard(name)` awaits one.
local TELL <const> = [[
  local function tell(win)
    for _, name in ipairs { "unresponsive", "responsive" } do
      win.webContents:on(name, function(event)
        assert(event.sender == win.webContents)
        say("contents", name)
      end)
      win:on(name, function() say("window", name) end)
    end
  end
  local function heard(emitter, name)
    return lunette.Promise.new(function(resolve) emitter:once(name, resolve) end):await()
  end
  local function open_and_tell() -- of what comes when it is loaded, which may take long
    local win, load = open()
    local is_slow = false
    win:on("unresponsive", function() is_slow = true end)
    win:on("responsive", function() is_slow = false end)
    load:await()
    while is_slow do heard(win, "responsive") end
    tell(win)
    return win
  end
]]

-- Has the page do what it does until main has heard that it is unresponsive.
local UNTIL_HEARD <const> = [[
  local win = open_and_tell()
  local path = app.getAppPath() .. "/heard"
  win:once("unresponsive", function() io.open(path, "w"):close() end)
  win.webContents:send("until", path)
  heard(win, "responsive")
  quit()
]]

local HANG <const> = [[
  local function hang(seconds)
    local clock = lunette.process.hrtime
    local begun = clock()
    while clock() - begun < seconds * 1e9 do end
  end
]]

local SHORT <const> = "{ unresponsiveTimeout = 500, sandbox = false }"
local PATIENT <const> = SHORT:gsub("500", math.floor(500 * app.PATIENCE))

describe("unresponsive", function()
  it("comes when a page hangs in a listener, responsive when it is back", function()
    local output = ipc.output {
      preferences = SHORT,
      main = TELL .. UNTIL_HEARD,
      page = [[ ipc.on("until", function(_, path) repeat until io.open(path) end) ]],
    }
    assert.equal('"contents" "unresponsive"\n"window" "unresponsive"\n'
      .. '"contents" "responsive"\n"window" "responsive"\n', output)
  end)

  it("comes when a page hangs while it is loaded", function()
    local output = ipc.output {
      preferences = SHORT,
      main = TELL .. [[
        local win = open()
        tell(win)
        heard(win, "unresponsive")
        quit()
      ]],
      page = "while true do end",
    }
    assert.equal('"contents" "unresponsive"\n"window" "unresponsive"\n', output)
  end)

  it("comes when a page hangs by itself, and nothing is sent to it", function()
    local output = ipc.output {
      preferences = SHORT,
      main = TELL .. [[
        local win, load = open()
        tell(win)
        load:await()
        heard(win, "unresponsive")
        quit()
      ]],
      page = [[ lunette.setTimeout(function() while true do end end, 300) ]],
    }
    -- The load may have taken long, too: that was over before.
    local begins = '"contents" "unresponsive"\n"window" "unresponsive"\n'
    local ends = begins:gsub("unresponsive", "responsive")
    assert.equal(begins, (output:gsub(begins .. ends, "")))
  end)

  it("comes when a page sleeps in the system, which costs no processor", function()
    local output = ipc.output {
      preferences = SHORT,
      main = TELL .. UNTIL_HEARD,
      page = [[
        ipc.on("until", function(_, path)
          repeat lunette.uv.sleep(1000) until io.open(path)
        end)
      ]],
    }
    assert.equal('"contents" "unresponsive"\n"window" "unresponsive"\n'
      .. '"contents" "responsive"\n"window" "responsive"\n', output)
  end)

  app.it_in_process("comes when the process is stopped and asked", function()
    local output = ipc.output {
      preferences = SHORT,
      main = TELL .. [[
        local win = open_and_tell()
        while win.webContents:getOSProcessId() == 0 do lunette.sleep(1) end
        lunette.process.kill(win.webContents:getOSProcessId(), "SIGSTOP")
        local answer = win.webContents:invoke("ask")
        heard(win, "unresponsive")
        lunette.process.kill(win.webContents:getOSProcessId(), "SIGCONT")
        say(answer:await())
        heard(win, "responsive")
        quit()
      ]],
      page = [[ ipc.handle("ask", function() return "answer" end) ]],
    }
    local lines = {}
    for line in output:gmatch "[^\n]+" do lines[#lines + 1] = line end
    table.sort(lines)
    assert.same({ '"answer"', '"contents" "responsive"', '"contents" "unresponsive"',
      '"window" "responsive"', '"window" "unresponsive"' }, lines)
  end)

  it("does not come when it is main that hangs", function()
    local output = ipc.output {
      preferences = SHORT,
      main = TELL .. HANG .. [[
        local win = open_and_tell()
        for _ = 1, 3 do
          win.webContents:send("x")
          lunette.sleep(150) -- so that a ping is under way
          hang(0.7)
        end
        say(win.webContents:invoke("ask"):await())
        quit()
      ]],
      page = [[ ipc.handle("ask", function() return "answer" end) ]],
    }
    assert.equal('"answer"\n', output)
  end)

  it("comes once, and not again for a renderer that is replaced or dead", function()
    local output = ipc.output {
      preferences = PATIENT,
      main = TELL .. [[
        local win = open()
        tell(win)
        heard(win, "unresponsive")
        win.webContents:forcefullyCrashRenderer()
        local _, details = heard(win.webContents, "render-process-gone")
        say(details)
        local load = win:loadFile("other.lua")
        load:await()
        say(win.webContents:invoke("ask"):await())
        quit()
      ]],
      page = "while true do end",
      files = { ["other.lua"] = [[ ipc.handle("ask", function() return "answer" end) ]] },
    }
    assert.equal('"contents" "unresponsive"\n"window" "unresponsive"\n'
      .. '{exitCode = 9, reason = "killed"}\n"answer"\n', output)
  end)

  it("never comes with a timeout of 0, which is 5 s unless it is set", function()
    local output = ipc.output {
      preferences = "{ unresponsiveTimeout = 0 }",
      main = TELL .. [[
        local win = open()
        tell(win)
        heard(win.webContents, "did-finish-load")
        local patient = open("page.lua", {})
        tell(patient)
        heard(patient.webContents, "did-finish-load")
        quit()
      ]],
      page = HANG .. "hang(0.5)",
    }
    assert.equal("", output)
  end)
end)
