--- Every bad argument is a Lua error that names the function, the argument's number, what was
--- expected and what came; a wrong dot or colon says which one to use. Nothing crashes.
local app = require "spec.support.app"
local page = require "spec.support.page"

local BEGIN = [[local lunette = require "lunette" local win, contents, promise, emitter = ...
local function try(fn) return (select(2, pcall(fn)):gsub("^/%S+/", "")) end
]]

-- What each of the expressions raises, a line each; they start at line 3 of `file`.
local function begin(expressions)
  local lines = { BEGIN }
  for _, expression in ipairs(expressions) do
    lines[#lines + 1] = ("print(try(function() return (%s) end))\n"):format(expression)
  end
  return table.concat(lines)
end

-- Checks a list of expression, expected, expression, expected ...
local function check(file, cases, run)
  local expressions, expected = {}, {}
  for i = 1, #cases, 2 do
    expressions[#expressions + 1] = cases[i]
    local text = cases[i + 1]:gsub("^#(%d) (%S+) ", "bad argument #%1 to '%2' ")
    expected[#expected + 1] = ("%s:%d: %s"):format(file, #expected + 3, text)
  end
  assert.equal(table.concat(expected, "\n") .. "\n", run(begin(expressions)))
end

local function in_main(cases)
  check("main.lua", cases, function(code)
    local result = app.run {
      ["main.lua"] = code:gsub(
        "local win, contents, promise, emitter = %.%.%.",
        "lunette.app.whenReady():await() local win = lunette.BrowserWindow.new() "
          .. "local contents, promise = win.webContents, lunette.Promise.resolve(1)"
      ) .. "lunette.app.exit()",
    }
    assert.equal("", result.stderr)
    return result.stdout
  end)
end

local function in_page(cases)
  check("page.lua", cases, function(code)
    local result = page.run("", { files = { ["page.lua"] = code .. "window.close()" } })
    assert.equal("", result.stderr)
    return result.stdout
  end)
end

describe("a bad argument in main", function()
  it("of ipcMain", function()
    in_main {
      "lunette.ipcMain.on(5, print)", "#1 ipcMain.on (string expected, got number)",
      "lunette.ipcMain.on('x')", "#2 ipcMain.on (function expected, got nil)",
      "lunette.ipcMain.once('x', 'y')", "#2 ipcMain.once (function expected, got string)",
      "lunette.ipcMain.off(nil, print)", "#1 ipcMain.off (string expected, got nil)",
      "lunette.ipcMain.removeAllListeners(5)",
      "#1 ipcMain.removeAllListeners (string or nil expected, got number)",
      "lunette.ipcMain.handle({}, print)", "#1 ipcMain.handle (string expected, got table)",
      "lunette.ipcMain.handle('x', 5)",
      "Expected handler to be a function, but found type 'number'",
      "lunette.ipcMain.removeHandler()", "#1 ipcMain.removeHandler (string expected, got nil)",
      "lunette.ipcMain:on('x', print)",
      "ipcMain.on is called with a dot: write ipcMain.on(...), not ipcMain:on(...)",
      "lunette.ipcMain:handle('x', print)",
      "ipcMain.handle is called with a dot: write ipcMain.handle(...), not ipcMain:handle(...)",
    }
  end)

  it("of webContents", function()
    in_main {
      "contents:send()", "#1 WebContents:send (string expected, got nil)",
      "contents.send('x')",
      "WebContents:send is called with a colon: write win.webContents:send(...), "
        .. "not win.webContents.send(...)",
      "contents:send('x', print)",
      "could not clone argument 1: a function cannot be sent",
      "contents:invoke({})", "#1 WebContents:invoke (string expected, got table)",
      "contents:executeLua(5)", "#1 WebContents:executeLua (string expected, got number)",
      "contents:loadFile(nil)", "#1 WebContents:loadFile (string expected, got nil)",
      "contents:loadURL(true)", "#1 WebContents:loadURL (string expected, got boolean)",
      "contents:on('x', 1)", "#2 WebContents:on (function expected, got number)",
      "contents.ipc:on(1, print)", "#1 IpcMain:on (string expected, got number)",
      "contents.ipc.on('x', print)",
      "Emitter:on is called with a colon: write emitter:on(...), not emitter.on(...)",
      "lunette.webContents.fromId('1')",
      "#1 webContents.fromId (integer expected, got string)",
    }
  end)

  it("of promises and timers", function()
    in_main {
      "lunette.Promise.new(5)", "#1 Promise.new (callable expected, got number)",
      "promise:andThen(5)", "#1 Promise:andThen (callable or nil expected, got number)",
      "promise:catch('x')", "#1 Promise:catch (callable or nil expected, got string)",
      "promise:timeout(-1)", "#1 Promise:timeout (milliseconds expected, got -1)",
      "promise.await()",
      "Promise:await is called with a colon: write promise:await(...), not promise.await(...)",
      "lunette.sleep('1')", "#1 lunette.sleep (milliseconds expected, got string)",
      "lunette.sleep(0/0)",
      ("#1 lunette.sleep (milliseconds expected, got %s)"):format(0 / 0),
      "lunette.setTimeout(nil, 5)", "#1 lunette.setTimeout (callable expected, got nil)",
      "lunette.setTimeout(print, {})",
      "#2 lunette.setTimeout (milliseconds or nil expected, got table)",
      "lunette.setInterval(print, -5)",
      "#2 lunette.setInterval (milliseconds or nil expected, got -5)",
      "lunette.async(nil)", "#1 lunette.async (callable expected, got nil)",
      "lunette.spawn(5)", "#1 lunette.spawn (callable expected, got number)",
      "lunette.generator('x')", "#1 lunette.generator (function expected, got string)",
      "lunette.promisify()", "#1 lunette.promisify (callable expected, got nil)",
    }
  end)

  it("of process and json", function()
    in_main {
      "lunette.process.chdir(5)", "#1 process.chdir (string expected, got number)",
      "lunette.process.kill('x')", "#1 process.kill (integer expected, got string)",
      "lunette.process.on('x')", "#2 process.on (function expected, got nil)",
      "lunette.json.decode(5)", "#1 json.decode (string expected, got number)",
      "lunette.json:encode(5)",
      "json.encode is called with a dot: write json.encode(...), not json:encode(...)",
    }
  end)
end)

describe("a bad argument in a page", function()
  it("of ipcRenderer", function()
    in_page {
      "lunette.ipcRenderer.send()", "#1 ipcRenderer.send (string expected, got nil)",
      "lunette.ipcRenderer.send('x', { a = { print } })",
      "could not clone argument 1.a[1]: a function cannot be sent",
      "lunette.ipcRenderer:send('x')",
      "ipcRenderer.send is called with a dot: "
        .. "write ipcRenderer.send(...), not ipcRenderer:send(...)",
      "lunette.ipcRenderer.invoke(5)", "#1 ipcRenderer.invoke (string expected, got number)",
      "lunette.ipcRenderer.invoke('x', nil, print)",
      "could not clone argument 2: a function cannot be sent",
      "lunette.ipcRenderer.sendSync({})", "#1 ipcRenderer.sendSync (string expected, got table)",
      "lunette.ipcRenderer.sendTo('x')",
      "#1 ipcRenderer.sendTo (positive integer expected, got string)",
      "lunette.ipcRenderer.sendTo(1, 2)", "#2 ipcRenderer.sendTo (string expected, got number)",
      "lunette.ipcRenderer.on('x', nil)", "#2 ipcRenderer.on (function expected, got nil)",
      "lunette.ipcRenderer.handle('x', {})",
      "Expected handler to be a function, but found type 'table'",
    }
  end)

  it("of window and require", function()
    in_page {
      "window.addEventListener(1, print)",
      "#1 window.addEventListener (string expected, got number)",
      "window.addEventListener('load')", "#2 window.addEventListener (function expected, got nil)",
      "window:addEventListener('load', print)",
      "window.addEventListener is called with a dot: write window.addEventListener(...), "
        .. "not window:addEventListener(...)",
      "window:close()",
      "window.close is called with a dot: write window.close(...), not window:close(...)",
      "window:alert('x')",
      "window.alert is called with a dot: write window.alert(...), not window:alert(...)",
      "require(5)", "#1 require (string expected, got number)",
    }
  end)
end)

-- Calls every function that can be reached from the roots with every pair of odd values, and ends.
local ABUSE = [=[
local lunette = require "lunette"
local nothing = function() end
local evil = setmetatable({}, {
  __index = function() error "index" end, __newindex = function() error "newindex" end,
  __tostring = function() error "tostring" end, __name = {}, __len = function() return -1 end,
  __call = function() error "call" end, __pairs = function() error "pairs" end,
  __eq = function() error "eq" end, __lt = function() error "lt" end,
  __gc = function() error "gc" end, __close = function() error "close" end,
})
local odd = {
  true, -1, 0, 1.5, 0 / 0, math.huge, math.mininteger, "", "x", "\0\255", ("x"):rep(70000), {},
  evil, setmetatable({}, { __metatable = "locked" }), nothing, coroutine.create(nothing),
  lunette.null, function() error(evil) end, lunette.Promise.reject(evil),
}
local skipped = {}
for name in ([[quit exit relaunch close destroy chdir kill forcefullyCrashRenderer uv reload
  loadFile loadURL alert executeLua sendSync emit removeAllListeners]]):gmatch "%w+" do
  skipped[name] = true
end
local calls = 0
local function call(fn, ...)
  calls = calls + 1
  lunette.spawn(function(...)
    local results = table.pack(pcall(fn, ...))
    for i = 2, results.n do
      if type(results[i]) == "function" and calls % 7 == 0 then pcall(results[i]) end
    end
  end, ...)
end
local seen = {}
local function abuse(name, value, depth)
  if skipped[name] or seen[value] or depth > 3 then return end
  if type(value) == "function" then
    seen[value] = true
    for i = 0, #odd do
      for j = 0, #odd, 3 do
        call(value, odd[i], odd[j])
        for _, object in ipairs(objects) do call(value, object, odd[i], odd[j]) end
      end
    end
  elseif type(value) == "table" then
    seen[value] = true
    for key, field in next, value do
      if type(key) == "string" and not key:find "^_" then abuse(key, field, depth + 1) end
    end
    local metatable = getmetatable(value)
    local index = type(metatable) == "table" and rawget(metatable, "__index")
    if type(index) == "table" then abuse("__index", index, depth + 1) end
  end
end
lunette.process.on("uncaughtException", nothing)
lunette.process.on("unhandledRejection", nothing)
abuse("lunette", lunette, 0)
for _, object in ipairs(objects) do abuse("object", object, 0) end
]=]

-- It came to its end, and the runtime itself did not stumble.
local function assert_unharmed(result)
  assert.same({ "true\n", 0 }, { result.stdout:match "true\n", result.status })
  assert.is_nil(result.stderr:match "[^\n]*error in the runtime[^\n]*")
  assert.is_nil(result.stderr:match "[^\n]*closing the link[^\n]*")
end

describe("every public function, called with odd values,", function()
  it("raises nothing worse than a Lua error in main", function()
    local result = app.run({
      ["main.lua"] = [[
        require("lunette").app.whenReady():await()
        local win = require("lunette").BrowserWindow.new()
        win:loadFile("page.lua"):await()
        local objects = { win, win.webContents, win.webContents.ipc, win.webContents.mainFrame,
          require("lunette").Promise.new(function() end) }
      ]] .. ABUSE .. [[
        lunette.sleep(5)
        print(calls > 1000)
        os.exit(0)
      ]],
      ["page.lua"] = "",
    }, { deadline = 3 * app.DEADLINE })
    assert_unharmed(result)
  end)

  for _, preferences in ipairs { "", "sandbox = false", "contextIsolation = true" } do
    it(("raises nothing worse than a Lua error in a page { %s }"):format(preferences), function()
      local result = page.run("", {
        preferences = preferences,
        deadline = 3 * app.DEADLINE,
        files = {
          ["page.lua"] = "local objects = { require('lunette').Promise.new(function() end) }\n"
            .. ABUSE
            .. [[
              abuse("window", window, 0)
              lunette.sleep(5)
              console.log(calls > 1000)
              window.close()
            ]],
        },
      })
      assert_unharmed(result)
    end)
  end
end)
