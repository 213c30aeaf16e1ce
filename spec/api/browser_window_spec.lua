--- `BrowserWindow`: options, statics, events, closing.
local app = require "spec.support.app"

local MAIN = [[
local lunette = require "lunette" local app, BrowserWindow = lunette.app, lunette.BrowserWindow
app.whenReady():await()
%s
app.exit()
]]

-- Runs code in main, from its third line on, once app is ready. Returns what it printed.
local function main(code, files)
  local all = { ["main.lua"] = MAIN:format(code), ["page.lua"] = "" }
  for name, text in pairs(files or {}) do
    all[name] = text
  end
  local result = app.run(all)
  assert.equal("", result.stderr)
  return (result.stdout:gsub("/%S+/main.lua", "main.lua"))
end

-- The error of an expression, which has its position.
local function error_of(expression)
  local text = main(("print(select(2, pcall(function() return (%s) end)))"):format(expression))
  return text:match("^main.lua:3: (.*)\n$") or text
end

describe("BrowserWindow's options", function()
  it("have these defaults", function()
    assert.equal(
      "800\t600\t0\t0\ttrue\n",
      main [[
        local win = BrowserWindow.new()
        local b = win:getBounds()
        print(b.width, b.height, b.x, b.y, win:isVisible())
      ]]
    )
  end)

  it("are what the window has", function()
    assert.equal(
      "300\t200\t5\t-6\tfalse\ta title\n",
      main [[
        local win = BrowserWindow {
          width = 300, height = 200.0, x = 5, y = -6, show = false, title = "a title",
        }
        local b = win:getBounds()
        print(b.width, b.height, b.x, b.y, win:isVisible(), win:getTitle())
      ]]
    )
  end)

  for expression, expected in pairs {
    ["BrowserWindow.new { widht = 5 }"] = "BrowserWindow: unknown option 'widht' "
      .. "(did you mean 'width'?)",
    ["BrowserWindow { webPreferences = { preLoad = 'x' } }"] = "BrowserWindow: unknown option "
      .. "'webPreferences.preLoad' (did you mean 'preload'?)",
    ["BrowserWindow { frobnicate = 1 }"] = "BrowserWindow: unknown option 'frobnicate'",
    ["BrowserWindow { 5 }"] = "BrowserWindow: an option's name must be a string, got number",
    ["BrowserWindow { width = '5' }"] = "BrowserWindow: option 'width' must be a positive integer, "
      .. "got string",
    ["BrowserWindow { height = 0 }"] = "BrowserWindow: option 'height' must be a positive integer, "
      .. "got 0",
    ["BrowserWindow { x = 1.5 }"] = "BrowserWindow: option 'x' must be an integer, got 1.5",
    ["BrowserWindow { show = 1 }"] = "BrowserWindow: option 'show' must be a boolean, got number",
    ["BrowserWindow { title = {} }"] = "BrowserWindow: option 'title' must be a string, got table",
    ["BrowserWindow { webPreferences = 'x' }"] = "BrowserWindow: option 'webPreferences' must be a "
      .. "table, got string",
    ["BrowserWindow { webPreferences = { preload = true } }"] = "BrowserWindow: option "
      .. "'webPreferences.preload' must be a string, got boolean",
    ["BrowserWindow { webPreferences = { sandbox = 'no' } }"] = "BrowserWindow: option "
      .. "'webPreferences.sandbox' must be a boolean, got string",
    ["BrowserWindow { webPreferences = { codec = 'xml' } }"] = "BrowserWindow: option "
      .. "'webPreferences.codec' must be 'clone' or 'json', got 'xml'",
    ["BrowserWindow { webPreferences = { isolation = 'fibre' } }"] = "BrowserWindow: option "
      .. "'webPreferences.isolation' must be 'process' or 'thread', got 'fibre'",
    ["BrowserWindow { parent = 1 }"] = "BrowserWindow: option 'parent' must be a table, got number",
    ["BrowserWindow { parent = {} }"] = "BrowserWindow: option 'parent' must be a BrowserWindow, "
      .. "got table",
    ["BrowserWindow.new(5)"] = "bad argument #1 to 'BrowserWindow' "
      .. "(table or nil expected, got number)",
    ["BrowserWindow:new {}"] = "BrowserWindow.new is called with a dot: "
      .. "write BrowserWindow.new(...), not BrowserWindow:new(...)",
  } do
    it("raise at the caller: " .. expression, function()
      assert.equal(expected, error_of(expression))
    end)
  end

  for preferences, expected in pairs {
    ["webviewTag = true"] = "webPreferences.webviewTag is not supported by this version",
  } do
    it("say that this version has no " .. preferences, function()
      local expression = ("BrowserWindow { webPreferences = { %s } }"):format(preferences)
      assert.equal(expected, error_of(expression))
    end)
  end

  it("leave no window behind when they are wrong", function()
    assert.equal(
      "0\t0\n",
      main [[
        pcall(BrowserWindow.new, { width = "wide" })
        pcall(BrowserWindow.new, { webPreferences = { memoryLimit = -5 } })
        print(#BrowserWindow.getAllWindows(), #lunette.webContents.getAllWebContents())
      ]]
    )
  end)

  it("are not looked at again", function()
    assert.equal(
      "800\t600\n",
      main [[
        local options = { width = 800 }
        local win = BrowserWindow.new(options)
        options.width = 1
        print(win:getSize())
      ]]
    )
  end)
end)

describe("parts that this version does not have", function()
  for expression, expected in pairs {
    ["lunette.MessageChannelMain.new()"] = "MessageChannelMain.new "
      .. "is not supported by this version",
    ["lunette.MessageChannelMain()"] = "MessageChannelMain is not supported by this version",
    ["lunette.utilityProcess.fork('x')"] = "utilityProcess.fork is not supported by this version",
    ["BrowserWindow.new():capturePage()"] = "BrowserWindow:capturePage is not supported by this "
      .. "version: windows have no picture",
    ["BrowserWindow.new():maximize()"] = "BrowserWindow:maximize is not supported by this "
      .. "version: windows have no picture",
    ["BrowserWindow.new().webContents:postMessage('x', 1)"] = "WebContents:postMessage is not "
      .. "supported by this version",
    ["BrowserWindow.new().webContents:openDevTools()"] = "WebContents:openDevTools is not "
      .. "supported by this version",
  } do
    it("say so in main: " .. expression, function()
      assert.equal(expected, error_of(expression))
    end)
  end

  for expression, expected in pairs {
    ["lunette.webFrame.create('x')"] = "webFrame.create is not supported by this version",
    ["lunette.WebView.new {}"] = "WebView.new is not supported by this version",
    ["lunette.MessageChannel.new()"] = "MessageChannel.new is not supported by this version",
    ["lunette.ipcRenderer.postMessage('x', 1)"] = "ipcRenderer.postMessage "
      .. "is not supported by this version",
    ["lunette.ipcRenderer.sendToHost('x')"] = "ipcRenderer.sendToHost "
      .. "is not supported by this version",
  } do
    it("say so in a page: " .. expression, function()
      local page = require "spec.support.page"
      local output = page.output(([[local lunette = require "lunette"
        print(select(2, pcall(function() return (%s) end)))]]):format(expression))
      assert.equal("page.lua:2: " .. expected .. "\n", output)
    end)
  end

  it("say so when an HTML page is loaded", function()
    local output = main([[
      local ok, err = BrowserWindow.new():loadFile("index.html"):pawait()
      print(ok, err.code, err.description)
    ]], { ["index.html"] = "<p>hello" })
    assert.equal(
      "false\tERR_NOT_IMPLEMENTED\t"
        .. "HTML pages are not supported by this version: a page is a .lua file\n",
      output
    )
  end)
end)

describe("BrowserWindow", function()
  it("cannot be made before app is ready", function()
    local result = app.run {
      ["main.lua"] = [[
        local BrowserWindow = require("lunette").BrowserWindow
        print(select(2, pcall(function() BrowserWindow.new() end)))
        print(select(2, pcall(function() BrowserWindow {} end)))
      ]],
    }
    local text = "Cannot create BrowserWindow before app is ready\n"
    assert.equal(
      "main.lua:2: " .. text .. "main.lua:3: " .. text,
      (result.stdout:gsub("/%S+/main.lua", "main.lua"))
    )
  end)

  it("lists its windows in the order of their making, and finds one", function()
    assert.equal(
      "2\ttrue\ttrue\ntrue\ttrue\tnil\tnil\n",
      main [[
        local a, b = BrowserWindow.new(), BrowserWindow()
        local all = BrowserWindow.getAllWindows()
        print(#all, all[1] == a, all[2] == b)
        print(
          BrowserWindow.fromId(a.id) == a,
          BrowserWindow.fromWebContents(b.webContents) == b,
          BrowserWindow.fromId(99),
          BrowserWindow.fromWebContents {}
        )
      ]]
    )
  end)

  it("gives each window an integer of its own as id", function()
    assert.equal(
      "integer\tfalse\n",
      main [[
        local a = BrowserWindow.new()
        local id = a.id
        a:destroy()
        print(math.type(id), BrowserWindow.new().id == id)
      ]]
    )
  end)

  for expression, expected in pairs {
    ["BrowserWindow.fromId('1')"] = "bad argument #1 to 'BrowserWindow.fromId' "
      .. "(integer expected, got string)",
    ["BrowserWindow.fromWebContents(nil)"] = "bad argument #1 to 'BrowserWindow.fromWebContents' "
      .. "(table expected, got nil)",
    ["BrowserWindow:getAllWindows()"] = "BrowserWindow.getAllWindows is called with a dot: write "
      .. "BrowserWindow.getAllWindows(...), not BrowserWindow:getAllWindows(...)",
    ["BrowserWindow.new().close()"] = "BrowserWindow:close is called with a colon: write "
      .. "win:close(...), not win.close(...)",
    ["BrowserWindow.new():setSize(0, 5)"] = "bad argument #1 to 'BrowserWindow:setSize' "
      .. "(positive integer expected, got 0)",
    ["BrowserWindow.new():setBounds { wide = 1 }"] = "BrowserWindow:setBounds: "
      .. "unknown option 'wide' (did you mean 'width'?)",
    ["BrowserWindow.new():setTitle(5)"] = "bad argument #1 to 'BrowserWindow:setTitle' "
      .. "(string expected, got number)",
    ["BrowserWindow.new():loadFile()"] = "bad argument #1 to 'BrowserWindow:loadFile' "
      .. "(string expected, got nil)",
    ["BrowserWindow.new():on('x')"] = "bad argument #2 to 'BrowserWindow:on' "
      .. "(function expected, got nil)",
  } do
    it("raises at the caller: " .. expression, function()
      assert.equal(expected, error_of(expression))
    end)
  end

  it("tells app of a new window after its web contents, before it is shown", function()
    assert.equal(
      "web-contents-created\ttable\nbrowser-window-created\tfalse\tfalse\nmade\ttrue\n",
      main [[
        app.on("web-contents-created", function(_, contents)
          print("web-contents-created", type(contents))
        end)
        app.on("browser-window-created", function(_, win)
          print("browser-window-created", win:isVisible(), win:isDestroyed())
        end)
        print("made", BrowserWindow.new():isVisible())
      ]]
    )
  end)

  it("emits show, focus, hide and blur, each once, with an event first", function()
    assert.equal(
      "show table\nfocus table\nhide table\nblur table\nshow table\nfocus table\nfalse\n",
      main [[
        local win = BrowserWindow.new { show = false }
        for _, name in ipairs { "show", "hide", "focus", "blur" } do
          win:on(name, function(event) print(name .. " " .. type(event)) end)
        end
        win:hide()
        win:focus()
        win:show()
        win:show()
        win:hide()
        win:hide()
        win:show()
        print(BrowserWindow.new { show = false }:isVisible())
      ]]
    )
  end)

  it("gives the focus to the window that was shown or focused last", function()
    assert.equal(
      "nil\n1 focus\n1\n1 blur\n2 focus\n2\n2 blur\n1 focus\n1\nnil\n",
      main [[
        local function focused()
          local win = BrowserWindow.getFocusedWindow()
          print(win and win.id)
        end
        local function new()
          local win = BrowserWindow.new { show = false }
          for _, name in ipairs { "focus", "blur" } do
            win:on(name, function() print(win.id .. " " .. name) end)
          end
          return win
        end
        local a, b = new(), new()
        focused()
        a:show() focused()
        b:show() focused()
        a:focus() focused()
        a:destroy() focused()
      ]]
    )
  end)

  it("emits resize when its size changes, and only then", function()
    assert.equal(
      "resize\n10\t20\nresize\n30\t20\t7\t0\n",
      main [[
        local win = BrowserWindow.new()
        win:on("resize", function() print "resize" end)
        win:setSize(10, 20)
        win:setSize(10, 20)
        print(win:getSize())
        win:setBounds { x = 7 }
        win:setBounds { width = 30 }
        local b = win:getBounds()
        print(b.width, b.height, b.x, b.y)
      ]]
    )
  end)

  it("emits page-title-updated, and keeps its title when that is prevented", function()
    assert.equal(
      "first\tfalse\nfirst\nsecond\n",
      main [[
        local win = BrowserWindow.new()
        win:once("page-title-updated", function(_, title) print(title, title == win:getTitle()) end)
        win:setTitle "first"
        print(win:getTitle())
        win:setTitle "second"
        win:on("page-title-updated", function(event) event:preventDefault() end)
        win:setTitle "third"
        print(win:getTitle())
      ]]
    )
  end)

  it("emits ready-to-show once, after the first page", function()
    assert.equal(
      "ready\nloaded\nloaded again\n",
      main [[
        local win = BrowserWindow.new { show = false }
        win:on("ready-to-show", function() print "ready" end)
        win:loadFile("page.lua"):await()
        print "loaded"
        win:loadFile("page.lua"):await()
        print "loaded again"
      ]]
    )
  end)
end)

describe("closing a window", function()
  it("emits close, then destroyed of its web contents, then closed", function()
    assert.equal(
      "close\tfalse\ndestroyed\tfalse\nclosed\ttrue\ntrue\n",
      main [[
        app.on("window-all-closed", function() end)
        local win = BrowserWindow.new()
        local contents = win.webContents
        win:on("close", function() print("close", win:isDestroyed()) end)
        win:on("closed", function() print("closed", win:isDestroyed()) end)
        contents:on("destroyed", function()
          print("destroyed", BrowserWindow.fromId(win.id) ~= nil)
        end)
        win:close()
        print(contents:isDestroyed())
      ]]
    )
  end)

  it("is kept from happening by preventDefault, until nobody does", function()
    assert.equal(
      "close\nfalse\nclose\ntrue\n",
      main [[
        app.on("window-all-closed", function() end)
        local win, keep = BrowserWindow.new(), true
        win:on("close", function(event)
          print "close"
          if keep then event:preventDefault() end
        end)
        win:close()
        print(win:isDestroyed())
        keep = false
        win:close()
        print(win:isDestroyed())
      ]]
    )
  end)

  it("by destroy asks nobody, but closed comes", function()
    assert.equal(
      "closed\ttrue\n",
      main [[
        app.on("window-all-closed", function() end)
        local win = BrowserWindow.new()
        win:on("close", function(event) event:preventDefault() print "close" end)
        win:on("closed", function() print("closed", win:isDestroyed()) end)
        win:destroy()
      ]]
    )
  end)

  it("emits closed exactly once, whatever its listeners do", function()
    assert.equal(
      "closed\n",
      main [[
        app.on("window-all-closed", function() end)
        local win = BrowserWindow.new()
        win:on("close", function() win:close() win:destroy() end)
        win:on("close", function() pcall(win.destroy, win) end)
        win:on("closed", function()
          print "closed"
          pcall(win.close, win)
          pcall(win.destroy, win)
        end)
        win.webContents:on("destroyed", function() pcall(win.destroy, win) end)
        win:close()
      ]]
    )
  end)

  it("closes its children with it, first", function()
    assert.equal(
      "grandchild\nchild\nparent\n1\n",
      main [[
        app.on("window-all-closed", function() end)
        local function new(name, parent)
          local win = BrowserWindow.new { parent = parent }
          win:on("closed", function() print(name) end)
          return win
        end
        local parent = new "parent"
        new("grandchild", new("child", parent))
        local other = new "other"
        parent:close()
        print(#BrowserWindow.getAllWindows())
        other:removeAllListeners()
      ]]
    )
  end)

  it("leaves an object of which only id, isDestroyed and listeners can be used", function()
    assert.equal(
      "integer\ttrue\n",
      main [[
        app.on("window-all-closed", function() end)
        local win = BrowserWindow.new()
        win:destroy()
        print(math.type(win.id), win:isDestroyed())
        win:on("x", print):off("x", print)
        for _, name in ipairs {
          "loadFile", "loadURL", "show", "hide", "isVisible", "focus", "close", "destroy", "reload",
          "setTitle", "getTitle", "setSize", "getSize", "setBounds", "getBounds", "capturePage",
        } do
          local _, err = pcall(function() win[name](win, "x") end)
          if not err:find "main.lua:12: Object has been destroyed$" then print(name, err) end
        end
        local _, err = pcall(BrowserWindow.new, { parent = win })
        if not err:find "Object has been destroyed$" then print(err) end
      ]]
    )
  end)

  app.it_in_process("ends its renderer", function()
    assert.equal(
      "true\ttrue\n",
      main [[
        app.on("window-all-closed", function() end)
        local win = BrowserWindow.new { webPreferences = { sandbox = false } }
        win:loadFile("page.lua"):await()
        local pid = win.webContents:getOSProcessId()
        local function alive() return (pcall(lunette.process.kill, pid, 0)) end
        local was_alive = alive()
        win:destroy()
        while alive() do lunette.sleep(1) end
        print(was_alive, not alive())
      ]]
    )
  end)

  it("can be asked for by the page, and prevented in main", function()
    local output = main([[
      local win, count = BrowserWindow.new(), 0
      local done = lunette.Promise.new(function(resolve)
        win:on("close", function(event)
          count = count + 1
          print("close " .. count)
          if count == 1 then event:preventDefault() end
        end)
        app.on("window-all-closed", resolve)
      end)
      win:loadFile("page.lua")
      done:await()
    ]], { ["page.lua"] = "window.close() print 'still here' window.close()" })
    assert.equal("close 1\nstill here\nclose 2\n", output)
  end)

  it("also closes it while its page loads: the promise rejects with ERR_ABORTED", function()
    assert.equal(
      "false\tERR_ABORTED\t-3\n",
      main [[
        app.on("window-all-closed", function() end)
        local win = BrowserWindow.new()
        local promise = win:loadFile("page.lua")
        win:close()
        local ok, err = promise:pawait()
        print(ok, err.code, err.errno)
      ]]
    )
  end)
end)
