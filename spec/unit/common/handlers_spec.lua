-- SPDX-License-Identifier: MIT
-- The registry of handlers, and its public faces.
local import = require "spec.support.import"
local Handlers = import "common.handlers"

local here = debug.getinfo(1, "S").short_src

local function message_of(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.equal(here, message:match("^(.-):%d+: "))
  return (message:gsub("^.-:%d+: ", ""))
end

describe("handlers", function()
  local ipc_main, handlers

  before_each(function()
    ipc_main = {}
    handlers = Handlers.bind(ipc_main, "ipcMain")
  end)

  it("has a handler until it is removed", function()
    ipc_main.handle("sum", print)
    assert.is_true(handlers:has("sum"))
    assert.same({ sum = print }, handlers.entries)
    ipc_main.removeHandler("sum")
    assert.is_false(handlers:has("sum"))
    assert.same({}, handlers.entries)
  end)

  it("marks a handler for one call", function()
    ipc_main.handleOnce("sum", print)
    assert.same({ sum = { print } }, handlers.entries)
  end)

  it("refuses a second handler, whatever it is", function()
    ipc_main.handle("sum", print)
    for _, fn in ipairs { print, "no function" } do
      for _, method in ipairs { "handle", "handleOnce" } do
        assert.equal("Attempted to register a second handler for 'sum'",
          message_of(function() ipc_main[method]("sum", fn) end))
      end
    end
  end)

  it("refuses what is not a function", function()
    assert.equal("Expected handler to be a function, but found type 'nil'",
      message_of(function() ipc_main.handle("sum") end))
    assert.equal("Expected handler to be a function, but found type 'table'",
      message_of(function() ipc_main.handleOnce("sum", {}) end))
    assert.is_false(handlers:has("sum"))
  end)

  it("refuses a channel that is not a string, and the colon", function()
    assert.equal("bad argument #1 to 'ipcMain.handle' (string expected, got nil)",
      message_of(function() ipc_main.handle(nil, print) end))
    assert.equal("bad argument #1 to 'ipcMain.removeHandler' (string expected, got number)",
      message_of(function() ipc_main.removeHandler(1) end))
    local text = message_of(function() ipc_main:handle("sum", print) end)
    assert.matches("write ipcMain.handle(...), not ipcMain:handle(...)", text, 1, true)
  end)

  it("ignores the removal of what is not there", function()
    assert.has_no_error(function() ipc_main.removeHandler("sum") end)
  end)
end)

describe("Handlers.extend", function()
  it("gives a class the same methods, with a registry for each object", function()
    local IpcMain = { __name = "IpcMain", _example = "ipc" }
    IpcMain.__index = IpcMain
    Handlers.extend(IpcMain)
    local ipc = setmetatable({ _handlers = Handlers.new "IpcMain:" }, IpcMain)
    ipc:handle("sum", print)
    assert.same({ sum = print }, ipc._handlers.entries)
    assert.equal("Attempted to register a second handler for 'sum'",
      message_of(function() ipc:handle("sum", print) end))
    assert.equal("bad argument #1 to 'IpcMain:handleOnce' (string expected, got nil)",
      message_of(function() ipc:handleOnce() end))
    local text = message_of(function() ipc.handle("sum", print) end)
    assert.matches("write ipc:handle(...), not ipc.handle(...)", text, 1, true)
    ipc:removeHandler("sum")
    assert.is_false(ipc._handlers:has("sum"))
  end)
end)
