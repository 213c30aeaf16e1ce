-- SPDX-License-Identifier: MIT
-- API.md, Promises and coroutines: what takes a process of its own; the rest is in spec/unit.
local app = require "spec.support.app"
local page = require "spec.support.page"

local MAIN = "local lunette = require 'lunette'\n"

-- Runs the code as a main script; without the folder in front of main.lua.
local function run(code)
  local result = app.run { ["main.lua"] = MAIN .. code }
  result.stderr = result.stderr:gsub("/[^\n ]-/main.lua", "main.lua")
  result.stdout = result.stdout:gsub("/[^\n ]-/main.lua", "main.lua")
  return result
end

-- The first `count` lines of a text.
local function head(text, count)
  return text:match("^" .. ("[^\n]*\n"):rep(count)) or text
end

describe("an uncaught error", function()
  local PLACES = {
    ["a timer"] = "lunette.setTimeout(function() %s end, 1)",
    ["an interval"] = "local id id = lunette.setInterval(function() "
      .. "lunette.clearInterval(id) %s end)",
    ["an immediate"] = "lunette.setImmediate(function() %s end)",
    ["a listener"] = "lunette.app.on('ready', function() %s end)",
    ["a luv callback"] = "local timer = lunette.uv.new_timer() "
      .. "timer:start(1, 0, function() timer:close() %s end)",
    ["a callback of luv's threads"] = "lunette.uv.fs_stat('/', function() %s end)",
    ["a coroutine that awaited"] = "coroutine.wrap(function() lunette.sleep(1) %s end)()",
  }
  for what, code in pairs(PLACES) do
    it("in " .. what .. " is reported with its traceback; nothing else stops; status 1", function()
      local result = run(code:format("error 'oops'") .. [[
        lunette.setTimeout(function() print "still here" end, 10)
      ]])
      assert.equal("lunette: uncaught error: main.lua:2: oops\nstack traceback:\n"
        .. "\t[C]: in function 'error'\n", head(result.stderr, 3))
      assert.matches("^\tmain.lua:2: in ", result.stderr:match "'error'\n(.*)")
      assert.equal("still here\n", result.stdout)
      assert.equal(1, result.status)
    end)

    it("in " .. what .. " after it awaited is reported likewise", function()
      local result = run(code:format("lunette.sleep(1) error 'oops'"))
      assert.equal("lunette: uncaught error: main.lua:2: oops\nstack traceback:\n"
        .. "\t[C]: in function 'error'\n", head(result.stderr, 3))
      assert.equal(1, result.status)
    end)
  end

  local VALUES = {
    ["nil"] = "nil",
    ["(an error whose tostring failed)"] = "setmetatable({}, { __tostring = error })",
    ["its own"] = "setmetatable({}, { __tostring = function() return 'its own' end })",
    ["TimeoutError: not settled within 0 ms"] =
      "select(2, lunette.Promise.delay(9):timeout(0):pawait())",
  }
  for text, value in pairs(VALUES) do
    it("of any value is reported: " .. text, function()
      local result = run(("local err = %s lunette.setTimeout(function() error(err, 0) end)")
        :format(value))
      assert.equal("lunette: uncaught error: " .. text .. "\nstack traceback:\n",
        head(result.stderr, 2))
    end)
  end

  it("goes to every listener of uncaughtException, with the traceback, instead", function()
    local result = run [[
      for i = 1, 2 do
        lunette.process.on("uncaughtException", function(err, traceback, more)
          lunette.sleep(1)
          local where = traceback:match "^stack traceback:\n[^\n]*\n\t[^\n]-(main.lua:%d+)"
          print(i, err.code, where, more)
        end)
      end
      lunette.setTimeout(function() error { code = 5 } end)
    ]]
    assert.equal("1\t5\tmain.lua:9\tnil\n2\t5\tmain.lua:9\tnil\n", result.stdout)
    assert.same({ "", 0 }, { result.stderr, result.status })
  end)

  for what, pause in pairs { ["at once"] = "", ["after it awaited"] = "lunette.sleep(1) " } do
    it("of a listener of uncaughtException is reported once, " .. what, function()
      local result = run([[
        lunette.process.on("uncaughtException", function(err)
          print("heard", err)
          ]] .. pause .. [[
          error("of the listener", 0)
        end)
        lunette.setTimeout(function() error("first", 0) end)
      ]])
      assert.equal("heard\tfirst\n", result.stdout)
      assert.equal("lunette: uncaught error: of the listener\nstack traceback:\n",
        head(result.stderr, 2))
      assert.equal(1, select(2, result.stderr:gsub("uncaught error", "")))
      assert.equal(1, result.status)
    end)
  end

  it("of the main script ends the app with 1, also after it awaited", function()
    for _, pause in ipairs { "", "lunette.sleep(1) " } do
      local result = run("lunette.setTimeout(print, 10000) " .. pause .. "error('broken', 0)")
      assert.equal("lunette: uncaught error: broken\nstack traceback:\n", head(result.stderr, 2))
      assert.same({ "", 1 }, { result.stdout, result.status })
    end
  end)
end)

