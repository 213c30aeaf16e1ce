--- The command line, and the exit status.
local app = require "spec.support.app"

-- Runs the executable with these arguments, in a folder of these files.
local function run(files, args, options)
  local dir = app.folder(files)
  options = options or {}
  options.cwd = options.cwd or dir
  local ok, result = pcall(app.spawn(app.executable, args, options).wait)
  app.remove(dir)
  if not ok then error(result, 0) end
  result.stderr = result.stderr:gsub("/%S*lunette%-spec%-%w+", "APP")
  return result
end

local HELP = [[
usage: lunette APP [arguments]      run an app: a Lua file, or a folder with main.lua
                                    or lunette.json (main, name, version)
       lunette -e CODE [arguments]  run a piece of Lua as the main script
       lunette test [busted's options] [--jobs N|auto] [--shard I/N] [--timeout MS] [paths]
                                    run busted specs; lunette test --help tells more
       lunette --help | --version
]]

describe("lunette APP", function()
  it("runs a Lua file", function()
    local result = run({ ["script.lua"] = "print('script', ...)" }, { "script.lua" })
    assert.same({ "script\n", "", 0 }, { result.stdout, result.stderr, result.status })
  end)

  it("runs the main.lua of a folder", function()
    local result = run({ ["sub/main.lua"] = "print(..., arg[1])" }, { "sub", "a" })
    assert.equal("a\ta\n", result.stdout)
  end)

  it("runs the main script that lunette.json names", function()
    local result = run({
      ["lunette.json"] = '{"main": "lib/begin.lua"}',
      ["lib/begin.lua"] = "print(require 'lib.other')",
      ["lib/other.lua"] = "return 'other'",
    }, { "." })
    assert.matches("^other\t", result.stdout)
  end)

  it("gives the arguments behind it to the script, to arg and to process.argv", function()
    local result = run({
      ["main.lua"] = [[
        local argv = require("lunette").process.argv
        print(select("#", ...), ...)
        print(#arg, arg[0], arg[1], arg[2])
        print(#argv, argv[0] == require("lunette").process.execPath, argv[1], argv[2], argv[3])
      ]],
    }, { ".", "a", "", "--c" })
    assert.equal("3\ta\t\t--c\n3\t.\ta\t\n4\ttrue\t.\ta\t\n", result.stdout)
  end)

  it("allows a first line for the shell", function()
    local result = run({ ["tool"] = "#!/usr/bin/env lunette\nprint 'a tool'" }, { "tool" })
    assert.equal("a tool\n", result.stdout)
  end)

  it("finds modules next to the main script, wherever it is called from", function()
    local dir = app.folder { ["main.lua"] = "print((require 'x'))", ["x.lua"] = "return 'x'" }
    local result = app.spawn(app.executable, { dir }, { cwd = "/" }).wait()
    app.remove(dir)
    assert.equal("x\n", result.stdout)
  end)

  it("gives pages the arguments and their own additionalArguments", function()
    local result = run({
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        lunette.BrowserWindow.new({
          webPreferences = { additionalArguments = { "--more", "5" } },
        }):loadFile("page.lua")
      ]],
      ["page.lua"] = [[
        print(table.concat(require("lunette").process.argv, " "))
        window.close()
      ]],
    }, { ".", "a" })
    assert.equal(". a --more 5\n", result.stdout)
  end)
end)

describe("lunette -e CODE", function()
  it("runs the code as the main script, with the arguments behind it", function()
    local code = "print(#arg, ...) require('lunette').sleep(0) print 'later'"
    local result = run({}, { "-e", code, "a", "b" })
    assert.same({ "2\ta\tb\nlater\n", 0 }, { result.stdout, result.status })
  end)

  it("finds pages and modules in the working directory", function()
    local code = [[local lunette = require "lunette"
      lunette.app.whenReady():await()
      lunette.BrowserWindow.new():loadFile("page.lua")]]
    local files = {
      ["page.lua"] = "print((require 'x')) window.close()",
      ["x.lua"] = "return 1",
    }
    local result = run(files, { "-e", code })
    assert.equal("1\n", result.stdout)
  end)

  it("ends with 1 for code that does not compile", function()
    local result = run({}, { "-e", "return (" })
    local text = "lunette: (command line):1: unexpected symbol near <eof>\n"
    assert.same({ "", text, 1 }, { result.stdout, result.stderr, result.status })
  end)
end)

describe("lunette --help and --version", function()
  for _, option in ipairs { "--help", "-h" } do
    it("tell how to use it: " .. option, function()
      local result = run({}, { option })
      assert.same({ HELP, "", 0 }, { result.stdout, result.stderr, result.status })
    end)
  end

  for _, option in ipairs { "--version", "-v" } do
    it("tell the version: " .. option, function()
      local result = run({}, { option })
      local version = "Lunette " .. require("lunette").version .. "\n"
      assert.same({ version, "", 0 }, { result.stdout, result.stderr, result.status })
    end)
  end
end)

describe("the exit status", function()
  for what, case in pairs {
    ["no argument"] = { {}, "an app is missing" },
    ["an unknown option"] = { { "--frobnicate" }, "unknown option --frobnicate" },
    ["-e without code"] = { { "-e" }, "-e needs a piece of code" },
  } do
    it("is 2 for a wrong command line, and help on standard error: " .. what, function()
      local result = run({}, case[1])
      local text = "lunette: " .. case[2] .. "\n" .. HELP
      assert.same({ "", text, 2 }, { result.stdout, result.stderr, result.status })
    end)
  end

  for what, case in pairs {
    ["that is not there"] = { {}, "nothing", "nothing: no such app" },
    ["without a name"] = { {}, "", ": no such app" },
    ["that is a folder without main.lua"] = { {}, ".", "APP: a folder without main.lua" },
    ["whose lunette.json names no file"] = {
      { ["lunette.json"] = '{"main": "src/x.lua"}' },
      ".",
      "APP: a folder without src/x.lua",
    },
    ["whose lunette.json has a name that is no string"] = {
      { ["lunette.json"] = '{"name": 5}', ["main.lua"] = "" },
      ".",
      "APP/lunette.json: 'name' must be a string",
    },
    ["whose lunette.json is a list"] = {
      { ["lunette.json"] = "5", ["main.lua"] = "" },
      ".",
      "APP/lunette.json: not an object",
    },
  } do
    it("is 2 for an app " .. what, function()
      local result = run(case[1], { case[2] })
      local text = "lunette: " .. case[3] .. "\n"
      assert.same({ "", text, 2 }, { result.stdout, result.stderr, result.status })
    end)
  end

  it("is 2 for an app whose lunette.json is no JSON", function()
    local result = run({ ["lunette.json"] = "{", ["main.lua"] = "" }, { "." })
    assert.matches("^lunette: APP/lunette.json: .", result.stderr)
    assert.equal(2, result.status)
  end)

  it("is 0 when nothing went wrong", function()
    assert.equal(0, run({ ["main.lua"] = "" }, { "." }).status)
  end)

  it("is 1 for a main script that does not compile", function()
    local result = run({ ["main.lua"] = "x = = 1" }, { "." })
    local text = "lunette: APP/main.lua:1: unexpected symbol near '='\n"
    assert.same({ "", text, 1 }, { result.stdout, result.stderr, result.status })
  end)

  it("is 1 for an error in the main script, whose traceback is printed, and it ends", function()
    local result = run({
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.setTimeout(function() print "too late" end, 10)
        local function fail() error "oh" end
        fail()
      ]],
    }, { "." })
    assert.same({ "", 1 }, { result.stdout, result.status })
    assert.matches(
      "^lunette: uncaught error: APP/main.lua:3: oh\nstack traceback:\n"
        .. ".*APP/main.lua:3: in local 'fail'.*APP/main.lua:4: in main chunk",
      result.stderr
    )
  end)

  it("is 1 for an error in the main script after it awaited", function()
    local result = run({
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        lunette.BrowserWindow.new()
        error { code = 5 }
      ]],
    }, { "." })
    assert.equal(1, result.status)
    local text = "^lunette: uncaught error: %(error object is a table: {code = 5}%)\n"
    assert.matches(text, result.stderr)
  end)

  it("is 1 after an error that left a listener, but the app goes on", function()
    local result = run({
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.on("ready", function() error "in a listener" end)
        lunette.app.on("ready", function() print "the next one" end)
        lunette.setTimeout(function() print "later" end, 1)
      ]],
    }, { "." })
    assert.same({ "the next one\nlater\n", 1 }, { result.stdout, result.status })
    assert.matches("^lunette: uncaught error: APP/main.lua:2: in a listener\n", result.stderr)
  end)

  it("is 1 after a rejection that nobody handled", function()
    local result = run({ ["main.lua"] = "require('lunette').Promise.reject 'no'" }, { "." })
    assert.equal(1, result.status)
    assert.matches("^lunette: unhandled rejection: no\n", result.stderr)
  end)

  it("is 0 when the app listens to its uncaught errors", function()
    local result = run({
      ["main.lua"] = [[
        local process = require("lunette").process
        process.on("uncaughtException", function(err, traceback)
          print(err:match("[^/]*$"), traceback:match("^[^\n]*"))
        end)
        error "oh"
      ]],
    }, { "." })
    assert.same(
      { "main.lua:5: oh\tstack traceback:\n", "", 0 },
      { result.stdout, result.stderr, result.status }
    )
  end)

  it("is the app's own, from exit, from os.exit, and of 8 bits", function()
    assert.equal(9, run({ ["main.lua"] = "require('lunette').app.exit(9)" }, { "." }).status)
    assert.equal(10, run({ ["main.lua"] = "os.exit(10)" }, { "." }).status)
    assert.equal(1, run({ ["main.lua"] = "require('lunette').app.exit(257)" }, { "." }).status)
  end)

  it("is not changed by what goes wrong in a page", function()
    local result = run({
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.app.whenReady():await()
        local win = lunette.BrowserWindow.new()
        win:loadFile("page.lua"):await()
        win:close()
      ]],
      ["page.lua"] = "error 'in a page'",
    }, { "." })
    assert.equal(0, result.status)
    assert.matches("^uncaught error: page.lua:1: in a page\nstack traceback:", result.stderr)
  end)
