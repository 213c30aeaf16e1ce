--- Ways out of a sandboxed page that must lead nowhere, tried from Lua. With the language's walls
--- taken away, spec/c/test_sandbox.c goes on where these end.
local app = require "spec.support.app"
local page = require "spec.support.page"

-- For a page: walk(...) goes through all that can be reached from the values, by keys, values and
-- metatables, and returns the names of powers found there, and how many tables it saw.
local WALK <const> = [[
  local POWERS = {}
  for name in ([=[popen tmpfile lines loadfile dofile loadlib searchpath cpath execute rename
    tmpname exit getenv setenv setlocale dump getregistry getupvalue setupvalue upvaluejoin getlocal
    setlocal getinfo sethook setuservalue setmetatable_of spawn_process fs_open read_file real_path
    chdir kill cwd environ relaunch zygote instance_acquire set_receivers send_raw wait_reply
    set_hooks listen_to]=]):gmatch "%S+" do POWERS[name] = true end
  local function walk(...)
    local seen, found, count, queue = {}, {}, 0, { ... }
    local function add(value)
      local kind = type(value)
      if kind ~= "table" and kind ~= "userdata" and kind ~= "string" then return end
      if kind ~= "string" and not seen[value] then
        seen[value] = true
        queue[#queue + 1] = value
      end
    end
    for _, value in ipairs(queue) do seen[value] = true end
    while #queue > 0 do
      local value = table.remove(queue)
      local metatable = getmetatable(value)
      if metatable then add(metatable) end
      if type(value) == "table" then
        count = count + 1
        for key, item in next, value do
          if POWERS[key] then found[#found + 1] = key end
          add(key)
          add(item)
        end
      end
    end
    table.sort(found)
    return table.concat(found, " "), count
  end
]]

local ISOLATED <const> = 'preload = "preload.lua"'

describe("from a sandboxed page there is no way to", function()
  it("a power, through anything that it can reach", function()
    local output = page.output(WALK .. [[
      local lunette = require "lunette"
      local things = { _G, "", lunette, lunette.Promise.resolve(1), lunette.Promise.delay(1) }
      local failed, err = lunette.ipcRenderer.invoke("nobody"):pawait()
      things[#things + 1] = err
      things[#things + 1] = select(2, lunette.Promise.delay(1e6):timeout(1):pawait())
      local pending = lunette.Promise.delay(1e6)
      pending:cancel()
      things[#things + 1] = select(2, pending:pawait())
      lunette.process.once("probe", function(...) things[#things + 1] = { ... } end)
      window.addEventListener("load", function(event) things[#things + 1] = event end)
      lunette.process.emit("probe", 1)
      lunette.sleep(1)
      things[#things + 1] = select(2, pcall(require, "nothing"))
      local names, count = walk(table.unpack(things))
      print(#things > 8, count > 30, names)
    ]])
    assert.equal("true\ttrue\t\n", output)
  end)

  it("a power, when it is isolated, through what the preload gave", function()
    local output = page.output(WALK .. [[
      local lunette = require "lunette"
      local result, callback_result = api.give(function() return { 1 } end)
      local _, err = pcall(api.fail)
      local _, raised = pcall(api.fail_with_table)
      local promise = api.later()
      local names, count = walk(_G, "", lunette, api, result, err, raised, promise, promise:await())
      print(count > 10, names, rawget(lunette, "ipcRenderer"), rawget(lunette, "contextBridge"))
    ]], {
      preferences = ISOLATED,
      files = {
        ["preload.lua"] = [[
          local lunette = require "lunette"
          local class = { __index = { secret = print }, popen = 1 }
          lunette.contextBridge.exposeInMainWorld("api", setmetatable({
            give = function(fn) fn() return setmetatable({}, class) end,
            fail = function() error "no" end,
            fail_with_table = function() error(setmetatable({ x = {} }, class)) end,
            later = function() return lunette.Promise.delay(1, setmetatable({}, class)) end,
          }, class))
        ]],
      },
    })
    assert.equal("true\t\tnil\tnil\n", output)
  end)

  it("a metatable, or any other table, of the preload", function()
    local output = page.output([[
      local _, raised = pcall(api.fail)
      getmetatable(raised).__tostring = function() return "bent" end
      getmetatable("").__index = function() return function() return "bent" end end
      getmetatable(require("lunette").Promise.resolve()).__index = { await = error }
      raised.list[1] = "bent"
      api.numbers[1] = "bent"
      table.concat, next, error = nil, nil, nil
      print(api.look())
    ]], {
      preferences = ISOLATED,
      files = {
        ["preload.lua"] = [[
          local lunette = require "lunette"
          local err = setmetatable({ list = { 1 } }, { __tostring = function() return "mine" end })
          local numbers = { 1 }
          lunette.contextBridge.exposeInMainWorld("api", {
            numbers = numbers,
            fail = function() error(err) end,
            look = function()
              lunette.Promise.resolve(1):await()
              return tostring(err), err.list[1], numbers[1], ("x"):rep(2), table.concat { 1, 2 }
            end,
          })
        ]],
      },
    })
    assert.equal("mine\t1\t1\txx\t12\n", output)
  end)

  it("the emitter behind ipcRenderer, by way of a class that it shares", function()
    local output = page.output [[
      local lunette = require "lunette"
      local ipcRenderer = lunette.ipcRenderer
      local got, give = lunette.Promise.withResolvers()
      ipcRenderer.on("event", give)
      ipcRenderer.sendTo(1, "event") -- to itself
      local class, emitter = getmetatable(got:await().signal)._super
      local function steal(self) emitter = self end
      class.on, class.once, class.emit = steal, steal, steal
      ipcRenderer.on("a", steal)
      ipcRenderer.once("b", steal)
      print(ipcRenderer.emit("c"), emitter)
    ]]
    assert.equal("false\tnil\n", output)
  end)

  it("a file, a program or a library", function()
    local output = page.output [[
      local globals = { "io", "dofile", "loadfile", "loadstring", "newproxy", "setfenv", "getfenv" }
      for _, name in ipairs(globals) do assert(_G[name] == nil, name) end
      for _, name in ipairs { "execute", "remove", "rename", "tmpname", "getenv", "exit" } do
        assert(os[name] == nil, name)
      end
      assert(package.loadlib == nil and package.searchpath == nil and package.cpath == nil)
      assert(#package.searchers == 2)
      local paths = { "..", "../main", "..main", "lib/../../etc/passwd", "/etc/passwd", "./main",
        ".", "a..b", "main\0", "main.lua\0", "%2e%2e", "\\etc\\passwd", "luv", "lfs", "cjson" }
      for _, path in ipairs(paths) do assert(not pcall(require, path), path) end
      print "nothing"
    ]]
    assert.equal("nothing\n", output)
  end)

  it("bytecode, in whatever pieces and modes it comes", function()
    local output = page.output [[
      assert(string.dump == nil and ("").dump == nil)
      local bytecode = "\27Lua\x54\0\x19\x93\r\n\x1a\n\4\8\8"
      for _, mode in ipairs { "b", "t", "bt", "tb", "" } do
        assert(not load(bytecode, "=x", mode), mode)
        local at = 0
        local function piece()
          at = at + 1
          return at <= #bytecode and bytecode:sub(at, at) or nil
        end
        assert(not load(piece, "=x", mode), mode)
      end
      local bent = setmetatable({}, { __tostring = function() return "b" end })
      assert(not select(2, pcall(load, bytecode, "=x", bent)))
      package.searchers[3] = function() return load(bytecode) end
      assert(not pcall(require, "anything"))
      print "text alone"
    ]]
    assert.equal("text alone\n", output)
  end)

  it("the registry, other frames and other functions' variables", function()
    local output = page.output [[
      local names = {}
      for name in pairs(debug) do names[#names + 1] = name end
      assert(#names == 1 and type(debug.traceback()) == "string")
      local lunette = require "lunette"
      assert(type(getmetatable("").__index) == "table")
      assert(getmetatable(lunette.null) == nil)
      print(pcall(setmetatable, lunette.Promise.resolve(), {}))
    ]]
    assert.matches("^false\tbad argument #1 to 'setmetatable' %(table expected", output)
  end)

  it("memory that is not a promise's, by a forged one", function()
    local output = page.output [[
      local lunette = require "lunette"
      local Promise = lunette.Promise
      local real = Promise.delay(1e6)
      local forged = { setmetatable({}, Promise), lunette.null, {}, "promise", 1, print,
        coroutine.create(print), setmetatable({}, getmetatable(real)) }
      local methods = {}
      for name, fn in pairs(Promise) do
        if type(fn) == "function" then methods[#methods + 1] = fn end
      end
      for _, value in ipairs(forged) do
        for _, fn in ipairs(methods) do
          local co = coroutine.create(function() pcall(fn, value, value, value) end)
          coroutine.resume(co)
        end
      end
      Promise.__gc = function(promise)
        pcall(promise.await, promise)
        pcall(promise.cancel, promise)
      end
      for _ = 1, 100 do Promise.resolve({}, {}):andThen(print) end
      Promise.__gc, Promise.__index, Promise.__name = nil, nil, nil
      collectgarbage()
      print "alive"
    ]]
    assert.matches("alive\n$", output)
  end)

  it("a coroutine of the runtime's that it could resume", function()
    local output = page.output [[
      local lunette = require "lunette"
      local seen = {}
      local function arm()
        setmetatable({}, { __gc = function()
          seen[#seen + 1] = coroutine.running()
          if #seen < 200 then arm() end
        end })
      end
      arm()
      for i = 1, 50 do
        lunette.spawn(function()
          lunette.sleep(0)
          for k = 1, 100 do seen.garbage = { k } end
        end)
        collectgarbage "step"
      end
      for _ = 1, 20 do lunette.sleep(1) collectgarbage() end
      local own = coroutine.running()
      for _, co in ipairs(seen) do
        if co ~= own then
          coroutine.resume(co, "in")
          pcall(coroutine.close, co)
          coroutine.resume(co, "in")
        end
      end
      lunette.sleep(1)
      print(#seen > 0, lunette.Promise.resolve("alive"):await())
    ]]
    assert.equal("true\talive\n", output)
  end)

  it("half an encoded message, by a finaliser that sends in the middle of one", function()
    local output = page.output [[
      local lunette = require "lunette"
      local ipcRenderer = lunette.ipcRenderer
      local depth = 0
      local function arm()
        setmetatable({}, { __gc = function()
          depth = depth + 1
          if depth == 1 then pcall(ipcRenderer.send, "late", { { "x" } }, print) end
          depth = depth - 1
          arm()
        end })
      end
      for _ = 1, 5 do arm() end
      for i = 1, 300 do
        local list = {}
        for k = 1, 50 do list[k] = { k, tostring(k) .. i } end
        ipcRenderer.send("list", list)
      end
      print(pcall(ipcRenderer.sendSync, "nobody"))
    ]]
    assert.matches("^false\t", output)
    assert.not_matches("closing the link", output)
  end)

  it("more of main by an error object that lies about itself", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        local win = lunette.BrowserWindow.new()
        win:loadFile("page.lua"):await()
        local ok, err = win.webContents:invoke("ask"):pawait()
        print(ok, type(err), err.channel, err.message, getmetatable(err).__index, err.__gc)
        print(pcall(win.webContents.executeLua, win.webContents, "error(setmetatable({}, "
          .. "{ __gc = print, __tostring = function() error 'x' end }))"))
        win:close()
      ]],
      ["page.lua"] = [[
        require("lunette").ipcRenderer.handle("ask", function()
          error(setmetatable({ channel = "other", traceback = {}, name = {}, message = {},
            __gc = "text" }, { __index = print, __tostring = function() return {} end }))
        end)
      ]],
    }
    assert.equal(0, result.status)
    assert.matches("^false\ttable\task\t", result.stdout)
    assert.matches("\tnil\ttext\n", result.stdout)
  end)

  it("the terminal, the environment or the time zone's file", function()
    local result = app.run({
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        lunette.BrowserWindow.new():loadFile("page.lua")
      ]],
      ["page.lua"] = [[
        print(os.date("%Z", 0), os.time { year = 1970, month = 1, day = 1, hour = 12 })
        window.close()
      ]],
    }, { env = { TZ = "XYZ3" } })
    assert.equal("XYZ\t54000\n", result.stdout)
  end)
end)

describe("process.sandboxed", function()
  local function sandboxed(preferences)
    return page.output("print(require('lunette').process.sandboxed)", {
      preferences = preferences,
      files = { ["preload.lua"] = "" },
    })
  end

  it("tells whether the system contains the process, isolated or not", function()
    assert.equal("true\n", sandboxed "")
    assert.equal("true\n", sandboxed(ISOLATED))
    assert.equal("false\n", sandboxed "sandbox = false")
  end)
end)
