-- SPDX-License-Identifier: MIT
-- Errors of wrong arguments: their text, and whose line they name.
local import = require "spec.support.import"
local arguments = import "common.arguments"

local here = debug.getinfo(1, "S").short_src

local function line_of(level)
  return debug.getinfo(level + 1, "l").currentline
end

local function message_of(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return (message:gsub("^.-:%d+: ", ""))
end

describe("arguments.check", function()
  local function check(value, expected)
    arguments.check("ipcMain.handle", 1, value, expected)
  end

  it("accepts what is expected", function()
    local callable = setmetatable({}, { __call = function() end })
    local accepted = {
      { "x", "string" }, { nil, "nil" }, { nil, "string|nil" }, { "x", "string|nil" },
      { 1, "number" }, { 1.5, "number" }, { 1, "integer" }, { 400.0, "integer" }, { -1, "integer" },
      { 1, "positive integer" }, { 0, "non-negative integer" }, { {}, "table" },
      { false, "boolean" },
      { print, "function" }, { print, "callable" }, { callable, "callable" },
      { 0, "milliseconds" }, { 1.5, "milliseconds" }, { "x", "integer|string" },
    }
    for _, case in ipairs(accepted) do
      assert.has_no_error(function() check(case[1], case[2]) end)
    end
  end)

  it("says what was expected and what came", function()
    local refused = {
      { nil, "string", "string expected, got nil" },
      { 5, "string", "string expected, got number" },
      { "5", "integer", "integer expected, got string" },
      { 1.5, "integer", "integer expected, got 1.5" },
      { math.huge, "integer", "integer expected, got inf" },
      { 0, "positive integer", "positive integer expected, got 0" },
      { -1, "non-negative integer", "non-negative integer expected, got -1" },
      { -1, "milliseconds", "milliseconds expected, got -1" },
      { "1", "milliseconds", "milliseconds expected, got string" },
      { {}, "callable", "callable expected, got table" },
      { 1, "string|nil", "string or nil expected, got number" },
      { setmetatable({}, { __name = "Promise" }), "string", "string expected, got Promise" },
    }
    for _, case in ipairs(refused) do
      local text = ("bad argument #1 to 'ipcMain.handle' (%s)"):format(case[3])
      assert.equal(text, message_of(check, case[1], case[2]))
    end
  end)

  it("refuses NaN as milliseconds", function()
    assert.matches("milliseconds expected, got %-?nan", message_of(check, 0 / 0, "milliseconds"))
  end)

  it("names the line of the public function's caller", function()
    local function public(value)
      arguments.check("app.exit", 1, value, "integer")
    end
    local line
    local ok, message = pcall(function()
      line = line_of(1) + 1
      public("x")
    end)
    assert.is_false(ok)
    local text = "%s:%d: bad argument #1 to 'app.exit' (integer expected, got string)"
    assert.equal(text:format(here, line), message)
  end)

  it("names the line of another level on request", function()
    local function helper(value)
      arguments.check("app.exit", 1, value, "integer", 3)
    end
    local function public(value)
      helper(value)
    end
    local line
    local _, message = pcall(function()
      line = line_of(1) + 1
      public("x")
    end)
    assert.equal(("%s:%d:"):format(here, line), message:match("^.-:%d+:"))
  end)
end)

describe("arguments.fail", function()
  it("raises any other complaint in the same form", function()
    local function public()
      arguments.fail("json.array", 2, "too long")
    end
    assert.equal("bad argument #2 to 'json.array' (too long)", message_of(public))
  end)
end)

describe("arguments.not_colon", function()
  local ipc_main = {}
  function ipc_main.on(first)
    arguments.not_colon("ipcMain.on", ipc_main, first)
  end

  it("accepts the dot", function()
    assert.has_no_error(function() ipc_main.on("channel") end)
    assert.has_no_error(function() ipc_main.on({}) end)
  end)

  it("says that the colon is wrong", function()
    assert.has_error(function() ipc_main:on() end,
      "ipcMain.on is called with a dot: write ipcMain.on(...), not ipcMain:on(...)")
  end)

  it("knows the last dot of a longer name", function()
    local command_line = {}
    local function call(first)
      arguments.not_colon("app.commandLine.hasSwitch", command_line, first)
    end
    local text = message_of(call, command_line)
    assert.matches("write app.commandLine.hasSwitch(...), not app.commandLine:has", text, 1, true)
  end)
end)

describe("arguments.check_self", function()
  local BrowserWindow = { __name = "BrowserWindow", _example = "win" }
  local Child = { __name = "Child", _super = BrowserWindow }

  local function load_file(self)
    arguments.check_self("BrowserWindow:loadFile", self, BrowserWindow)
  end

  it("accepts objects of the class and of classes that extend it", function()
    assert.has_no_error(function() load_file(setmetatable({}, BrowserWindow)) end)
    assert.has_no_error(function() load_file(setmetatable({}, Child)) end)
  end)

  it("says that the dot is wrong", function()
    local text = "BrowserWindow:loadFile is called with a colon: "
      .. "write win:loadFile(...), not win.loadFile(...)"
    for _, self in ipairs { "index.html", {}, BrowserWindow, setmetatable({}, {}) } do
      assert.equal(text, message_of(load_file, self))
    end
    assert.equal(text, message_of(load_file, nil))
  end)

  it("makes the variable's name from the class's, if that does not say", function()
    local function await(self)
      arguments.check_self("Promise:await", self, {})
    end
    assert.matches("write promise:await(...)", message_of(await), 1, true)
  end)

  it("ends for a class that extends itself, which a program can make", function()
    local class = {}
    class._super = class
    assert.is_false((pcall(arguments.check_self, "T:f", setmetatable({}, class), {})))
  end)
end)
