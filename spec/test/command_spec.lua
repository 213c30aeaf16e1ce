-- SPDX-License-Identifier: MIT
-- `lunette test`: its own options, its exit status, and how files share workers.
local app = require "spec.support.app"
local suite = require "spec.support.suite"

local PASSES <const> = { ["spec/a_spec.lua"] = "it('a', function() end)" }

describe("lunette test ends with", function()
  for what, case in pairs {
    ["0 when all passes"] = { 0, PASSES, {} },
    ["0 when filters leave nothing"] = { 0, PASSES, { "--filter=nothing" } },
    ["1 for a failure"] = { 1, { ["spec/a_spec.lua"] = "it('a', function() error() end)" }, {} },
    ["1 when there are no files"] = { 1, {}, {} },
    ["2 for an unknown option"] = { 2, PASSES, { "--frobnicate" } },
    ["2 for a task that is not there"] = { 2, { [".busted"] = "return {}" }, { "-r", "x" } },
    ["2 for a folder that is not there"] = { 2, PASSES, { "-C", "nowhere" } },
    ["2 for no number of jobs"] = { 2, PASSES, { "--jobs=none" } },
    ["2 for a shard beyond the last"] = { 2, PASSES, { "--shard=3/2" } },
    ["2 for no time that is slow"] = { 2, PASSES, { "--slow=-1" } },
    ["2 for an option without its value"] = { 2, PASSES, { "--timeout" } },
    ["2 for a bad key of .busted"] = { 2, { [".busted"] = "return {_all={jobs='x'}}" }, {} },
  } do
    it(what, function()
      assert.equal(case[1], suite.run(case[2], case[3]).status)
    end)
  end

  it("130 when it is interrupted, with the report of what is complete", function()
    local dir = app.folder {
      ["spec/a_spec.lua"] = "it('is done', function() end)" .. (" "):rep(1000), -- begins first
      ["spec/b_spec.lua"] = "it('goes on', function() print 'on' "
        .. "io.open('runs', 'w'):close() io.popen('sleep 60'):read() end)",
    }
    local args = { "test", "--jobs=1", "-o", "TAP" }
    local process = app.spawn(app.executable, args, { cwd = dir })
    app.wait_until(function()
      return io.open(dir .. "/runs")
    end, "the start of the second test")
    process.kill "sigint"
    local result = process.wait()
    app.remove(dir)
    local wanted = "ok 1 - is done\non\nnot ok 2 - goes on\n# spec/b_spec.lua @ 1\n"
      .. "# Failure message: spec/b_spec.lua:1: interrupted\n1..2\n"
    assert.same({ wanted, 130 }, { result.stdout, result.status })
  end)
end)

