-- SPDX-License-Identifier: MIT
-- `lunette test` on a terminal, which script(1) plays.
local app = require "spec.support.app"
local processes = require "spec.support.processes"

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
local function start(files, line, env)
  local dir = app.folder(files)
  local command = ("'%s' test %s"):format(app.executable, line)
  local args = { "-qec", command, "/dev/null" }
  return app.spawn("/usr/bin/script", args, { cwd = dir, env = env }), dir
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

  local function count_running(dir)
    local count = 0
    for i = 1, 5 do
      if io.open(dir .. "/runs" .. i) then count = count + 1 end
    end
    return count
  end

  for what, body in pairs {
    ["waits"] = "require 'lunette'.sleep(60000)",
    ["computes"] = "while true do pcall(function() while true do end end) end",
    ["runs a program"] = "os.execute 'sleep 60' require 'lunette'.sleep(60000)", -- Ctrl-C ends that
  } do
    it("is ended by Ctrl-C, with all that it has started, while a spec " .. what, function()
      local files, mark = {}, processes.new_mark()
      for i = 1, 5 do
        local code = "it('t%d', function() io.open('runs%d', 'w'):close() %s end)"
        files[("spec/f%d_spec.lua"):format(i)] = code:format(i, i, body)
      end
      local env = processes.environment(mark)
      local process, dir = start(files, "--jobs=2 -o TAP >report", env)
      app.wait_until(function() return count_running(dir) == 2 end, "the start of two files")
      process.write "\3"
      local status = process.wait().status
      local report <close> = assert(io.open(dir .. "/report"))
      local text = report:read "a"
      app.remove(dir)
      assert.equal(130, status)
      local one = "not ok %d %- t%d\n[^\n]*\n[^\n]*: interrupted\n"
      assert.matches("^" .. one .. one .. "1..2\n$", text)
      processes.gone_within(mark, 5000)
    end)
  end
end)
