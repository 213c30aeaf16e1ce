-- SPDX-License-Identifier: MIT
-- The emitter rules of API.md's Conventions, for objects and for singletons.
local import = require "spec.support.import"
local Emitter = import "common.emitter"
local report = import "common.report"
local task = import "common.task"

local here = debug.getinfo(1, "S").short_src

local function message_of(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.equal(here, message:match("^(.-):%d+: "))
  return (message:gsub("^.-:%d+: ", ""))
end

-- A listener that appends its arguments to a trace.
local function tracer(trace, name)
  return function(...)
    trace[#trace + 1] = table.concat({ name, ... }, " ")
  end
end

describe("an emitter", function()
  local emitter, trace, warnings, raised
  local start, warn = task.start, report.warn

  before_each(function()
    emitter, trace, warnings, raised = Emitter.new(), {}, {}, {}
    function task.start(fn, ...)
      return start(function(...)
        local ok, err = pcall(fn, ...)
        if not ok then raised[#raised + 1] = err end
      end, ...)
    end
    function report.warn(text)
      warnings[#warnings + 1] = text
    end
  end)

  after_each(function()
    task.start, report.warn = start, warn
  end)

  it("calls listeners in the order of registration", function()
    emitter:on("tick", tracer(trace, "a"))
    emitter:addListener("tick", tracer(trace, "b"))
    emitter:once("tick", tracer(trace, "c"))
    emitter:on("tock", tracer(trace, "d"))
    assert.is_true(emitter:emit("tick", 1))
    assert.same({ "a 1", "b 1", "c 1" }, trace)
  end)

  it("says whether there were listeners", function()
    assert.is_false(emitter:emit("tick"))
    emitter:once("tick", print)
    emitter:off("tick", print)
    assert.is_false(emitter:emit("tick"))
  end)

  it("passes arguments as they are", function()
    local object, got = {}, nil
    emitter:on("tick", function(...) got = table.pack(...) end)
    emitter:emit("tick", nil, object, nil)
    assert.equal(3, got.n)
    assert.equal(object, got[2])
    emitter:on("tick", function(...) got = table.pack(...) end)
    emitter:emit("tick", nil, nil)
    assert.equal(2, got.n)
  end)

  it("runs each listener in a coroutine of its own", function()
    local threads = {}
    for index = 1, 2 do
      emitter:on("tick", function()
        threads[index] = coroutine.running()
        coroutine.yield()
      end)
    end
    assert.is_true(emitter:emit("tick"))
    assert.not_equal(threads[1], threads[2])
    assert.not_equal(coroutine.running(), threads[1])
  end)

  it("runs the remaining listeners after one that raises", function()
    emitter:on("tick", function() error("oops", 0) end)
    emitter:on("tick", tracer(trace, "b"))
    emitter:emit("tick")
    assert.same({ "oops" }, raised)
    assert.same({ "b" }, trace)
  end)

  it("returns itself from on, once and off", function()
    assert.equal(emitter, emitter:on("tick", print))
    assert.equal(emitter, emitter:once("tick", print))
    assert.equal(emitter, emitter:off("tick", print))
    assert.equal(emitter, emitter:removeListener("tick", print))
    assert.equal(emitter, emitter:removeAllListeners())
  end)

  it("does not let removing during an emit change that emit", function()
    local b = tracer(trace, "b")
    emitter:on("tick", function() emitter:off("tick", b) end)
    emitter:on("tick", b)
    emitter:emit("tick")
    emitter:emit("tick")
    assert.same({ "b" }, trace)
  end)

  it("does not let removeAllListeners during an emit change that emit", function()
    emitter:on("tick", function() emitter:removeAllListeners() end)
    emitter:once("tick", tracer(trace, "b"))
    emitter:emit("tick")
    assert.same({ "b" }, trace)
    assert.equal(0, emitter:listenerCount("tick"))
  end)

  it("does not let adding during an emit change that emit", function()
    emitter:once("tick", function() emitter:on("tick", tracer(trace, "late")) end)
    emitter:emit("tick")
    assert.same({}, trace)
    emitter:emit("tick")
    assert.same({ "late" }, trace)
  end)

  it("removes a once listener before it runs", function()
    local count
    emitter:once("tick", function()
      count = emitter:listenerCount("tick")
      emitter:emit("tick")
      trace[#trace + 1] = "ran"
    end)
    emitter:emit("tick")
    assert.equal(0, count)
    assert.same({ "ran" }, trace)
  end)

  it("runs a once listener once when an earlier listener emits again", function()
    local is_nested = false
    emitter:on("tick", function()
      if is_nested then return end
      is_nested = true
      emitter:emit("tick")
    end)
    emitter:once("tick", tracer(trace, "once"))
    emitter:emit("tick")
    assert.same({ "once" }, trace)
  end)

  it("lets a once listener register itself again", function()
    local function again()
      trace[#trace + 1] = "ran"
      emitter:once("tick", again)
    end
    emitter:once("tick", again)
    emitter:emit("tick")
    emitter:emit("tick")
    assert.same({ "ran", "ran" }, trace)
  end)

  it("removes one registration, the latest of equal ones", function()
    local a = tracer(trace, "a")
    emitter:on("tick", a):on("tick", tracer(trace, "b")):on("tick", a)
    emitter:off("tick", a)
    emitter:emit("tick")
    assert.same({ "a", "b" }, trace)
  end)

  it("removes a once listener by its function", function()
    local a = tracer(trace, "a")
    emitter:on("tick", a):once("tick", a):off("tick", a)
    emitter:emit("tick")
    emitter:emit("tick")
    assert.same({ "a", "a" }, trace)
  end)

  it("ignores the removal of what is not there", function()
    emitter:off("tick", print)
    emitter:on("tick", tracer(trace, "a")):off("tick", print):removeAllListeners("tock")
    assert.equal(1, emitter:listenerCount("tick"))
  end)

  it("removes the listeners of one name, or of all", function()
    emitter:on("tick", print):on("tock", print):removeAllListeners("tick")
    assert.equal(0, emitter:listenerCount("tick"))
    assert.equal(1, emitter:listenerCount("tock"))
    emitter:removeAllListeners()
    assert.equal(0, emitter:listenerCount("tock"))
  end)

  it("has listen, which returns what stops this registration and no other", function()
    local a = tracer(trace, "a")
    local stop = emitter:listen("tick", a)
    emitter:on("tick", tracer(trace, "b")):on("tick", a)
    stop()
    stop()
    emitter:emit("tick")
    assert.same({ "b", "a" }, trace)
    assert.equal(2, emitter:listenerCount("tick"))
  end)

  it("removes a listener of listen by its function too", function()
    local a = tracer(trace, "a")
    local stop = emitter:listen("tick", a)
    emitter:off("tick", a):on("tick", a)
    stop()
    assert.equal(1, emitter:listenerCount("tick"))
  end)

  it("warns once of an eleventh listener, with the name", function()
    for _ = 1, 10 do emitter:on("tick", print) end
    assert.same({}, warnings)
    emitter:on("tick", print):on("tick", print):off("tick", print):on("tick", print)
    assert.equal(1, #warnings)
    assert.matches("^11 listeners for 'tick' on Emitter", warnings[1])
    for _ = 1, 11 do emitter:on("tock", print) end
    assert.equal(2, #warnings)
  end)

  it("refuses wrong arguments, at the caller's line", function()
    assert.equal("bad argument #1 to 'Emitter:on' (string expected, got nil)",
      message_of(function() emitter:on(nil, print) end))
    assert.equal("bad argument #2 to 'Emitter:once' (function expected, got table)",
      message_of(function() emitter:once("tick", {}) end))
    assert.equal("bad argument #2 to 'Emitter:off' (function expected, got nil)",
      message_of(function() emitter:off("tick") end))
    assert.equal("bad argument #2 to 'Emitter:removeListener' (function expected, got nil)",
      message_of(function() emitter:removeListener("tick") end))
    assert.equal("bad argument #2 to 'Emitter:addListener' (function expected, got nil)",
      message_of(function() emitter:addListener("tick") end))
    assert.equal("bad argument #1 to 'Emitter:emit' (string expected, got number)",
      message_of(function() emitter:emit(1) end))
    assert.equal("bad argument #1 to 'Emitter:listenerCount' (string expected, got nil)",
      message_of(function() emitter:listenerCount() end))
    local text = message_of(function() emitter:removeAllListeners(1) end)
    assert.matches("(string or nil expected, got number)", text, 1, true)
    assert.equal("Emitter:on is called with a colon: write emitter:on(...), not emitter.on(...)",
      message_of(function() emitter.on("tick", print) end))
  end)

  it("keeps nothing of listeners that are gone", function()
    local weak = setmetatable({}, { __mode = "k" })
    do
      local a, b = function() return trace end, function() return trace end
      weak[a], weak[b] = true, true
      emitter:once("tick", a):on("tick", b):off("tick", b)
      emitter:emit("tick")
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)

describe("Emitter.extend", function()
  it("makes classes whose objects are emitters, named in errors", function()
    local Window = Emitter.extend "BrowserWindow"
    local Child = Emitter.extend("Child", Window)
    function Window.size() return 5 end
    local child = setmetatable({}, Child)
    local got
    assert.equal(child, child:on("tick", function(value) got = value end))
    child:emit("tick", 7)
    assert.equal(7, got)
    assert.equal(5, child:size())
    assert.equal("bad argument #2 to 'Child:on' (function expected, got nil)",
      message_of(function() child:on("tick") end))
  end)

  it("tells an object of a name's first listener", function()
    local names = {}
    local Port = Emitter.extend "MessagePort"
    function Port:_on_listener(name)
      names[#names + 1] = name .. self:listenerCount(name)
    end
    local port = setmetatable({}, Port)
    port:on("message", print):on("message", print):once("close", print)
    assert.same({ "message1", "close1" }, names)
  end)

  it("shares no listeners between objects", function()
    local Window = Emitter.extend "Window"
    local a, b = setmetatable({}, Window), setmetatable({}, Window)
    a:on("tick", print)
    assert.equal(0, b:listenerCount("tick"))
  end)
end)

describe("Emitter.each", function()
  it("hands each listener to a function", function()
    local emitter, trace = Emitter.new(), {}
    local a = tracer(trace, "a")
    emitter:on("tick", a):once("tick", tracer(trace, "b"))
    local function run(fn, ...)
      fn("run", ...)
    end
    assert.is_true(Emitter.each(run, emitter, "tick", 1))
    assert.is_true(Emitter.each(run, emitter, "tick", 2))
    assert.is_false(Emitter.each(run, emitter, "tock", 2))
    assert.same({ "a run 1", "b run 1", "a run 2" }, trace)
  end)
end)

describe("Emitter.bind", function()
  local ipc_main, emitter

  before_each(function()
    ipc_main = {}
    emitter = Emitter.bind(ipc_main, "ipcMain")
  end)

  it("gives a singleton functions with a dot, which return it", function()
    local got
    local function listener(value) got = value end
    assert.equal(ipc_main, ipc_main.on("tick", listener))
    assert.is_true(Emitter.fire(emitter, "tick", 3))
    assert.equal(3, got)
    assert.is_true(ipc_main.emit("tick", 4))
    assert.equal(4, got)
    assert.equal(ipc_main, ipc_main.off("tick", listener))
    assert.equal(0, ipc_main.listenerCount("tick"))
  end)

  it("names the singleton in errors, at the caller's line", function()
    assert.equal("bad argument #1 to 'ipcMain.on' (string expected, got nil)",
      message_of(function() ipc_main.on() end))
    local text = message_of(function() ipc_main:once("tick", print) end)
    assert.matches("write ipcMain.once(...), not ipcMain:once(...)", text, 1, true)
  end)
end)
