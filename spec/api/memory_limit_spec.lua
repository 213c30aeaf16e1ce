-- SPDX-License-Identifier: MIT
-- webPreferences.memoryLimit: a page that wants more is out of memory, however it goes about it.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

local LIMIT <const> = 16 << 20

-- Says how the renderer went, whatever error it told before.
local MAIN <const> = [[
  local win = open()
  win.webContents:removeAllListeners("console-message")
  ipcMain.on("say", function(_, ...) say(...) end)
  win.webContents:on("render-process-gone", function(_, details)
    say(details)
    app.quit()
  end)
]]

local OOM <const> = '{exitCode = 125, reason = "oom"}\n'
local WARNING <const> = "lunette: WebContents #1: its renderer needed more than 16777216 bytes"
  .. " (limit memoryLimit)\n"

local function run(page)
  return ipc.run {
    preferences = ("{ memoryLimit = %d }"):format(LIMIT),
    main = MAIN,
    page = page,
  }
end

-- Those that pcall keeps from nothing, by what they fill the heap with.
local HOGS <const> = {
  ["a list"] = "local t = {} for i = 1, 1e9 do t[i] = i end",
  ["tables"] = "local t = {} while true do t = { t } end",
  ["strings"] = "local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end",
  ["a string that doubles"] = "local s = 'x' while true do s = s .. s end",
  ["coroutines"] = "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end",
  ["closures"] = "local t = {} for i = 1, 1e9 do t[i] = function() return t, i end end",
  ["one huge string"] = "string.rep('x', 1 << 30)",
  ["a huge buffer"] = "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1 << 14) end "
    .. "table.concat(t, ('y'):rep(1 << 14))",
}

