-- SPDX-License-Identifier: MIT
-- API.md, Conventions: the table of each role, dots and colons, emitters, listeners that await.
local app = require "spec.support.app"
local page = require "spec.support.page"

local MAIN = "local lunette = require 'lunette'\n"

local function main(code)
  return app.run { ["main.lua"] = MAIN .. code }
end

-- Sorted names of the public table, with the type of each value.
local NAMES = [[
  local names = {}
  local lunette = require "lunette"
  for name, value in pairs(lunette) do names[#names + 1] = name .. ":" .. type(value) end
  if lunette.uv then names[#names + 1] = "uv" end -- opened when it is first asked for
  table.sort(names)
  print(table.concat(names, "\n"))
]]

local EVERYWHERE = [[
Promise:table async:function clearInterval:function clearTimeout:function generator:function
json:table process:table promisify:function setImmediate:function setInterval:function
setTimeout:function sleep:function spawn:function version:string null:userdata]]

describe("require 'lunette'", function()
  local function names_of(output)
    local set = {}
    for name in output:gmatch "%S+" do set[name] = true end
    return set
  end

  local function expect(more, output)
    assert.same(names_of(EVERYWHERE .. " " .. more), names_of(output))
  end

  it("gives main its table", function()
    expect("BrowserWindow:table MessageChannelMain:table app:table ipcMain:table "
      .. "utilityProcess:table uv webContents:table", main(NAMES).stdout)
  end)

  local RENDERER = "MessageChannel:table WebView:table contextBridge:table ipcRenderer:table "
    .. "webFrame:table "

  it("gives a page its table, without uv in a sandbox", function()
    expect(RENDERER, page.output(NAMES))
    expect(RENDERER .. "uv", page.output(NAMES, { preferences = "sandbox = false" }))
  end)

  it("needs no global, and gives the same table every time, in every state", function()
    local code = [[
      print(rawget(_G, "lunette"), require "lunette" == require "lunette",
        package.loaded.lunette == require "lunette")
    ]]
    assert.equal("nil\ttrue\ttrue\n", main(code).stdout)
    assert.equal("nil\ttrue\ttrue\n", page.output(code))
    local isolated = { preferences = "contextIsolation = true" }
    assert.equal("nil\ttrue\ttrue\n", page.output(code, isolated))
  end)
end)

-- Prints each function of a table that does not refuse the colon in these very words.
local CHECK_DOTS = [[
  local UNCHECKED = { drained = true, postMessage = true, sendToHost = true }
  local text = "%s.%s is called with a dot: write %s.%s(...), not %s:%s(...)"
  local function check(owner, functions)
    for name, fn in pairs(functions) do
      if type(fn) == "function" and not UNCHECKED[name] then
        local ok, err = pcall(function() functions[name](functions, 1, 2) end)
        local wanted = text:format(owner, name, owner, name, owner, name)
        err = tostring(err):gsub("^.-:%d+: ", "")
        if ok or err ~= wanted then print(owner, name, ok, err) end
      end
    end
  end
  check("lunette", lunette)
  check("process", lunette.process)
  check("json", lunette.json)
]]

-- The same for objects and their colons.
local CHECK_COLONS = [[
  local text = "%s:%s is called with a colon: write %s:%s(...), not %s.%s(...)"
  local function check_object(owner, example, object, names)
    for name in names:gmatch "%w+" do
      local ok, err = pcall(function() object[name](1, 2) end)
      local wanted = text:format(owner, name, example, name, example, name)
      err = tostring(err):gsub("^.-:%d+: ", "")
      if ok or err ~= wanted then print(owner, name, ok, err) end
    end
  end
  check_object("Promise", "promise", lunette.Promise.resolve(),
    "andThen catch finally await pawait status timeout cancel")
]]

describe("a wrong dot or colon", function()
  it("is an error that says which one to use, in main", function()
    local result = main(CHECK_DOTS .. CHECK_COLONS .. [[
      check("app", lunette.app)
      check("ipcMain", lunette.ipcMain)
      local statics = "new resolve reject all allSettled race any delay withResolvers is"
      for name in statics:gmatch "%w+" do
        local ok, err = pcall(function() lunette.Promise[name](lunette.Promise) end)
        if ok or not err:find("Promise." .. name .. " is called with a dot", 1, true) then
          print("Promise", name, ok, err)
        end
      end
      lunette.app.whenReady():await()
      local win = lunette.BrowserWindow.new { show = false }
      check_object("BrowserWindow", "win", win, "loadFile loadURL show hide isVisible focus close "
        .. "destroy isDestroyed reload setTitle getTitle setSize getSize setBounds getBounds")
      check_object("WebContents", "win.webContents", win.webContents, "send sendToFrame invoke "
        .. "executeLua loadFile loadURL reload getURL getTitle isLoading isDestroyed isCrashed "
        .. "getOSProcessId forcefullyCrashRenderer close drained")
      check_object("Emitter", "emitter", win,
        "on once off removeAllListeners listenerCount emit listen")
      print "checked"
      lunette.app.exit()
    ]])
    assert.equal("checked\n", result.stdout)
    assert.equal("", result.stderr)
  end)

  it("is one in a page too", function()
    local output = page.output(MAIN .. CHECK_DOTS .. CHECK_COLONS .. [[
      check("ipcRenderer", lunette.ipcRenderer)
      check("contextBridge", lunette.contextBridge)
      print "checked"
    ]])
    assert.equal("checked\n", output)
  end)
end)

describe("a bad argument", function()
  it("is blamed on the place of the call, whatever is between", function()
    local result = main [[
      local function call() lunette.setTimeout("no function") end
      print(pcall(call))
      local ok, err = lunette.spawn(function() lunette.sleep {} end):pawait()
      print(ok, err)
    ]]
    assert.equal("false\tmain.lua:2: bad argument #1 to 'lunette.setTimeout' "
      .. "(callable expected, got string)\n"
      .. "false\tmain.lua:4: bad argument #1 to 'lunette.sleep' "
      .. "(milliseconds expected, got table)\n",
      (result.stdout:gsub("/[^\n]-/main.lua", "main.lua")))
  end)
end)

-- Code that makes `method(name)`, an emitter's function, and `face`, what on, once and off return.
local EMITTERS = {
  ["an object"] = [[
    lunette.app.whenReady():await()
    local win = lunette.BrowserWindow.new { show = false }
    local function method(name) return function(...) return win[name](win, ...) end end
    local face = win
  ]],
  ["a singleton"] = [[
    local function method(name) return lunette.app[name] end
    local face = lunette.app
  ]],
}

describe("an emitter that is", function()
  for what, setup in pairs(EMITTERS) do
    it(what .. " has every method of an emitter", function()
      local result = main(setup .. [[
        local trace = {}
        local function note(name)
          return function(...) trace[#trace + 1] = name .. select("#", ...) end
        end
        local a, b, c, d = note "a", note "b", note "c", note "d"
        print(method "on"("x", a) == face, method "addListener"("x", b) == face,
          method "once"("x", c) == face, type(method "listen"("x", d)))
        print(method "listenerCount" "x", method "emit"("x", nil, 1, nil), method "emit" "y")
        print(method "off"("x", a) == face, method "removeListener"("x", b) == face)
        print(method "listenerCount" "x", method "emit" "x")
        print(method "removeAllListeners" "x" == face, method "listenerCount" "x")
        print(table.concat(trace, " "))
        lunette.app.exit()
      ]])
      assert.equal("true\ttrue\ttrue\tfunction\n4\ttrue\tfalse\ntrue\ttrue\n1\ttrue\n"
        .. "true\t0\na3 b3 c3 d3 d0\n", result.stdout)
      assert.equal("", result.stderr)
    end)
  end

  it("given an eleventh listener for one name warns, once, with the name", function()
    local result = main [[
      for _ = 1, 12 do lunette.app.on("activate", print) end
      for _ = 1, 10 do lunette.app.on("quit", type) end
      for _ = 1, 12 do lunette.process.on("x", print) end
    ]]
    local text = "lunette: 11 listeners for '%s' on %s: a leak, if they are added again and again\n"
    assert.equal(text:format("activate", "app") .. text:format("x", "process"), result.stderr)
    assert.equal(0, result.status)
  end)
end)

describe("a listener", function()
  it("that raises is reported with its traceback, and the others still run", function()
    local result = main [[
      lunette.app.on("x", function() error "first" end)
      lunette.app.on("x", function() print "second" end)
      print(lunette.app.emit "x")
    ]]
    assert.equal("second\ntrue\n", result.stdout)
    assert.matches("^lunette: uncaught error: [^\n]*main.lua:2: first\nstack traceback:\n"
      .. "\t%[C%]: in function 'error'\n\t[^\n]*main.lua:2: in function <", result.stderr)
    assert.equal(1, result.status)
  end)

  it("may await, beside the others", function()
    local result = main [[
      for _, name in ipairs { "a", "b" } do
        lunette.app.on("x", function()
          lunette.sleep(1)
          print(name)
        end)
      end
      lunette.app.emit "x"
      print "emitted"
    ]]
    assert.equal("emitted\na\nb\n", result.stdout)
  end)

  it("that awaits and then raises is reported too, closing what it has to close", function()
    local result = main [[
      lunette.app.on("x", function()
        local function close(_, err) print("closed", err) end
        local _ <close> = setmetatable({}, { __close = close })
        lunette.sleep(1)
        error("late", 0)
      end)
      lunette.app.emit "x"
    ]]
    assert.equal("closed\tlate\n", result.stdout)
    assert.matches("^lunette: uncaught error: late\nstack traceback:\n", result.stderr)
  end)

  it("is as able to await as the main script, a page script and a module are", function()
    local module = { ["module.lua"] = "require('lunette').sleep(1) return 'module'" }
    local code = "lunette.sleep(1) print(require 'module')"
    module["main.lua"] = MAIN .. code
    assert.matches("^module\t", app.run(module).stdout)
    module["main.lua"] = nil
    assert.matches("^module\t", page.output(MAIN .. code, { files = module }))
  end)
end)