end)

describe("what a page prints", function()
  local MAIN = [[
    local lunette = require "lunette"
    lunette.app.whenReady():await()
    local win = lunette.BrowserWindow.new()
    win.webContents:on("console-message", function(_, details)
      lunette.process.events = (lunette.process.events or "") .. details.level .. ":"
        .. details.message .. "|"
    end)
    print "main, before"
    win:loadFile("page.lua")
    win:on("closed", function() print(lunette.process.events) end)
  ]]

  it("comes in order, on the terminal and as console-message", function()
    local result = run({
      ["main.lua"] = MAIN,
      ["page.lua"] = [[
        print("print", 1, nil, setmetatable({}, { __tostring = function() return "text" end }))
        console.log("log")
        console.info("info")
        io = nil
        console.log("a\nb")
        print()
        window.alert("alarm")
        window.close()
      ]],
    }, { "." })
    assert.equal(
      "main, before\nprint\t1\tnil\ttext\nlog\ninfo\na\nb\n\n[alert] alarm\n"
        .. "log:print\t1\tnil\ttext|log:log|info:info|log:a\nb|log:|info:[alert] alarm|\n",
      result.stdout
    )
  end)

  it("goes to standard error as a warning or an error", function()
    local result = run({
      ["main.lua"] = MAIN,
      ["page.lua"] = "console.warn('warned', 1) console.error('error') window.close()",
    }, { "." })
    assert.equal("warned\t1\nerror\n", result.stderr)
    assert.equal("main, before\nwarn:warned\t1|error:error|\n", result.stdout)
  end)

  it("is not lost when it is much, and the page closes right away", function()
    local result = run({
      ["main.lua"] = MAIN:gsub("win:on.-\n", "\n"),
      ["page.lua"] = "for i = 1, 20000 do print(i) end window.close()",
    }, { "." })
    local count, last = 0, nil
    for line in result.stdout:gmatch "%d+\n" do
      count, last = count + 1, line
    end
    assert.same({ 20000, "20000\n" }, { count, last })
  end)

  it("may be any bytes", function()
    local result = run({
      ["main.lua"] = MAIN:gsub("win:on.-\n", "\n"),
      ["page.lua"] = "print('\\0\\255\\r\\27[0m') window.close()",
    }, { "." })
    assert.equal("main, before\n\0\255\r\27[0m\n", result.stdout)
  end)
end)
