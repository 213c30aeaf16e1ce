-- SPDX-License-Identifier: MIT
-- Tables of options against a specification.
local import = require "spec.support.import"
local options = import "common.options"

local here = debug.getinfo(1, "S").short_src

local FIELDS = {
  width = { "positive integer", default = 800 },
  height = { "integer" },
  title = { "string" },
  show = { "boolean", default = true },
  tags = { "table", default = { "a", "b" } },
  mode = { "string", one_of = { "process", "thread" }, default = "process" },
  icon = { "string|table" },
  webPreferences = {
    "table",
    fields = { preload = { "string" }, sandbox = { "boolean", default = true } },
  },
}

local function open(given)
  local checked = options.check("BrowserWindow", given, FIELDS)
  return checked
end

local function message_of(given)
  local ok, message = pcall(function()
    local checked = open(given)
    return checked
  end)
  assert.is_false(ok)
  assert.equal(here, message:match("^(.-):%d+: "))
  return (message:gsub("^.-:%d+: ", ""))
end

describe("options.check", function()
  it("fills in defaults", function()
    local defaults = {
      width = 800, show = true, tags = { "a", "b" }, mode = "process",
      webPreferences = { sandbox = true },
    }
    assert.same(defaults, open(nil))
    assert.same(defaults, open({}))
  end)

  it("keeps what was given, in a new table", function()
    local given = {
      width = 1, height = -2, show = false, tags = {}, mode = "thread", icon = {},
      webPreferences = { preload = "p" },
    }
    local checked = open(given)
    assert.not_equal(given, checked)
    assert.is_nil(given.webPreferences.sandbox)
    given.webPreferences.sandbox = true
    assert.same(given, checked)
  end)

  it("gives a new default table each time", function()
    open().tags[1] = "changed"
    assert.same({ "a", "b" }, open().tags)
  end)

  it("names the option that an unknown name is near to", function()
    local cases = {
      widht = "BrowserWindow: unknown option 'widht' (did you mean 'width'?)",
      Title = "BrowserWindow: unknown option 'Title' (did you mean 'title'?)",
      webpreference =
        "BrowserWindow: unknown option 'webpreference' (did you mean 'webPreferences'?)",
      colour = "BrowserWindow: unknown option 'colour'",
      [("x"):rep(1000)] = "BrowserWindow: unknown option '" .. ("x"):rep(1000) .. "'",
    }
    for name, text in pairs(cases) do
      assert.equal(text, message_of({ [name] = 1 }))
    end
    assert.equal("BrowserWindow: unknown option 'webPreferences.sandbx' (did you mean 'sandbox'?)",
      message_of({ webPreferences = { sandbx = true } }))
    assert.equal("BrowserWindow: an option's name must be a string, got number", message_of({ 1 }))
  end)

  it("refuses wrong types", function()
    local cases = {
      { { width = "800" }, "option 'width' must be a positive integer, got string" },
      { { width = 0 }, "option 'width' must be a positive integer, got 0" },
      { { height = 1.5 }, "option 'height' must be an integer, got 1.5" },
      { { icon = 1 }, "option 'icon' must be a string or a table, got number" },
      { { webPreferences = true }, "option 'webPreferences' must be a table, got boolean" },
      { { webPreferences = { sandbox = 1 } },
        "option 'webPreferences.sandbox' must be a boolean, got number" },
      { { mode = "fibre" }, "option 'mode' must be 'process' or 'thread', got 'fibre'" },
      { 5, "options must be a table, got number" },
    }
    for _, case in ipairs(cases) do
      assert.equal("BrowserWindow: " .. case[2], message_of(case[1]))
    end
  end)

  it("refuses a missing option that is required", function()
    local fields = { path = { "string", required = true } }
    assert.has_error(function() options.check("fork", {}, fields) end,
      "fork: option 'path' is missing")
  end)
end)