describe("memoryLimit", function()
  for name, code in pairs(HOGS) do
    it("ends a page in oom that fills the heap with " .. name, function()
      local result = run(code)
      assert.equal(OOM, result.stdout)
      assert.matches("not enough memory", result.stderr, 1, true)
      assert.equal(WARNING, result.stderr:match "lunette: Web.*")
    end)
  end

  it("ends a page in oom that is sent more than it can hold", function()
    local result = ipc.run {
      preferences = ("{ memoryLimit = %d, limits = { messageSize = %d, queueSize = %d } }")
        :format(LIMIT, 8 * LIMIT, 8 * LIMIT),
      main = MAIN .. [[
        local list = {}
        for i = 1, 400000 do list[i] = { i } end
        ipcMain.on("ready", function(event) event.sender:send("list", list) end)
      ]],
      page = "ipc.on('list', function() end) ipc.send 'ready'",
    }
    assert.equal(OOM, result.stdout)
    assert.equal(WARNING, result.stderr:match "lunette: Web.*")
  end)

  it("lets a page that catches the error say so, and nothing more", function()
    local result = run [[
      ipc.send("say", pcall(string.rep, "x", 1 << 30))
      local function again() lunette.setTimeout(again, 1) end
      again()
    ]]
    assert.equal('false "not enough memory"\n' .. OOM, result.stdout)
    assert.equal(WARNING, result.stderr)
  end)

  it("ends a page that never returns from catching it", function()
    for _, code in ipairs {
      "while true do pcall(string.rep, 'x', 1 << 30) end",
      "pcall(string.rep, 'x', 1 << 30) while true do end",
      "local t = {} while true do pcall(function() while true do t = { t } end end) end",
      "pcall(function() local t = {} while true do t = { t } end end) while true do end",
    } do
      -- A process is ended by a signal, which the thread sanitizer keeps back in code that calls
      -- nothing.
      local is_deaf = app.executable:find "/tsan/" and not app.isolation
      if not (is_deaf and code:find "while true do end$") then
        local result = run(code)
        assert.same({ OOM, WARNING }, { result.stdout, result.stderr }, code)
      end
    end
  end)

  it("ends a page soon whose heap creeps up to it", function()
    local result = run [[
      local t = {}
      local function creep()
        for _ = 1, 500 do t[#t + 1] = ("x"):rep(40) .. #t end
        lunette.setTimeout(creep, 0)
      end
      creep()
    ]]
    assert.equal(OOM, result.stdout)
  end)

  local what = "does not let a large heap crawl: it ends when an eighth of the limit is left"
  app.it_in_process(what, function()
    local limit <const>, list <const>, string_size <const> = 256 << 20, 64 << 20, 24 + 49 + 1
    local result = ipc.run {
      deadline = 4 * app.DEADLINE, -- it computes all the time, beside other specs
      preferences = ("{ memoryLimit = %d }"):format(limit),
      main = MAIN .. [[
        ipcMain.on("kept", function(event, count) kept, event.returnValue = count, true end)
        app.on("will-quit", function() say(kept) end)
      ]],
      page = [[
        local t = {}
        local function creep()
          for _ = 1, 5000 do
            t[#t + 1] = ("x"):rep(42) .. #t
            local _ = { #t } -- garbage
          end
          ipc.sendSync("kept", #t)
          lunette.setTimeout(creep, 0)
        end
        creep()
      ]],
    }
    local gone, kept = result.stdout:match "^(.*\n)(%d+)\n$"
    assert.equal(OOM, gone)
    local share = (list + kept * string_size) / limit
    -- Without garbage it reaches the limit at once.
    local is_stressed = app.executable:find "/stress/" ~= nil
    assert.is_true(share > 0.8 and (share < 15 / 16 or is_stressed), share)
  end)

  it("ends a page in oom whose large heap is collected in steps", function()
    for _, code in ipairs {
      "local t = {} while true do t[#t + 1] = { ('x'):rep(500) .. #t } end",
      "while true do pcall(function() while true do t[#t + 1] = ('x'):rep(500) .. #t end end) end",
    } do
      local result = ipc.run {
        preferences = ("{ memoryLimit = %d }"):format(8 * LIMIT),
        main = MAIN,
        page = "t = {} " .. code,
      }
      assert.equal(OOM, result.stdout)
      assert.matches("^lunette: WebContents #1: its renderer needed more than 134217728 bytes"
        .. " %(limit memoryLimit%)\n$", result.stderr) -- and no error told before
    end
  end)

  for name, limit in pairs { small = LIMIT, large = 8 * LIMIT } do
    it(("is for both worlds of an isolated page together: a %s one"):format(name), function()
      local share = "kept = {} while collectgarbage 'count' < %d do kept[#kept + 1] = {} end"
      share = share:format(limit * 5 // 8 // 1024)
      local result = ipc.run {
        preferences = ("{ memoryLimit = %d, preload = 'preload.lua' }"):format(limit),
        main = MAIN,
        files = { ["preload.lua"] = share, ["page.lua"] = share },
      }
      assert.equal(OOM, result.stdout)
    end)
  end

  it("leaves a page alone that makes much garbage beside a large heap", function()
    local output = ipc.output {
      deadline = 2 * app.DEADLINE,
      preferences = ("{ memoryLimit = %d }"):format(8 * LIMIT),
      page = [[
        local kept = {}
        while collectgarbage "count" < 75 << 10 do kept[#kept + 1] = ("x"):rep(500) .. #kept end
        for i = 1, 100000 do local _ = { ("y"):rep(500) .. i } end
        say(lunette.process.memoryUsage().heapPeak < 126 << 20)
        quit()
      ]],
    }
    assert.equal("true\n", output)
  end)

  it("leaves a page alone that makes much garbage beside what it keeps", function()
    local output = ipc.output {
      preferences = ("{ memoryLimit = %d }"):format(LIMIT),
      page = [[
        local kept = {}
        while collectgarbage "count" < 12 << 10 do kept[#kept + 1] = ("x"):rep(200) .. #kept end
        for i = 1, 200000 do local _ = { ("y"):rep(100) .. i } end
        for i = 1, 100 do local _ = ("z"):rep(1 << 19) .. i end
        say(lunette.process.memoryUsage().heapPeak < 24 << 20)
        quit()
      ]],
    }
    assert.equal("true\n", output)
  end)

  it("settles what waits for the page, and reload brings it back", function()
    local result = ipc.run {
      preferences = ("{ memoryLimit = %d }"):format(LIMIT),
      main = [[
        local win, load = open()
        load:await()
        local contents = win.webContents
        contents:once("render-process-gone", function(_, details) say(details) end)
        contents:invoke("hog"):catch(function() end)
        say(select(2, contents:invoke("never"):pawait()))
        contents:reload():await()
        say(contents:invoke("ask"):await())
        quit()
      ]],
      page = [[
        ipc.handle("hog", function() local t = {} while true do t = { t } end end)
        ipc.handle("never", function() lunette.sleep(1e9) end)
        ipc.handle("ask", function() return "alive" end)
      ]],
    }
    assert.equal(OOM .. 'PeerGoneError: oom\n"alive"\n', result.stdout)
    assert.equal(WARNING, result.stderr)
  end)

  it("must be a positive integer", function()
    local output = ipc.output {
      main = [[
        opened = true
        app.whenReady():await()
        say(select(2, pcall(BrowserWindow.new, { webPreferences = { memoryLimit = 0 } })))
        quit()
      ]],
    }
    assert.matches("webPreferences.memoryLimit' must be a positive integer, got 0", output, 1, true)
  end)
end)