describe("lunette test says what is wrong, without a traceback:", function()
  for line, case in pairs {
    ["--record=/dev/full"] = { 1, "busted: error: /dev/full: No space left on device\n" },
    ["--record=/nowhere/x"] = { 2, "busted: error: /nowhere/x: No such file or directory\n" },
    ["--shard=1/2 --shard-times=none"] = { 2, "busted: error: none: no such file of times\n" },
    ["--shard-times=/nowhere/x"] = { 1, "busted: error: /nowhere/x: No such file or directory\n" },
    ["--serial=%"] = { 2, "busted: error: --serial: a Lua pattern expected, got '%'\n" },
    ["--split=a --split=["] = { 2,
      "busted: error: --split: a Lua pattern expected, got 'a', '['\n" },
    ["--replay none"] = { 2, "busted: error: ENOENT: no such file or directory: none\n" },
  } do
    it(line, function()
      local words = {}
      for word in line:gmatch "%S+" do words[#words + 1] = word end
      local result = suite.run(PASSES, words)
      assert.same({ case[1], case[2] }, { result.status, result.stderr })
    end)
  end

  it("no temporary folder", function()
    local result = suite.run(PASSES, {}, { env = { TMPDIR = "/nowhere" } })
    assert.matches("^lunette test: no place for temporary files: ENOENT[^\n]*\n$", result.stderr)
    assert.equal(1, result.status)
  end)
end)

describe("lunette test --help and --version", function()
  it("tell busted's options and Lunette's, and busted's version", function()
    local help = suite.run(PASSES, { "--help" })
    assert.matches("^Usage: lunette test ", help.stdout)
    assert.matches("auto%-insulate.*%-%-jobs=N.*%-%-shard=I/N", help.stdout)
    assert.same({ "", 0 }, { help.stderr, help.status })
    local version = suite.run(PASSES, { "--version" })
    assert.same({ suite.run_plainly(PASSES, { "--version" }).stdout, 0 },
      { version.stdout, version.status })
  end)

  it("says that --lua makes no difference, when it is said on the command line", function()
    local note = "lunette test: --lua is ignored: the specs run in Lunette's own Lua\n"
    assert.equal(note, suite.run(PASSES, { "--lua=luajit" }).stderr)
    local files = { [".busted"] = "return { _all = { lua = 'nlua' } }" }
    files["spec/a_spec.lua"] = PASSES["spec/a_spec.lua"]
    local result = suite.run(files)
    assert.same({ "", 0 }, { result.stderr, result.status })
  end)
end)

describe("files share", function()
  local files = {}
  for i = 1, 4 do
    files[("spec/f%d_spec.lua"):format(i)] = [[
      it("t", function()
        count = (rawget(_G, "count") or 0) + 1
        _G.count = count
        io.stdout:write(count, require "lunette.test".worker, " ")
      end)
    ]]
  end

  local function numbers(...)
    local printed = suite.run(files, { "-o", "TAP", ... }).stdout
    local list = {}
    for count, worker in printed:gmatch "(%d)(%d) " do
      list[#list + 1] = { tonumber(count), tonumber(worker) }
    end
    return list
  end

  it("nothing by default", function()
    for _, pair in ipairs(numbers()) do
      assert.equal(1, pair[1])
    end
  end)

  it("a worker with their neighbours when they are not isolated", function()
    for _, option in ipairs { "--isolate=none", "--no-auto-insulate" } do
      local list = numbers(option, "--no-auto-insulate", "--jobs=2")
      assert.same({ { 1, 0 }, { 2, 0 }, { 1, 1 }, { 2, 1 } }, list)
    end
  end)

  it("no time with those that are to run alone", function()
    local dir = app.folder {}
    for name in pairs(files) do
      files[name] = ([[
        local path = "%s/running"
        it("t", function()
          local other = io.open(path)
          assert(io.open(path, "w")):close()
          require "lunette".sleep(20)
          os.remove(path)
          assert.is_nil(other)
        end)
      ]]):format(dir)
    end
    local result = suite.run(files, { "--serial=f[1-3]", "--serial", "f4" })
    app.remove(dir)
    assert.equal(0, result.status, result.stdout)
  end)
end)

describe("lunette test --detect-open-handles", function()
  it("names what a file has left open", function()
    local files = {
      ["spec/a_spec.lua"] = "it('a', function() require 'lunette'.setTimeout(print, 60000) end)",
      ["spec/b_spec.lua"] = "it('b', function() require 'lunette'.sleep(1) end)",
    }
    local result = suite.run(files, { "--detect-open-handles", "-o", "TAP" })
    assert.equal("lunette test: spec/a_spec.lua left open: 1 timer\n", result.stderr)
    assert.equal("ok 1 - a\nok 2 - b\n1..2\n", result.stdout)
    assert.equal("", suite.run(files, { "-o", "TAP" }).stderr)
  end)
end)

describe("lunette test --slow", function()
  it("names what takes longer, again and again, and not as a part of the report", function()
    local dir = app.folder { ["spec/a_spec.lua"] = [[
      describe("d", function()
        it("is quick", function() end)
        it("takes its time", function()
          while not io.open "go" do require "lunette".sleep(5) end
        end)
      end)
    ]] }
    local process = app.spawn(app.executable, { "test", "--slow=20", "-o", "TAP" }, { cwd = dir })
    local note = "lunette test: worker 0 has been at 'takes its time' for %d+%.%d s\n"
    app.wait_until(function()
      return select(2, process.output()):find(note .. note)
    end, "two notes")
    assert(io.open(dir .. "/go", "w")):close()
    local result = process.wait()
    app.remove(dir)
    assert.same({ "ok 1 - d is quick\nok 2 - d takes its time\n1..2\n", 0 },
      { result.stdout, result.status })
  end)

  it("says nothing of what is quicker, or when it is 0", function()
    for _, value in ipairs { "20000", "0" } do
      local files = { ["spec/a_spec.lua"] = "it('a', function() require 'lunette'.sleep(50) end)" }
      assert.equal("", suite.run(files, { "--slow", value }).stderr)
    end
  end)
end)

describe("lunette test --no-capture", function()
  it("lets specs print at once", function()
    local dir = app.folder { ["spec/a_spec.lua"] = "it('a', function() "
      .. "io.write 'now ' io.flush() require 'lunette'.sleep(60000) end)" }
    local process = app.spawn(app.executable, { "test", "--no-capture" }, { cwd = dir })
    app.wait_until(function()
      return process.output():find "now"
    end, "what the spec prints while it runs")
    process.kill "sigkill"
    process.wait()
    app.remove(dir)
  end)
end)

describe("what specs draw from the clock", function()
  it("differs between workers, and any other seed gives what it always gives", function()
    local files = {}
    for i = 1, 3 do
      files[("spec/f%d_spec.lua"):format(i)] = [[
        it("t", function()
          math.randomseed(os.time())
          local drawn = math.random(1 << 40)
          math.randomseed(42)
          print(drawn, math.random(1 << 40))
        end)
      ]]
    end
    local clock, fixed = {}, {}
    for drawn, same in suite.run(files).stdout:gmatch "(%d+)\t(%d+)\n" do
      assert.is_nil(clock[drawn])
      clock[drawn], fixed[same] = true, true
    end
    local one = next(fixed)
    assert.is_nil(next(fixed, one))
  end)
end)
