-- SPDX-License-Identifier: MIT
-- `lunette test` on a terminal, which script(1) plays.
local app = require "spec.support.app"

local WAITS <const> = [[
  it("waits", function()
    local file
    repeat
      require "lunette".sleep(5)
      file = io.open "go"
    until file
  end)
]]

-- Starts the command line in a terminal, in a folder of these files.
local function start(files, line)
  local dir = app.folder(files)
  local command = ("'%s' test %s"):format(app.executable, line)
  local process = app.spawn("/usr/bin/script", { "-qec", command, "/dev/null" }, { cwd = dir })
  return process, dir
end

describe("on a terminal lunette test", function()
  it("shows how far it is while the report goes elsewhere, and leaves no trace of that", function()
    local process, dir = start({ ["spec/a_spec.lua"] = WAITS }, "-o TAP >report")
    app.wait_until(function()
      return process.output():find("0/1 files; spec/a_spec.lua", 1, true)
    end, "a line of progress")
    assert(io.open(dir .. "/go", "w")):close()
    local result = process.wait()
    local report <close> = assert(io.open(dir .. "/report"))
    assert.equal("ok 1 - waits\n1..1\n", report:read "a")
    app.remove(dir)
    assert.matches("\r\27%[K$", result.stdout)
    assert.equal(0, result.status)
  end)

  it("gives the report in colour, and nothing else", function()
    local process, dir = start({ ["spec/a_spec.lua"] = "it('a', function() end)" }, "")
    local result = process.wait()
    app.remove(dir)
    local report = "^\27%[32m●\27%[0m\r\n\27%[32m1\27%[0m success / [^\r]*seconds\r\n$"
    assert.matches(report, result.stdout)
  end)
end)
