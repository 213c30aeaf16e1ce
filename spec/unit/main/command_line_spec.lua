-- SPDX-License-Identifier: MIT
-- app.commandLine.
local import = require "spec.support.import"
local command_line = import "main.command_line"

describe("app.commandLine", function()
  local function parse(...)
    command_line.parse { [0] = "lunette", "app.lua", ... }
  end

  after_each(function()
    parse()
  end)

  it("reads the switches that the app was started with", function()
    parse("--verbose", "--level=3", "file", "-x", "--empty=", "--expr=a=b", "--", "--not")
    assert.is_true(command_line.hasSwitch("verbose"))
    assert.equal("", command_line.getSwitchValue("verbose"))
    assert.equal("3", command_line.getSwitchValue("level"))
    assert.is_true(command_line.hasSwitch("x"))
    assert.equal("", command_line.getSwitchValue("empty"))
    assert.equal("a=b", command_line.getSwitchValue("expr"))
    assert.is_false(command_line.hasSwitch("not"))
    assert.is_false(command_line.hasSwitch("app.lua"))
    assert.same({ "--empty", "--expr=a=b", "--level=3", "--verbose", "--x", "file", "--", "--not" },
      command_line.to_list())
  end)

  it("takes dashes and odd words for arguments", function()
    parse("-", "--", "-a")
    assert.same({ "-", "--", "-a" }, command_line.to_list())
  end)

  it("adds, changes and removes switches", function()
    command_line.appendSwitch("level")
    assert.equal("", command_line.getSwitchValue("level"))
    command_line.appendSwitch("--level", 5)
    assert.equal("5", command_line.getSwitchValue("level"))
    command_line.removeSwitch("level")
    assert.is_false(command_line.hasSwitch("level"))
    assert.equal("", command_line.getSwitchValue("level"))
  end)

  it("adds arguments", function()
    parse("a")
    command_line.appendArgument("--b")
    assert.same({ "a", "--b" }, command_line.to_list())
    assert.is_false(command_line.hasSwitch("b"))
  end)

  it("refuses wrong arguments", function()
    assert.has_error(function() command_line.appendSwitch() end,
      "bad argument #1 to 'app.commandLine.appendSwitch' (string expected, got nil)")
    assert.has_error(function() command_line.appendSwitch("a", {}) end,
      "bad argument #2 to 'app.commandLine.appendSwitch' "
        .. "(string or number or nil expected, got table)")
    assert.has_error(function() command_line:hasSwitch("a") end,
      "app.commandLine.hasSwitch is called with a dot: "
        .. "write app.commandLine.hasSwitch(...), not app.commandLine:hasSwitch(...)")
  end)

  it("shows users Electron's functions only", function()
    local names = {}
    for name in pairs(command_line) do names[#names + 1] = name end
    table.sort(names)
    local electron = "appendArgument appendSwitch getSwitchValue hasSwitch removeSwitch"
    assert.equal(electron, table.concat(names, " "))
  end)
end)
