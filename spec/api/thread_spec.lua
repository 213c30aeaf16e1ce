-- SPDX-License-Identifier: MIT
-- isolation = "thread": what differs from a renderer with a process of its own, and how such a one
-- is stopped. What is the same is in spec/threads.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

local THREAD <const> = '{ isolation = "thread" }'
local OPEN_THREAD <const> = '{ isolation = "thread", sandbox = false }'
local ISOLATED <const> = '{ isolation = "thread", preload = "empty.lua" }'
local KILLED <const> = '{exitCode = 9, reason = "killed"}\n'

-- Says how renderers go; `gone(contents)` awaits it.
local TELL <const> = [[
  local function tell(win)
    win.webContents:on("render-process-gone", function(_, details) say(details) end)
    return win.webContents
  end
  local function gone(contents)
    return lunette.Promise.new(function(resolve)
      contents:once("render-process-gone", function(_, details) resolve(details) end)
    end):await()
  end
]]

local function output(preferences, main, page)
  return ipc.output { preferences = preferences, main = TELL .. main, page = page }
end

describe("a page on a thread", function()
  it("is one of main's process, and has no sandbox of the system", function()
    assert.equal('true true "renderer" false\n', output(THREAD, [[
      local win, load = open()
      load:await()
      local pid, kind, sandboxed = win.webContents:invoke("tell"):await()
      local own = lunette.process.pid
      say(pid == own, win.webContents:getOSProcessId() == own, kind, sandboxed)
      quit()
    ]], [[
      local process = lunette.process
      ipc.handle("tell", function() return process.pid, process.type, process.sandboxed end)
    ]]))
  end)

  it("has the globals of a sandboxed page nevertheless", function()
    assert.equal("nil nil nil nil nil\n", output(THREAD, "", [[
      say(io, os.execute, debug.getregistry, package.loadlib, lunette.uv)
      quit()
    ]]))
  end)

  it("has a copy of the environment when it has no sandbox", function()
    local result = ipc.run {
      env = { LUNETTE_SPEC_TEXT = "before" },
      preferences = OPEN_THREAD,
      main = [[
        local win, load = open()
        load:await()
        win.webContents:invoke("change"):await()
        say(lunette.process.env.LUNETTE_SPEC_TEXT)
        quit()
      ]],
      page = [[
        local env = lunette.process.env
        say(env.LUNETTE_SPEC_TEXT, os.getenv "LUNETTE_SPEC_TEXT")
        ipc.handle("change", function()
          env.LUNETTE_SPEC_TEXT = "changed"
          say(env.LUNETTE_SPEC_TEXT, os.getenv "LUNETTE_SPEC_TEXT")
          local uv = lunette.uv
          uv.os_setenv("LUNETTE_SPEC_TEXT", "by luv")
          say(env.LUNETTE_SPEC_TEXT, uv.os_getenv "LUNETTE_SPEC_TEXT")
          uv.os_unsetenv "LUNETTE_SPEC_TEXT"
          say(env.LUNETTE_SPEC_TEXT, uv.os_environ().LUNETTE_SPEC_TEXT)
        end)
      ]],
    }
    assert.equal(
      '"before" "before"\n"changed" "changed"\n"by luv" "by luv"\nnil nil\n"before"\n',
      result.stdout
    )
  end)

  it("ends by os.exit, which says how", function()
    for code, expected in pairs {
      ["0"] = '{exitCode = 0, reason = "clean-exit"}\n',
      ["true"] = '{exitCode = 0, reason = "clean-exit"}\n',
      ["false"] = '{exitCode = 1, reason = "abnormal-exit"}\n',
      ["7"] = '{exitCode = 7, reason = "abnormal-exit"}\n',
      ["125"] = '{exitCode = 125, reason = "abnormal-exit"}\n',
    } do
      local page = ("lunette.process.emit = nil pcall(os.exit, %s) say 'never'"):format(code)
      assert.equal(expected, output(OPEN_THREAD, "gone(tell(open())) quit()", page))
    end
  end)

  it("leaves main and others alone when it fails or needs too much memory", function()
    local result = ipc.run {
      preferences = '{ isolation = "thread", memoryLimit = 8 << 20 }',
      main = TELL .. [[
        local first, second = open(), open()
        first.webContents:removeAllListeners "console-message"
        local contents = tell(first)
        lunette.sleep(0)
        contents:send("fail")
        contents:send("hog")
        gone(contents)
        say(second.webContents:invoke("ask"):await())
        contents:reload():await()
        say(contents:invoke("ask"):await())
        quit()
      ]],
      page = [[
        ipc.on("fail", function() error "failed" end)
        ipc.on("hog", function() local t = {} while true do t = { t } end end)
        ipc.handle("ask", function() return "alive" end)
      ]],
    }
    assert.equal('{exitCode = 125, reason = "oom"}\n"alive"\n"alive"\n', result.stdout)
    assert.matches("uncaught error: page.lua:2: failed", result.stderr, 1, true)
  end)

  it("cannot have limits of its own for descriptors", function()
    assert.equal(
      'false "main.lua:5: webPreferences.limits.descriptors is for a process: a renderer with '
        .. 'isolation = \\"thread\\" has those of main"\n',
      output(THREAD, [[
        opened = true
        app.whenReady():await()
        local preferences = { isolation = "thread", limits = { descriptors = 9 } }
        local function new() return (BrowserWindow.new { webPreferences = preferences }) end
        say(pcall(new))
        quit()
      ]]):gsub("main.lua:%d+", "main.lua:5")
    )
  end)

  it("leaves no descriptor and no thread but the spare one behind, fifty times", function()
    assert.equal("100\n", output(nil, [[
      local uv = lunette.uv
      app.on("window-all-closed", function() end)
      local function count(path, is_wanted)
        local n, request = 0, uv.fs_scandir(path)
        for name in function() return uv.fs_scandir_next(request) end do
          if not is_wanted or is_wanted(path .. "/" .. name) then n = n + 1 end
        end
        return n
      end
      local function is_page(task)
        local file <close> = io.open(task .. "/comm")
        return file and file:read() == "lunette-page"
      end
      local function use(sandbox)
        local win, load = open("page.lua", { isolation = "thread", sandbox = sandbox })
        load:await()
        local answer = win.webContents:invoke("ask", 1):await()
        win:destroy()
        return answer
      end
      local descriptors, answers = count "/proc/self/fd", 0
      for i = 1, 50 do answers = answers + use(i % 2 == 0) end
      while count("/proc/self/task", is_page) ~= 1 do lunette.sleep(2) end
      local of_spare <const> = 10 -- at most
      while count "/proc/self/fd" > descriptors + of_spare do lunette.sleep(2) end
      say(answers)
      quit()
    ]], [[ ipc.handle("ask", function(_, n) return n * 2 end) ]]))
  end)
end)

