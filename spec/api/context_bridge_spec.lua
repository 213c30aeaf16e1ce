--- `contextBridge`, and how a preload and its page run.
local app = require "spec.support.app"
local page = require "spec.support.page"

-- Runs a page with a preload that exposes the table `api` in the text as `window.api`.
local function run(api, code)
  return page.run(code, {
    preferences = 'preload = "preload.lua"',
    files = {
      ["preload.lua"] = [[
        local lunette = require "lunette"
        lunette.contextBridge.exposeInMainWorld("api", ]] .. api .. ")",
    },
  })
end

local function output(api, code)
  local result = run(api, code)
  assert.equal("", result.stderr)
  return result.stdout
end

local function with_preload(preload, code, preferences)
  return page.run(code, {
    preferences = 'preload = "preload.lua"' .. (preferences or ""),
    files = { ["preload.lua"] = preload },
  })
end

describe("a preload", function()
  it("runs before the page", function()
    local result = with_preload("print 'preload'", "print 'page'")
    assert.equal("preload\npage\n", result.stdout)
  end)

  it("runs until it first awaits, then the page does", function()
    local result = with_preload(
      "print 'preload' require 'lunette'.sleep(0) print 'preload again'",
      "print 'page' require 'lunette'.sleep(1)"
    )
    assert.equal("preload\npage\npreload again\n", result.stdout)
  end)

  it("shares its state with a page that is not isolated", function()
    local result = with_preload("x = 5", "print(x)", ", contextIsolation = false")
    assert.equal("5\n", result.stdout)
  end)

  it("isolates the page by default: its globals are others", function()
    local result = with_preload(
      "x = 5 string.shout = true",
      [[print(x, string.shout, require("lunette").ipcRenderer)
      print(require("lunette").process.contextIsolated)]]
    )
    assert.equal("nil\tnil\tnil\ntrue\n", result.stdout)
  end)

  it("can be there without one: contextIsolation is then false by default", function()
    local text = page.output [[
      local lunette = require "lunette"
      print(lunette.process.contextIsolated, type(lunette.ipcRenderer))
    ]]
    assert.equal("false\ttable\n", text)
  end)

  it("need not be there for contextIsolation = true", function()
    local text = page.output('print(require("lunette").ipcRenderer)', {
      preferences = "contextIsolation = true",
    })
    assert.equal("nil\n", text)
  end)

  it("leaves an isolated page this table of lunette", function()
    local result = with_preload("", [[
      local names = {}
      for name in pairs(require "lunette") do names[#names + 1] = name end
      table.sort(names)
      print(table.concat(names, " "))
    ]])
    assert.equal(
      "Promise async clearInterval clearTimeout generator json null process setImmediate "
        .. "setInterval setTimeout sleep spawn\n",
      result.stdout
    )
  end)

  it("gets messages of main, and an isolated page does not", function()
    local result = page.run("print(api.got())", {
      files = {
        ["main.lua"] = [[
          local lunette = require "lunette"
          lunette.app.whenReady():await()
          local win = lunette.BrowserWindow.new { webPreferences = { preload = "preload.lua" } }
          win.webContents:send("hello", 1, nil, 3)
          win:loadFile("page.lua")
        ]],
        ["preload.lua"] = [[
          local lunette = require "lunette"
          local promise, resolve = lunette.Promise.withResolvers()
          lunette.ipcRenderer.on("hello", function(_, ...) resolve(...) end)
          lunette.contextBridge.exposeInMainWorld("api", {
            got = function() return promise:await() end,
          })
        ]],
      },
    })
    assert.equal("1\tnil\t3\n", result.stdout)
  end)

  local MAIN = [[
    local lunette = require "lunette"
    lunette.app.whenReady():await()
    local win = lunette.BrowserWindow.new { webPreferences = { preload = "preload.lua" } }
    win.webContents:on("preload-error", function(_, path, err)
      print("preload-error", path:match("[^/]*$"), err:match("^[^\n]*"):gsub("/[^ ]*/", ""))
    end)
    win:loadFile("page.lua")
  ]]

  for what, case in pairs {
    ["is missing"] = {
      nil,
      "ENOENT: no such file or directory: preload.lua",
    },
    ["does not compile"] = {
      "return (",
      "preload.lua:1: unexpected symbol near <eof>",
    },
    ["raises"] = {
      "\nerror 'oh'",
      "preload.lua:2: oh",
    },
    ["raises a table"] = {
      "error(setmetatable({}, { __tostring = function() return 'text' end }))",
      "text",
    },
  } do
    it(("that %s is told as preload-error, and the page runs"):format(what), function()
      local result = page.run("print 'page'", {
        files = { ["main.lua"] = MAIN, ["preload.lua"] = case[1] },
      })
      assert.matches("\npage\n$", "\n" .. result.stdout)
      local said = result.stdout:match("preload%-error[^\n]*")
      assert.equal("preload-error\tpreload.lua\t" .. case[2], (said:gsub("\t%d+$", "")))
      assert.matches("Unable to load preload script: /%S*/preload.lua", result.stderr)
    end)
  end

  it("may also fail after it first awaited", function()
    local result = with_preload(
      "require('lunette').sleep(0) error 'late'",
      "require('lunette').sleep(1)"
    )
    assert.matches("^lunette: Unable to load preload script: /%S*\n", result.stderr)
    assert.matches("\npreload.lua:1: late\nstack traceback:", result.stderr)
  end)
end)

describe("contextBridge.exposeInMainWorld", function()
  it("carries the runtime's own tables whole", function()
    local text = output("{ ipc = lunette.ipcRenderer }", [[
      local names = {}
      for name, fn in pairs(api.ipc) do
        assert(type(fn) == "function")
        names[#names + 1] = name
      end
      table.sort(names)
      print(table.concat(names, " "))
    ]])
    assert.equal("addListener drained emit handle handleOnce invoke listen listenerCount off on "
      .. "once postMessage removeAllListeners removeHandler removeListener send sendSync sendTo "
      .. "sendToHost\n", text)
  end)

  it("gives the page a global and a field of window, of the same value", function()
    assert.equal(
      "1\t1\ttrue\n",
      output("{ n = 1 }", "print(api.n, window.api.n, rawequal(api, window.api))")
    )
  end)

  for _, value in ipairs {
    "nil", "false", "1", "1.0", "-0.0", "1 << 62", "0/0", "'text\\0\\255'", "lunette.null", "{}",
  } do
    it("carries " .. value .. " both ways", function()
      local text = output(("{ value = %s, echo = function(v) return v end }"):format(value), [[
        local function show(v)
          if v ~= v then return "nan" end
          return type(v) == "string" and ("%q"):format(v) or tostring(v) .. (math.type(v) or "")
        end
        if type(api.value) == "table" then return print(next(api.value), next(api.echo {})) end
        print(show(api.value), show(api.echo(api.value)) == show(api.value))
      ]])
      local null = value == "lunette.null"
      local expected = value == "{}" and "nil\tnil\n" or nil
      if expected then return assert.equal(expected, text) end
      local v = load("local lunette = { null = ... } return " .. value)(null and "null")
      if v ~= v then return assert.equal("nan\ttrue\n", text) end
      if null then return assert.equal("userdata: NULL\ttrue\n", (text:gsub("%(nil%)", "NULL"))) end
      local shown = type(v) == "string" and ("%q"):format(v) or tostring(v) .. (math.type(v) or "")
      assert.equal(shown .. "\ttrue\n", text)
    end)
  end

  it("exposes a function, or any other value, as well as a table", function()
    local result = with_preload([[
      local bridge = require("lunette").contextBridge
      bridge.exposeInMainWorld("double", function(x) return x * 2 end)
      bridge.exposeInMainWorld("greeting", "hello")
    ]], "print(double(21), greeting)")
    assert.equal("42\thello\n", result.stdout)
  end)

  it("keeps argument lists and results whole: nils inside and at the end", function()
    local text = output("{ count = function(...) return select('#', ...), ... end }", [[
      print(select("#", api.count(nil, 2, nil, nil)), api.count(nil, 2, nil, nil))
    ]])
    assert.equal("5\t4\tnil\t2\tnil\tnil\n", text)
  end)

  it("keeps shared and cyclic tables inside one call", function()
    local text = output([[{
      check = function(t, u)
        return t.self == t and t == u and t.other == u.other, { t, t }
      end,
    }]], [[
      local t = { other = {} }
      t.self = t
      local same, pair = api.check(t, t)
      print(same, pair[1] == pair[2], pair[1].self == pair[1], pair[1] ~= t)
    ]])
    assert.equal("true\ttrue\ttrue\ttrue\n", text)
  end)

  it("makes copies: assigning on one side does not show on the other", function()
    local text = output([[(function()
      local t = { n = 1 }
      t.get = function() return t.n end
      t.change = function(list) list[1] = "changed" t.n = 3 end
      return t
    end)()]], [[
      api.n = 2
      print(api.n, api.get())
      local list = { "mine" }
      api.change(list)
      print(list[1], api.n, api.get())
    ]])
    assert.equal("2\t1\nmine\t2\t3\n", text)
  end)

  it("leaves metatables behind, and runs none of their methods", function()
    local text = output([[{
      table = setmetatable({ own = 1 }, {
        __index = { inherited = 2 },
        __pairs = function() error "called" end,
        __len = function() error "called" end,
      }),
      look = function(t) return getmetatable(t), t.inherited, t.own end,
    }]], [[
      print(getmetatable(api.table), api.table.inherited, api.table.own)
      print(api.look(setmetatable({ own = 3 }, { __index = { inherited = 4 } })))
    ]])
    assert.equal("nil\tnil\t1\nnil\tnil\t3\n", text)
  end)

  it("lets nothing of the preload be seen through its functions", function()
    local result = with_preload([[
      local secret = "secret"
      environment = "preload"
      require("lunette").contextBridge.exposeInMainWorld("api", {
        f = function() return secret and environment end,
      })
    ]], [[
      print(debug.getupvalue, debug.getinfo, string.dump, environment)
      print(api.f())
    ]])
    assert.equal("nil\tnil\tnil\tnil\npreload\n", result.stdout)
  end)

  for what, case in pairs {
    ["a coroutine"] = { "{ coroutine.create(print) }", "could not clone argument 2[1]: a thread" },
    ["nesting too deep"] = {
      "(function() local t = {} for _ = 1, 1000 do t = { t } end return t end)()",
      "could not clone argument 2",
    },
  } do
    it("raises for " .. what .. ", names the place, and exposes nothing", function()
      local result = with_preload(([[
        local bridge = require("lunette").contextBridge
        print(select(2, pcall(function() bridge.exposeInMainWorld("api", %s) end)))
      ]]):format(case[1]), "print(api)")
      assert.equal("preload.lua:2: " .. case[2], result.stdout:sub(1, 15 + #case[2]))
      assert.matches("\nnil\n$", result.stdout)
    end)
  end

  it("carries 1000 tables inside one another", function()
    local text = output([[{
      deep = (function() local t = {} for _ = 1, 998 do t = { t } end return t end)(),
      echo = function(t) return t end,
    }]], [[
      local function depth(t) local n = 0 while t do n, t = n + 1, t[1] end return n end
      print(depth(api.deep), depth(api.echo({ api.deep })))
      print(select(2, pcall(api.echo, { { api.deep } })) ~= nil)
    ]])
    assert.equal("999\t1000\ntrue\n", text)
  end)

  it("raises for a name that is taken, by itself or by Lua, and the first stays", function()
    local result = with_preload([[
      local bridge = require("lunette").contextBridge
      bridge.exposeInMainWorld("api", 1)
      for _, name in ipairs { "api", "print", "window", "alert" } do
        print(select(2, pcall(bridge.exposeInMainWorld, name, 2)))
      end
    ]], "print(api, type(print), type(window))")
    local text = "Cannot bind an API on top of an existing property on the window object\n"
    assert.equal(text:rep(4) .. "1\tfunction\ttable\n", result.stdout)
  end)

  it("raises without contextIsolation", function()
    local result = with_preload([[
      print(pcall(require("lunette").contextBridge.exposeInMainWorld, "api", {}))
    ]], "print(api)", ", contextIsolation = false")
    assert.equal(
      "false\tcontextBridge API can only be used when contextIsolation is enabled\nnil\n",
      result.stdout
    )
  end)

  it("raises for a name that is no string, and for a colon", function()
    local result = with_preload([[
      local bridge = require("lunette").contextBridge
      print(select(2, pcall(function() bridge.exposeInMainWorld(1, {}) end)))
      print(select(2, pcall(function() bridge:exposeInMainWorld("x", {}) end)))
    ]], "")
    assert.equal(
      "preload.lua:2: bad argument #1 to 'contextBridge.exposeInMainWorld' "
        .. "(string expected, got number)\n"
        .. "preload.lua:3: contextBridge.exposeInMainWorld is called with a dot: write "
        .. "contextBridge.exposeInMainWorld(...), not contextBridge:exposeInMainWorld(...)\n",
      result.stdout
    )
  end)

  it("works also after the page has run", function()
    local result = with_preload([[
      local lunette = require "lunette"
      lunette.sleep(0)
      lunette.contextBridge.exposeInMainWorld("late", 5)
    ]], "print(late) require('lunette').sleep(1) print(late)")
    assert.equal("nil\n5\n", result.stdout)
  end)
end)

describe("a function over the bridge", function()
  it("can be called with a callback, which runs in the page", function()
    local text = output(
      "{ each = function(list, fn) for i, v in ipairs(list) do fn(v, i) end return 'done' end }",
      "local sum = 0 print(api.each({ 1, 2, 3 }, function(v, i) sum = sum + v * i end), sum)"
    )
    assert.equal("done\t14\n", text)
  end)

  it("may be kept and called later, and may be called back from there", function()
    local text = output([[{
      on = function(fn) kept = fn end,
      fire = function(...) return kept(...) end,
    }]], [[
      api.on(function(a, b) return b, a end)
      print(api.fire(1, 2))
    ]])
    assert.equal("2\t1\n", text)
  end)

  it("that awaits suspends the coroutine of the page that called it, and nothing else", function()
    local text = output([[{ slow = function(x) lunette.sleep(2) return x, nil, 3 end }]], [[
      local lunette = require "lunette"
      local other = lunette.spawn(function() lunette.sleep(0) print "meanwhile" end)
      print(select("#", api.slow(1)), api.slow(2))
      other:await()
    ]])
    assert.equal("meanwhile\n3\t2\tnil\t3\n", text)
  end)

  it("that awaits and then fails raises in the caller", function()
    local api = "{ f = function() lunette.sleep(0) error 'late' end }"
    local text = output(api, "print(pcall(api.f))")
    assert.equal("false\tpreload.lua:2: late\n", text)
  end)

  it("that awaits cannot be called where Lua cannot suspend; the error says so", function()
    local text = output("{ slow = function() lunette.sleep(0) return true end }", [[
      print((select(2, pcall(table.sort, { 1, 2, 3 }, api.slow)):match("cannot await here")))
    ]])
    assert.equal("cannot await here\n", text)
  end)

  it("carries promises out, with all their values", function()
    local text = output("{ get = function() return lunette.Promise.delay(0, 1, nil, 3) end }", [[
      local promise = api.get()
      print(require("lunette").Promise.is(promise), promise:status())
      print(promise:await())
    ]])
    assert.equal("true\tpending\n1\tnil\t3\n", text)
  end)

  it("carries promises in, settled ones too, wherever they stand", function()
    local text = output("{ wait = function(t) return t.a:await(), t.list[1]:await() end }", [[
      local lunette = require "lunette"
      print(api.wait { a = lunette.Promise.resolve(1), list = { lunette.Promise.delay(0, 2) } })
    ]])
    assert.equal("1\t2\n", text)
  end)

  it("carries a promise twice in one message as one promise", function()
    local text = output("{ same = function(a, b) return a == b end }", [[
      local promise = require("lunette").Promise.delay(0)
      print(api.same(promise, promise))
    ]])
    assert.equal("true\n", text)
  end)

  it("carries rejections, with the fields of the error", function()
    local text = output([[{
      fails = lunette.Promise.reject { code = 7, message = "no" },
      settle = function(promise) local ok, err = promise:pawait() return ok, err.code end,
    }]], [[
      local ok, err = api.fails:pawait()
      print(ok, err.code, tostring(err))
      print(api.settle(require("lunette").Promise.reject { code = 8 }))
    ]])
    assert.equal("false\t7\tno\nfalse\t8\n", text)
  end)

  it("rejects the promise whose values cannot cross, and says why", function()
    local text = output("{ bad = lunette.Promise.delay(0, 1, coroutine.create(print)) }", [[
      print(api.bad:pawait())
    ]])
    assert.equal("false\tcould not clone argument 2: a thread cannot be sent\n", text)
  end)

  it("that comes home is the original again, both ways", function()
    local text = output([[(function()
      local mine = function() return "mine" end
      local function is_mine(f) return f == mine end
      return { mine = mine, is_mine = is_mine, echo = function(f) return f end }
    end)()]], [[
      local function yours() end
      print(api.is_mine(api.mine), api.is_mine(print), api.echo(yours) == yours)
      print(api.echo({ f = yours }).f == yours, api.echo(api.mine) == api.mine)
    ]])
    assert.equal("true\tfalse\ttrue\ntrue\ttrue\n", text)
  end)

  it("that crosses twice is the same function there", function()
    local text = output([[{
      on = function(f) added = f end,
      off = function(f, g) return f == added, f == g end,
    }]], [[
      local function listener() end
      api.on(listener)
      print(api.off(listener, listener))
    ]])
    assert.equal("true\ttrue\n", text)
  end)

  for what, case in pairs {
    ["a string, with its position"] = { "error 'oh'", "false\tstring\tpreload.lua:2: oh\n" },
    ["a number"] = { "error(5)", "false\tnumber\t5\n" },
    ["nil"] = { "error(nil)", "false\tnil\tnil\n" },
    ["false"] = { "error(false)", "false\tboolean\tfalse\n" },
    ["null"] = { "error(lunette.null)", "false\tuserdata\tuserdata: (nil)\n" },
    ["a table's text"] = {
      "error(setmetatable({}, { __tostring = function() return 'text' end }))",
      "false\ttable\ttext\n",
    },
    ["a table's message"] = { "error { message = 'the message' }", "false\ttable\tthe message\n" },
  } do
    it("raises what it raised in the other world: " .. what, function()
      local text = output(("{ f = function() %s end }"):format(case[1]), [[
        local ok, err = pcall(api.f)
        print(ok, type(err), tostring(err))
      ]])
      assert.equal(case[2], text)
    end)
  end

  it("raises tables with their fields, without those that cannot cross", function()
    local text = output("{ f = function() error { code = 5, list = { 1, 2 }, fn = print } end }", [[
      local ok, err = pcall(api.f)
      print(ok, err.code, #err.list, err.fn)
    ]])
    assert.equal("false\t5\t2\tnil\n", text)
  end)

  it("that is a callback and raises, raises in the preload, which may catch it", function()
    local text = output([[{
      try = function(fn) local ok, err = pcall(fn) return ok, err.code end,
      pass = function(fn) fn() end,
    }]], [[
      print(api.try(function() error { code = 9 } end))
      print(select(2, pcall(api.pass, function() error { code = 10 } end)).code)
    ]])
    assert.equal("false\t9\n10\n", text)
  end)

  it("raises for an argument that cannot cross, and is not called", function()
    local text = output("{ f = function() print 'called' end }", [[
      print(select(2, pcall(function() api.f(1, { deep = { coroutine.create(print) } }) end)))
    ]])
    assert.equal(
      "page.lua:1: could not clone argument 2.deep[1]: a thread cannot be sent\n",
      (text:gsub("^page.lua:%d+", "page.lua:1"))
    )
  end)

  it("raises for a result that cannot cross", function()
    local text = output("{ f = function() return 1, { io = coroutine.create(print) } end }", [[
      print(pcall(api.f))
    ]])
    assert.equal("false\tcould not clone result 2.io: a thread cannot be sent\n", text)
  end)

  it("may call back into the world that called it, again and again", function()
    local text = output("{ down = function(n, fn) return n == 0 and 0 or 1 + fn(n - 1) end }", [[
      local function up(n) return api.down(n, up) end
      print(up(12))
    ]])
    assert.equal("12\n", text)
  end)

  it("raises when calls go to and fro without an end, and works afterwards", function()
    local result = run("{ again = function(fn) return fn() end }", [[
      local function forever() local result = api.again(forever) return result end
      print((select(2, pcall(forever)):gsub("^page.lua:%d+: ", "")))
      print(api.again(function() return "fine" end))
      local function catching() return select(2, pcall(pcall, pcall, api.again, catching)) end
      catching()
      print(api.again(function() return "fine still" end))
    ]])
    assert.equal(
      "too many calls between page and preload inside one another\nfine\nfine still\n",
      result.stdout
    )
  end)

  app.it_in_process("costs no memory on either side once its proxy is collected", function()
    local text = output([[{
      call = function(fn, ...) return fn(...) end,
      heap = function()
        for _ = 1, 2 do collectgarbage() end
        return lunette.process.memoryUsage().heap
      end,
      new = function() return function() return {} end end,
    }]], [[
      local lunette = require "lunette"
      local function heaps()
        collectgarbage() collectgarbage()
        lunette.sleep(0)
        return api.heap() + lunette.process.memoryUsage().heap
      end
      local function many()
        for i = 1, 10000 do
          api.call(function() return { i } end)
          api.new()
          if i % 1000 == 0 then collectgarbage() lunette.sleep(0) end
        end
      end
      many()
      local before = heaps()
      many()
      print(heaps() - before < 500000)
    ]])
    assert.equal("true\n", text)
  end)

  it("costs no memory when its message could not be sent", function()
    local text = output("{ f = function() end }", [[
      local lunette = require "lunette"
      local thread = coroutine.create(print)
      local function many()
        for _ = 1, 10000 do pcall(api.f, function() end, lunette.Promise.new(print), thread) end
        collectgarbage() collectgarbage()
        return lunette.process.memoryUsage().heap
      end
      print = function() end
      local before = many()
      console.log(many() - before < 500000)
    ]])
    assert.equal("true\n", text)
  end)

  it("stays callable while its proxy is used, however often it is collected", function()
    local text = output("{ make = function(x) return function() return x end end }", [[
      local lunette = require "lunette"
      local kept = {}
      for i = 1, 100 do
        kept[i] = api.make(i)
        api.make(i)
        collectgarbage()
        lunette.sleep(0)
      end
      local sum = 0
      for i = 1, 100 do sum = sum + kept[i]() end
      print(sum)
    ]])
    assert.equal("5050\n", text)
  end)

  it("can be called by a finaliser at any moment", function()
    local text = output("{ f = function(...) return ... end }", [[
      local calls = 0
      local function again()
        setmetatable({}, { __gc = function()
          calls = calls + 1
          pcall(api.f, { function() end }, ("x"):rep(1000))
          again()
        end })
      end
      for _ = 1, 20 do again() end
      for i = 1, 500 do
        local t = {}
        for j = 1, 20 do t[j] = { function() end, j .. " " .. i } end
        local back = api.f(t)
        assert(back[20][1] == t[20][1] and back[20][2] == t[20][2])
      end
      print(calls > 0)
    ]])
    assert.equal("true\n", text)
  end)

  it("that was collected and came back to life is an error", function()
    local text = output([[{
      new = function() return function() return "alive" end end,
      f = function() end,
    }]], [[
      local lunette, back = require "lunette"
      do
        local holder = setmetatable({ api.new() }, { __gc = function(t) back = t[1] end })
      end
      collectgarbage() collectgarbage()
      lunette.sleep(0)
      collectgarbage()
      lunette.sleep(0)
      local ok, err = pcall(back)
      print(ok or err, (pcall(api.f, back)))
    ]])
    assert.is_truthy(text:find("the function is gone", 1, true) or text:find("alive", 1, true))
  end)

  it("still works in a page whose every library function was replaced", function()
    local text = output("{ add = function(a, b) return a + b end }", [[
      local add, say, nexts = api.add, print, next
      for _, library in nexts, { string, table, math, coroutine } do
        for name in nexts, library do library[name] = nil end
      end
      for _, name in nexts, { "pcall", "error", "type", "setmetatable", "select", "tostring" } do
        _G[name] = nil
      end
      say(add(1, 2))
    ]])
    assert.equal("3\n", text)
  end)
end)

describe("executeLua", function()
  it("runs in the isolated page's world, and carries values, promises and errors", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        local win = lunette.BrowserWindow.new { webPreferences = { preload = "preload.lua" } }
        win:loadFile("page.lua"):await()
        local function run(code) return win.webContents:executeLua(code):await() end
        print(run "return x, nil, secret")
        print(run "return api.get()")
        print(run "return require('lunette').Promise.delay(0, 4, 5)")
        print(select(2, pcall(run, "error { code = 6 }")).code)
        win:close()
      ]],
      ["preload.lua"] = [[
        secret = 1
        require("lunette").contextBridge.exposeInMainWorld("api", {
          get = function() require("lunette").sleep(0) return "got" end,
        })
      ]],
      ["page.lua"] = "x = 3",
    }
    assert.equal("3\tnil\tnil\ngot\n4\t5\n6\n", result.stdout)
  end)
end)
