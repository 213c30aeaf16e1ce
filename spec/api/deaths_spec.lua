-- SPDX-License-Identifier: MIT
-- How renderers die, by whose hand, and what comes after. More of it is in web_contents_spec.lua.
local app = require "spec.support.app"
local ipc = require "spec.support.ipc"

-- Says how renderers go; `gone(contents)` awaits it.
local TELL <const> = [[
  local function tell(win)
    win.webContents:on("render-process-gone", function(_, details) say(details) end)
    return win, win.webContents
  end
  local function gone(contents)
    return lunette.Promise.new(function(resolve)
      contents:once("render-process-gone", resolve)
    end):await()
  end
]]

local KILLED <const> = '{exitCode = 9, reason = "killed"}\n'

describe("a kernel without pidfds", function()
  it("tells of every end of a renderer as any other does", function()
    local folder = app.folder(ipc.files {
      main = TELL .. [[
        local function die(code, sandbox)
          local win, load = open("page.lua", { sandbox = sandbox })
          local _, contents = tell(win)
          load:await()
          contents:executeLua(code):catch(function() end)
          gone(contents)
        end
        die("os.exit()", false)
        die("os.exit(3)", false)
        for _, signal in ipairs { "SIGKILL", "SIGSEGV", "SIGTERM" } do
          die(("local p = lunette.process p.kill(p.pid, %q)"):format(signal), false)
        end
        local _, contents = tell(open())
        contents:forcefullyCrashRenderer()
        gone(contents)
        quit()
      ]],
      page = "_G.lunette = lunette",
    })
    local tests = app.executable:match "^(.*)/" .. "/spec/c/test_child"
    local result = app.spawn(tests, { "without-pidfds", app.executable, folder }).wait()
    app.remove(folder)
    assert.equal([[
{exitCode = 0, reason = "clean-exit"}
{exitCode = 3, reason = "abnormal-exit"}
{exitCode = 9, reason = "killed"}
{exitCode = 11, reason = "crashed"}
{exitCode = 15, reason = "killed"}
{exitCode = 9, reason = "killed"}
]], result.stdout)
    assert.equal("", result.stderr)
  end)
end)