-- Endless code, each in another place of Lua.
local LOOPS <const> = {
  ["a loop"] = "while true do end",
  ["a loop that counts"] = "local n = 0 while true do n = n + 1 end",
  ["a for loop"] = "for i = 1, math.maxinteger do end",
  ["a tail call"] = "local function f() return f() end f()",
  ["a goto"] = "::again:: goto again",
  ["pcall in a loop"] = "while true do pcall(function() while true do end end) end",
  ["pcall in pcall"] = [[
    local function deep(n)
      if n == 0 then while true do end end
      while true do pcall(deep, n - 1) end
    end
    deep(40)
  ]],
  ["a message handler"] = "xpcall(error, function() while true do end end)",
  ["a loop that catches errors in its handler"] =
    "while true do xpcall(error, function() while true do end end) end",
  ["a coroutine"] = "coroutine.wrap(function() while true do end end)()",
  ["coroutines in one another"] = [[
    local function deep(n)
      if n == 0 then while true do end end
      while true do coroutine.resume(coroutine.create(deep), n - 1) end
    end
    deep(20)
  ]],
  ["coroutines in turn"] = [[
    local list = {}
    for i = 1, 10 do
      list[i] = coroutine.create(function() while true do coroutine.yield() end end)
    end
    while true do for _, co in ipairs(list) do coroutine.resume(co) end end
  ]],
  ["coroutines that catch it"] = [[
    local co = coroutine.wrap(function() while true do pcall(coroutine.yield) end end)
    while true do pcall(co) end
  ]],
  ["a value to be closed"] = [[
    local mt = { __close = function() while true do end end }
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, mt)
      coroutine.yield()
    end)
    coroutine.resume(co)
    coroutine.close(co)
  ]],
  ["a metamethod"] = [[
    local mt = { __index = function() while true do end end }
    local _ = setmetatable({}, mt).x
  ]],
  ["a comparison for table.sort"] = "table.sort({ 3, 2, 1 }, function() while true do end end)",
  ["a replacement for string.gsub"] = "string.gsub('x', '.', function() while true do end end)",
  ["a task"] = "lunette.spawn(function() while true do end end)",
  ["a timer"] = "lunette.setTimeout(function() while true do end end, 0)",
  ["timers without end"] =
    "local function again() lunette.setTimeout(again, 0) end for _ = 1, 9 do again() end",
  ["promises without end"] =
    "local function again() lunette.Promise.resolve():andThen(again) end again()",
  ["a generator"] = "for _ in lunette.generator(function() while true do end end) do end",
  ["waiting for main"] = "if ipc then ipc.sendSync 'never' end",
  ["garbage"] = "while true do local _ = { {}, {} } end",
  ["nothing"] = "lunette.sleep(1e9)",
}