describe("an unhandled rejection", function()
  local PLACES = {
    ["Promise.reject"] = "lunette.Promise.reject('oops')",
    ["reject"] = "lunette.Promise.new(function(_, reject) reject('oops') end)",
    ["an error in Promise.new"] = "lunette.Promise.new(function() error('oops', 0) end)",
    ["an error in andThen"] =
      "lunette.Promise.resolve():andThen(function() error('oops', 0) end)",
    ["an error in finally"] = "lunette.Promise.resolve():finally(function() error('oops', 0) end)",
    ["an async function"] = "lunette.spawn(function() error('oops', 0) end)",
    ["an async function that awaited"] =
      "lunette.spawn(function() lunette.sleep(1) error('oops', 0) end)",
    ["what finally passed on"] = "lunette.Promise.reject('oops'):finally(function() end)",
    ["what andThen passed on"] = "lunette.Promise.reject('oops'):andThen(print)",
    ["a thenable"] = "lunette.Promise.resolve { next = function() error('oops', 0) end }",
  }
  for what, code in pairs(PLACES) do
    it("by " .. what .. " is reported with the traceback of its cause", function()
      local result = run(code .. [[
        lunette.setTimeout(function() print "still here" end, 10)
      ]])
      assert.equal("lunette: unhandled rejection: oops\nstack traceback:\n", head(result.stderr, 2))
      assert.matches("\n\tmain.lua:2: in ", result.stderr)
      assert.equal(1, select(2, result.stderr:gsub("unhandled", "")))
      assert.same({ "still here\n", 1 }, { result.stdout, result.status })
    end)
  end

  local HANDLED = {
    ["catch"] = "p:catch(function() end)",
    ["andThen"] = "p:andThen(nil, function() end)",
    ["pawait"] = "p:pawait()",
    ["a pcall'd await"] = "pcall(p.await, p)",
    ["a coroutine that awaits it"] = "coroutine.wrap(function() pcall(p.await, p) end)()",
    ["a microtask"] = "lunette.Promise.resolve():andThen():andThen(function() p:pawait() end)",
    ["allSettled"] = "lunette.Promise.allSettled { p }",
    ["having adopted it"] = "lunette.Promise.new(function(r) r(p) end):pawait()",
  }
  for what, code in pairs(HANDLED) do
    it("is none when it was handled in its turn by " .. what, function()
      local result = run("local p = lunette.Promise.reject 'oops' " .. code)
      assert.same({ "", 0 }, { result.stderr, result.status })
    end)
  end

  it("emits unhandledRejection with the reason and the promise, at the end of the turn", function()
    local result = run [[
      local mine
      lunette.process.on("unhandledRejection", function(reason, promise, more)
        print(reason, promise == mine, promise:status(), more)
      end)
      mine = lunette.Promise.reject "reason"
      lunette.Promise.resolve():andThen():andThen(function() print "microtask" end)
      print "script"
    ]]
    assert.equal("script\nmicrotask\nreason\ttrue\trejected\tnil\n", result.stdout)
    assert.same({ "", 0 }, { result.stderr, result.status })
  end)

  it("of a listener of unhandledRejection is judged too", function()
    local result = run [[
      lunette.process.once("unhandledRejection", function(reason)
        print(reason)
        lunette.Promise.reject "second"
      end)
      lunette.Promise.reject "first"
    ]]
    assert.equal("first\n", result.stdout)
    assert.equal("lunette: unhandled rejection: second\n", head(result.stderr, 1))
  end)

  it("that is handled in a later turn is reported all the same, and still can be", function()
    local result = run [[
      local p = lunette.Promise.reject "early"
      lunette.setTimeout(function() print(p:pawait()) end, 1)
    ]]
    assert.equal("false\tearly\n", result.stdout)
    assert.equal("lunette: unhandled rejection: early\n", head(result.stderr, 1))
  end)
end)