describe("forcefullyCrashRenderer", function()
  local function output(main, page)
    return ipc.output { main = TELL .. main .. " quit()", page = page }
  end

  it("ends a page that hangs, and one whose process is stopped", function()
    assert.equal(KILLED:rep(2), output([[
      local win, load = open()
      local _, contents = tell(win)
      load:await()
      contents:send("hang")
      contents:forcefullyCrashRenderer()
      gone(contents)
      contents:reload():await()
      local pid = contents:executeLua("return require('lunette').process.pid"):await()
      lunette.process.kill(pid, "SIGSTOP") -- getOSProcessId() is 0 until the zygote has told it
      contents:forcefullyCrashRenderer()
      gone(contents)
    ]], [[ ipc.on("hang", function() while true do end end) ]]))
  end)

  it("ends a renderer in the turn in which the load was asked for", function()
    for _, sandbox in ipairs { "true", "false" } do
      local expected = KILLED .. "false ERR_FAILED (-2): the renderer has gone: killed\nfalse\n"
      assert.equal(expected, (output(([[
        local win, load = open("page.lua", { sandbox = %s })
        local _, contents = tell(win)
        contents:forcefullyCrashRenderer()
        say(load:pawait())
        contents:reload():await()
        say(contents:isCrashed())
      ]]):format(sandbox)):gsub(" loading '.-'", "")))
    end
  end)

  it("has a load fail that its page had finished", function()
    assert.equal('"ready"\nfalse ERR_FAILED (-2): the renderer has gone: killed\n', (output([[
      local win, load = open()
      win.webContents:on("dom-ready", function()
        say "ready"
        win.webContents:forcefullyCrashRenderer()
      end)
      win.webContents:on("did-finish-load", function() say "finished" end)
      say(load:pawait())
    ]]):gsub(" loading '.-'", "")))
  end)

  it("ends a renderer in any turn of its start", function()
    assert.equal(KILLED:rep(20), output([[
      for turns = 1, 10 do
        for _, sandbox in ipairs { true, false } do
          local _, contents = tell(open("page.lua", { sandbox = sandbox }))
          for _ = 1, turns do
            lunette.Promise.new(function(resolve) lunette.setImmediate(resolve) end):await()
          end
          contents:forcefullyCrashRenderer()
          gone(contents)
        end
      end
    ]], [[ while true do end ]]))
  end)

  it("ends a renderer in the middle of its load", function()
    assert.equal(KILLED, output([[
      local _, contents = tell(open())
      ipcMain.on("middle", function(event)
        event.sender:forcefullyCrashRenderer()
        lunette.sleep(1e6)
      end)
      gone(contents)
    ]], [[ ipc.sendSync "middle" ]]))
  end)

  it("ends a renderer that the zygote, which hangs, has not started", function()
    assert.equal('{exitCode = 9, reason = "killed"}\nfalse\n', output([[
      local _, load = open()
      load:await()
      local uv = lunette.uv
      local function find_all()
        local found, request = {}, uv.fs_scandir "/proc"
        for name in function() return uv.fs_scandir_next(request) end do
          local file = name:find "^%d+$" and io.open("/proc/" .. name .. "/cmdline")
          local line = file and file:read "a" or ""
          if file then file:close() end
          local is_one = line:find("--lunette-zygote\0" .. lunette.process.pid, 1, true)
          if is_one then found[#found + 1] = tonumber(name) end
        end
        return found
      end
      local found
      repeat found = find_all() lunette.sleep(1) until #found == 3 -- with a page and a spare
      for _, pid in ipairs(found) do lunette.process.kill(pid, "SIGSTOP") end
      local _, contents = tell(open())
      lunette.sleep(10)
      contents:forcefullyCrashRenderer()
      gone(contents)
      contents:reload():await()
      say(contents:isCrashed())
    ]]))
  end)

  it("is called again, or with nothing there, without effect", function()
    assert.equal(KILLED, output([[
      app.whenReady():await()
      local win = BrowserWindow.new()
      win.webContents:forcefullyCrashRenderer()
      local _, contents = tell(open())
      for _ = 1, 3 do contents:forcefullyCrashRenderer() end
      gone(contents)
      contents:forcefullyCrashRenderer()
    ]]))
  end)
end)

describe("a renderer's end", function()
  it("by an exit code that the runtime uses too is an abnormal exit all the same", function()
    for _, code in ipairs { "125", "127", "127 + 256" } do
      local output = ipc.output {
        preferences = "{ sandbox = false }",
        main = TELL .. [[
          local _, contents = tell(open())
          gone(contents)
          quit()
        ]],
        page = ("os.exit(%s)"):format(code),
      }
      local number = code:match "^%d+"
      assert.equal(('{exitCode = %s, reason = "abnormal-exit"}\n'):format(number), output)
    end
  end)

  it("rejects what main awaits of it, and aborts what it awaits of main", function()
    local output = ipc.output {
      main = TELL .. [[
        local win, load = open()
        local _, contents = tell(win)
        ipcMain.handle("work", function(event)
          event.signal:on("abort", function() say("aborted", event.signal.aborted) end)
          lunette.sleep(1e6)
        end)
        load:await()
        local code = contents:executeLua("while true do end")
        local ask, drained = contents:invoke("ask"), contents:drained()
        contents:send("x", ("x"):rep(9 << 20))
        local full = contents:drained()
        contents:forcefullyCrashRenderer()
        for _, promise in ipairs { code, ask, full } do say(select(2, promise:pawait())) end
        say(drained:status())
        quit()
      ]],
      page = [[
        ipc.handle("ask", function() return 1 end)
        ipc.invoke("work")
      ]],
    }
    assert.equal('"aborted" true\n' .. KILLED .. ("PeerGoneError: killed\n"):rep(3)
      .. '"fulfilled"\n', output)
  end)
end)

-- A control group in which a process may use little memory; nil where none can be made, as by a
-- user who is not root.
local function make_group()
  local root = "/sys/fs/cgroup/memory"
  local dir = ("%s/lunette-spec-%d"):format(root, require("lunette").process.pid)
  local uv = require("lunette").uv
  if not uv.fs_mkdir(dir, 448) then return nil end
  local limit = io.open(dir .. "/memory.limit_in_bytes", "w")
  local written = limit and limit:write(("%d\n"):format(64 << 20))
  if limit then limit:close() end
  if written then return dir end
  uv.fs_rmdir(dir)
end

describe("the kernel's OOM killer", function()
  it("ends a renderer in oom", function()
    local group = make_group()
    if not group then
      pending "no control group can be made here"
      return
    end
    local dir = app.folder(ipc.files {
      preferences = "{ sandbox = false }",
      main = TELL .. [[
        local _, contents = tell(open())
        gone(contents)
        contents:loadFile("kill.lua")
        gone(contents)
        quit()
      ]],
      page = [[ local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end ]],
      files = { ["kill.lua"] = [[ lunette.process.kill(lunette.process.pid, "SIGKILL") ]] },
    })
    local line = 'echo $$ >"$2/cgroup.procs" && exec "$0" "$1"'
    local result = app.spawn("/bin/sh", { "-c", line, app.executable, dir, group }).wait()
    app.remove(dir)
    require("lunette").uv.fs_rmdir(group)
    assert.equal('{exitCode = 9, reason = "oom"}\n' .. KILLED, result.stdout)
  end)
end)

describe("a page that dies at each load, and is loaded again for it", function()
  local CRASH <const> = [[
    local win = open()
    local contents = win.webContents
    local begun, deaths = lunette.process.hrtime(), 0
    contents:on("render-process-gone", function()
      deaths = deaths + 1
      if deaths == WANTED then
        say((lunette.process.hrtime() - begun) / 1e9 >= LEAST)
        return quit()
      end
      contents:reload()
    end)
  ]]

  local function run(wanted, least, page)
    return ipc.run {
      preferences = "{ sandbox = false }",
      main = CRASH:gsub("%u%u+", { WANTED = tostring(wanted), LEAST = tostring(least) }),
      page = page or "lunette.process.kill(lunette.process.pid, 'SIGTERM')",
    }
  end

  it("is started ever more slowly, and main says so", function()
    local result = run(7, 1.5)
    assert.equal("true\n", result.stdout)
    local expected = {}
    for deaths, delay in ipairs { 100, 200, 400, 800 } do
      expected[deaths] = ("lunette: WebContents #1: its renderer died %d times in a row; "
        .. "the next one starts in %d ms\n"):format(deaths + 2, delay)
    end
    assert.equal(table.concat(expected, "", 1, 4), result.stderr)
  end)

  it("is so as well when it exits in order, or breaks the protocol", function()
    for _, page in ipairs { "os.exit(0)", "lunette.uv.fs_write(3, ('\\255'):rep(100))" } do
      local result = run(4, 0.1, page)
      assert.equal("true\n", result.stdout)
      assert.matches("died 3 times in a row; the next one starts in 100 ms", result.stderr, 1, true)
    end
  end)

  it("is not when the app itself ends it", function()
    local output = ipc.output {
      main = TELL .. [[
        local win, load = open()
        local contents = win.webContents
        load:await()
        for _ = 1, 10 do
          contents:forcefullyCrashRenderer()
          gone(contents)
          contents:reload():await()
        end
        quit()
      ]],
    }
    assert.equal("", output)
  end)

  it("can be loaded with another page, or closed, meanwhile", function()
    local result = ipc.run {
      preferences = "{ sandbox = false }",
      main = [[
        local win = open()
        local contents = win.webContents
        local deaths = 0
        contents:on("render-process-gone", function()
          deaths = deaths + 1
          local load = contents:reload()
          if deaths ~= 4 then return end
          say(contents:isLoading(), contents:isCrashed())
          contents:loadFile("page.lua")
          say(load:pawait())
          win:close()
        end)
      ]],
      page = "os.exit(1)",
    }
    local text = "true true\nfalse ERR_ABORTED (-3) loading 'file://page.lua': "
      .. "another load was started\n"
    assert.equal(text, result.stdout)
    assert.equal(0, result.status)
  end)
end)