describe("forcefullyCrashRenderer stops on a thread", function()
  -- The main script of it; says true if the end came in so many milliseconds.
  local function main_script(limit)
    local main = [[
      ipcMain.on("never", function(event) lunette.sleep(1e9) event.returnValue = 1 end)
      local win, load = open()
      local contents = tell(win)
      load:await()
      lunette.sleep(30)
      local begun = lunette.process.hrtime()
      contents:forcefullyCrashRenderer()
      gone(contents)
      local ms = (lunette.process.hrtime() - begun) // 1000000
      say(ms < LIMIT or ms)
      win:loadFile("empty.lua"):await()
      quit()
    ]]
    return TELL .. main:gsub("LIMIT", math.floor(limit * app.PATIENCE))
  end

  for where, code in pairs(LOOPS) do
    it(where, function()
      for _, preferences in ipairs { THREAD, ISOLATED } do
        local result = ipc.run {
          preferences = preferences,
          main = main_script(900),
          page = "lunette.setTimeout(function() " .. code .. "\nend, 10)",
          files = { ["empty.lua"] = "" },
          deadline = 5000 * app.PATIENCE,
        }
        assert.same({ KILLED .. "true\n", "" }, { result.stdout, result.stderr }, preferences)
      end
    end)
  end

  it("a page without a sandbox, in what luv calls", function()
    local result = ipc.run {
      preferences = OPEN_THREAD,
      main = main_script(900),
      page = [[
        local timer = lunette.uv.new_timer()
        timer:start(0, 0, function() while true do pcall(function() while true do end end) end end)
      ]],
      files = { ["empty.lua"] = "" },
    }
    assert.same({ KILLED .. "true\n", "" }, { result.stdout, result.stderr })
  end)

  it("a page in any moment of its start", function()
    assert.equal(KILLED:rep(40), output(THREAD, [[
      app.on("window-all-closed", function() end)
      for i = 1, 40 do
        local win = open()
        local contents = tell(win)
        for _ = 1, i // 2 do lunette.Promise.new(lunette.setImmediate):await() end
        contents:forcefullyCrashRenderer()
        gone(contents)
        win:destroy()
      end
      quit()
    ]], "while true do end"))
  end)

  -- Ends it by page's or main's code; its finaliser waits for what main does when it hears of the
  -- end. Returns what main said, when nothing complained.
  local function end_before_freeing(page, main)
    local path = os.tmpname()
    os.remove(path)
    local result = ipc.run {
      preferences = '{ isolation = "thread", sandbox = false, memoryLimit = 16 << 20 }',
      main = TELL .. ([[
        local win, load = open()
        load:catch(function() end)
        %s
        say(gone(win.webContents))
        assert(io.open(%q, "w")):close()
        quit()
      ]]):format(main, path),
      page = ([[
        kept = setmetatable({}, { __gc = function()
          local file, last = nil, lunette.process.hrtime() + 20e9
          repeat file = io.open(%q) until file or lunette.process.hrtime() > last
        end })
      ]]):format(path) .. page,
    }
    os.remove(path)
    assert.is_nil(result.stderr:find("left to itself", 1, true))
    return result.stdout
  end

  it("is gone when its memory is used up, before that is freed", function()
    local said = end_before_freeing('pcall(string.rep, "x", 1 << 30)', "")
    assert.equal('{exitCode = 125, reason = "oom"}\n', said)
  end)

  it("is gone when it was stopped, before its memory is freed", function()
    local crash = "load:await() win.webContents:forcefullyCrashRenderer()"
    assert.equal(KILLED, end_before_freeing("", crash))
    local hangs = "lunette.setImmediate(function() while true do end end)"
    assert.equal(KILLED, end_before_freeing(hangs, crash))
  end)

  it("gives up a thread that is inside of a C function, which ends when that returns", function()
    local result = ipc.run {
      preferences = THREAD,
      main = main_script(3000),
      page = [[
        lunette.setTimeout(function() (("a"):rep(5000)):find(".-.-.-b") end, 10)
      ]],
      files = { ["empty.lua"] = "" },
    }
    assert.equal(KILLED .. "true\n", result.stdout)
    local warning = "lunette: a renderer's thread cannot be stopped: it is left to itself\n"
    assert.equal(warning, result.stderr)
  end)
end)