describe("a luv callback", function()
  it("may await, with the values that luv gave it", function()
    local result = run [[
      lunette.uv.fs_stat("/", function(err, stat)
        lunette.sleep(1)
        print(err, stat.type, lunette.promisify(lunette.uv.fs_realpath)("/"):await())
      end)
    ]]
    assert.equal("nil\tdirectory\t/\n", result.stdout)
    assert.equal("", result.stderr)
  end)

  it("ends a turn: microtasks follow each", function()
    local result = run [[
      for i = 1, 2 do
        local idle = lunette.uv.new_idle()
        idle:start(function()
          idle:close()
          print("callback", i)
          lunette.Promise.resolve():andThen(function() print("microtask", i) end)
        end)
      end
    ]]
    assert.equal("callback\t2\nmicrotask\t2\ncallback\t1\nmicrotask\t1\n", result.stdout)
  end)

  it("cannot end the loop, or run another", function()
    local result = run [[
      for _, name in ipairs { "stop", "loop_close", "walk", "new_thread" } do
        print(select(2, pcall(lunette.uv[name])))
      end
      print(lunette.uv.run())
      local ok, err = pcall(lunette.uv.write, lunette.uv.new_pipe(), {})
      print(err)
    ]]
    assert.equal("uv.stop: the loop is Lunette's: use app.quit()\n"
      .. "uv.loop_close: the loop is Lunette's: it is closed when the state ends\n"
      .. "uv.walk: the loop's other handles are Lunette's\n"
      .. "uv.new_thread: an error in such a thread would end the process: use a renderer\n"
      .. "true\nbad argument #2 to 'uv.write' "
      .. "(string or table of strings expected, got an empty table)\n", result.stdout)
  end)
end)

describe("an app that awaits what nobody can settle", function()
  it("ends with 0 when nothing is left to wait for", function()
    local result = run [[
      lunette.spawn(function() lunette.Promise.withResolvers():await() end)
      lunette.setTimeout(function() print "last" end, 1)
    ]]
    assert.same({ "last\n", "", 0 }, { result.stdout, result.stderr, result.status })
  end)

  it("ends with 1 and says where, when that is its main script", function()
    local result = run [[
      lunette.setTimeout(function() print "last" end, 1)
      lunette.Promise.new(function() end):await()
      print "never"
    ]]
    local text = "lunette: the main script awaits what can no longer happen\n"
      .. "stack traceback:\n\t[C]: in method 'await'\n\tmain.lua:3: in main chunk\n"
    assert.same({ "last\n", text, 1 }, { result.stdout, result.stderr, result.status })
  end)

  it("ends as it was asked to, when it was", function()
    local result = run [[
      lunette.setTimeout(function() lunette.app.exit(7) end, 1)
      lunette.Promise.new(function() end):await()
    ]]
    assert.same({ "", "", 7 }, { result.stdout, result.stderr, result.status })
  end)
end)

describe("in a page", function()
  it("promises, generators, timers and coroutines await as in main", function()
    local output = page.output [[
      local lunette = require "lunette"
      for n in lunette.generator(function()
        for i = 1, 2 do lunette.sleep(1) coroutine.yield(i) end
      end) do print("generator", n) end
      local done, resolve = lunette.Promise.withResolvers()
      coroutine.wrap(function()
        lunette.sleep(1)
        resolve("wrap", nil)
      end)()
      print(done:await())
      print(lunette.Promise.all({ lunette.Promise.delay(1, "all") }):await()[1])
      print(pcall(coroutine.resume, 1))
    ]]
    assert.equal("generator\t1\ngenerator\t2\nwrap\tnil\nall\n"
      .. "false\tbad argument #1 to 'coroutine.resume' (thread expected, got number)\n", output)
  end)

  it("uncaught errors and unhandled rejections are errors on its console", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        local win = lunette.BrowserWindow.new()
        local messages = {}
        win.webContents:on("console-message", function(_, details)
          messages[#messages + 1] = details.level .. " " .. details.message:match "^[^\n]*"
          if #messages == 2 then
            table.sort(messages)
            print(table.concat(messages, "\n"))
            lunette.app.exit()
          end
        end)
        win:loadFile "page.lua"
      ]],
      ["page.lua"] = [[
        local lunette = require "lunette"
        lunette.setTimeout(function() error("thrown", 0) end)
        lunette.Promise.reject "rejected"
      ]],
    }
    assert.equal("error uncaught error: thrown\nerror unhandled rejection: rejected\n",
      result.stdout)
  end)
end)