describe("the end of main", function()
  for where, code in pairs { ["a loop"] = "while true do end", ["nothing"] = "" } do
    it("stops pages on threads, in " .. where, function()
      assert.equal("", output(THREAD, [[
        for _ = 1, 10 do select(2, open()):await() end
        lunette.sleep(30)
        quit()
      ]], "lunette.setTimeout(function() " .. code .. " end, 10)"))
    end)
  end

  it("waits longer for one that was stopped, and ends by itself", function()
    local ended = "the finaliser has come to its end\n"
    local result = ipc.run {
      preferences = OPEN_THREAD,
      main = [[
        ipcMain.on("ready", function() lunette.sleep(20) quit() end)
        open()
      ]],
      page = ([[
        kept = setmetatable({}, { __gc = function()
          local last = lunette.process.hrtime() + 1.3e9 -- stopping is given up after a second
          repeat until lunette.process.hrtime() > last
          io.stderr:write(%q)
        end })
        ipc.send "ready"
        lunette.setTimeout(function() while true do end end, 0)
      ]]):format(ended),
    }
    assert.same({ "", ended, 0 }, { result.stdout, result.stderr, result.status })
  end)
end)

-- The threads of pages in this process, by their numbers; `threads(n)` awaits so many.
local THREADS <const> = [[
  local function list()
    local found, count = {}, 0
    for id in io.popen("ls /proc/" .. lunette.process.pid .. "/task"):lines() do
      local file = io.open(("/proc/%d/task/%s/comm"):format(lunette.process.pid, id))
      local name = file and file:read "l"
      if file then file:close() end
      if name == "lunette-page" then
        found[id], count = true, count + 1
      end
    end
    return found, count
  end
  local function threads(wanted)
    for _ = 1, 1000 do
      local found, count = list()
      if count == wanted then return found end
      lunette.sleep(5)
    end
    say("threads", select(2, list()))
    return {}
  end
  local function other(found, known)
    for id in pairs(found) do if not known[id] then return id end end
  end
]]

describe("a spare thread", function()
  it("waits once a page is on a thread, and is no window", function()
    assert.equal("0\n1 1 nil\n", output(THREAD, THREADS .. [[
      say(select(2, list()))
      select(2, open()):await()
      threads(2)
      local contents = lunette.webContents.getAllWebContents()
      say(#lunette.BrowserWindow.getAllWindows(), #contents, lunette.webContents.fromId(2))
      quit()
    ]], ""))
  end)

  it("waits for nobody while pages have processes, or no sandbox", function()
    assert.equal("0\n1\n", output("{ sandbox = false }", THREADS .. [[
      app.on("window-all-closed", function() end)
      local one, process = open()
      process:await()
      one:destroy()
      lunette.sleep(50)
      say(select(2, list()))
      select(2, open("page.lua", { isolation = "thread", sandbox = false })):await()
      lunette.sleep(50)
      say(select(2, list()))
      quit()
    ]], ""))
  end)

  it("is the next page's, and another one takes its place", function()
    assert.equal("true\ntrue false\n", output(THREAD, THREADS .. [[
      app.on("window-all-closed", function() end)
      local first, load = open()
      load:await()
      local two = threads(2)
      local second, next_load = open()
      next_load:await()
      local three = threads(3)
      local new = other(three, two)
      first:destroy()
      local left = threads(2)
      local old = other(left, { [new] = true })
      say(two[old])
      second:destroy()
      local spare = threads(1)
      say(spare[new], spare[old] ~= nil)
      quit()
    ]], ""))
  end)

  it("does not keep the app from ending", function()
    assert.equal("closed\n", output(THREAD, THREADS .. [[
      local win, load = open()
      load:await()
      threads(2)
      win:on("closed", function() print "closed" end)
      win:close()
    ]], ""))
  end)

  it("leaves the core to a page that starts", function()
    assert.equal("1\n2\n", output(THREAD, THREADS .. [[
      ipcMain.on("starting", function(event)
        say(select(2, list()))
        event.returnValue = true
      end)
      local _, load = open()
      load:await()
      threads(2)
      say(select(2, list()))
      quit()
    ]], "ipc.sendSync 'starting'"))
  end)

  it("is made as well when a page cannot begin, or is stopped before", function()
    assert.equal("false\ntrue\n" .. KILLED .. "true true\n", ipc.output {
      preferences = THREAD,
      files = { ["broken.lua"] = "(" },
      main = TELL .. THREADS .. [[
        local _, load = open "broken.lua"
        say((load:pawait()))
        local two = threads(2)
        ipcMain.on("starting", function(event)
          say(select(2, list()) == 2) -- the broken page, and this one on what was the spare
          event.sender:forcefullyCrashRenderer()
        end)
        gone(tell((open())))
        local left = threads(2)
        local new = other(left, two)
        say(new ~= nil, next(left, next(left)) ~= nil)
        quit()
      ]],
      page = "ipc.sendSync 'starting' while true do end",
    })
  end)

  -- An app that waits for what becomes of spares: `core` are the runtime's threads, `last` is the
  -- one that was started last; `ended()` awaits that one has ended.
  local OPENED <const> = THREADS .. [[
    local import = debug.getregistry()["lunette.import"]
    local core, last = import "core.thread", nil
    local spawn, ends = core.spawn, 0
    core.spawn = function(options)
      local on_exit = options.on_exit
      options.on_exit = function(...)
        ends = ends + 1
        on_exit(...)
      end
      local thread, err, name = spawn(options)
      last = thread or last
      return thread, err, name
    end
    app.on("window-all-closed", function() end)
    app.on("render-process-gone", function(_, _, details) say(details) end)
    local function ended()
      for _ = 1, 5000 do
        if ends > 0 then return end
        lunette.sleep(1)
      end
      say "no thread has ended"
    end
    local function ask(win)
      return win.webContents:invoke("ask"):await()
    end
    local function open_one()
      local win, load = open()
      load:await()
      return win
    end
  ]]
  local ANSWER <const> = "ipc.handle('ask', function() return 'here' end)"

  it("ends when no page comes, and another one is made with the next page", function()
    assert.equal('"here"\n"here" "here"\n', output(THREAD, OPENED .. [[
      import "main.threads".patience = 20
      local first = open_one()
      ended()
      threads(1)
      say(ask(first))
      import "main.threads".patience = 10000
      local second = open_one()
      threads(3)
      say(ask(first), ask(second))
      quit()
    ]], ANSWER))
  end)

  it("may end while it boots, and while pages come", function()
    assert.equal("40\n", output(THREAD, OPENED .. [[
      local threads_of, count = import "main.threads", 0
      for i = 1, 40 do
        threads_of.patience = i % 4 -- milliseconds: shorter than a boot, or a load, or not
        local win = open_one()
        if ask(win) == "here" then count = count + 1 end
        win:destroy()
      end
      threads(0)
      say(count)
      quit()
    ]], ANSWER))
  end)

  it("does not keep the loop running", function()
    assert.equal("true\n", output(THREAD, OPENED .. [[
      local function held()
        local counts = import "core.loop".held_by()
        return ("%d %d"):format(counts.timer or 0, counts.poll or 0)
      end
      local start, count = core.spawn, 0
      core.spawn = function(options)
        count = count + 1
        if count ~= 2 then return start(options) end -- the second one were the first spare
      end
      open_one()
      local without = held()
      open_one():destroy()
      threads(2)
      for _ = 1, 5000 do
        if held() == without then break end
        lunette.sleep(1)
      end
      say(held() == without)
      quit()
    ]], ANSWER))
  end)

  it("is not missed when it dies", function()
    assert.equal('"here" "here"\n', output(THREAD, OPENED .. [[
      local first = open_one()
      threads(2)
      last:kill()
      ended()
      threads(1)
      local second = open_one()
      threads(3)
      say(ask(first), ask(second))
      quit()
    ]], ANSWER))
  end)

  it("is not missed when it cannot be made", function()
    assert.equal('"here" "here"\n1\n', output(THREAD, OPENED .. [[
      local count = 0
      local start = core.spawn
      core.spawn = function(options)
        count = count + 1
        if count == 2 then return nil, "EAGAIN: try again", "EAGAIN" end
        if count == 4 then error "not enough memory" end
        return start(options)
      end
      local first = open_one()
      local second = open_one()
      say(ask(first), ask(second))
      first:destroy()
      threads(1)
      say(select(2, list()))
      quit()
    ]], ANSWER))
  end)

  -- What a page says of itself, when it is opened with other preferences than the first one.
  local function second(preferences, page)
    return ipc.run {
      files = {
        ["first.lua"] = "",
        ["preload.lua"] = "lunette = require 'lunette' told = 'preload'",
      },
      main = TELL .. THREADS .. [[
        select(2, open("first.lua", { isolation = "thread" })):await()
        threads(2)
        ipcMain.on("tell", function(_, ...) say(...) quit() end)
        local preferences = ]] .. preferences .. [[
        preferences.isolation = "thread"
        local contents = open("page.lua", preferences).webContents
        contents:removeAllListeners "console-message"
        ipcMain.on("spin", function() contents:forcefullyCrashRenderer() end)
        contents:on("render-process-gone", function(_, details) say(details) quit() end)
      ]],
      page = page,
    }.stdout
  end

  it("has the preferences of its page", function()
    assert.equal('"more"\n', second('{ additionalArguments = { "more" } }',
      "local argv = lunette.process.argv ipc.send('tell', argv[#argv])"))
    assert.equal('{1, 2}\n', second('{ codec = "json" }', [[
      local ok = pcall(ipc.send, "tell", { [{}] = 1 })
      ipc.send("tell", not ok and { 1, 2 })
    ]]))
    assert.equal('"preload" false\n', second(
      '{ preload = "preload.lua", contextIsolation = false }',
      "ipc.send('tell', told, lunette.process.contextIsolated)"))
    assert.equal('{exitCode = 125, reason = "oom"}\n', second("{ memoryLimit = 4 << 20 }",
      "local t = {} while true do t[#t + 1] = { {} } end"))
    assert.equal('"userdata"\n', second("{ sandbox = false }",
      "local timer = lunette.uv.new_timer() ipc.send('tell', type(timer)) timer:close()"))
  end)

  it("is stopped like any other, and its clock starts with the page", function()
    assert.equal("true\n", second("{}", [[
      ipc.send("tell", lunette.process.uptime() < lunette.process.hrtime() / 1e9)
    ]]))
    assert.equal(KILLED, second("{}", [[
      lunette.setTimeout(function() while true do end end, 10)
      ipc.send "spin"
    ]]))
  end)
end)
