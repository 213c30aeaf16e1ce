-- SPDX-License-Identifier: MIT
-- `lunette test` with busted's options: each report is the one that busted itself gives.
local app = require "spec.support.app"
local json = require "dkjson"
local lunette = require "lunette"
local suite = require "spec.support.suite"

local FILES <const> = {
  ["spec/a_spec.lua"] = [[
    print "a loads"
    describe("a #slow", function()
      local n = 0
      setup(function() print "setup" end)
      teardown(function() io.stderr:write "teardown\n" end)
      before_each(function() n = n + 1 end)
      it("passes", function() print "in a passes" end)
      it("fails #quick", function() assert.same({ 1, { 2 } }, { 1, { 3 } }) end)
      it("errs", function() error { code = n } end)
      pending("later")
      it("is pending inside", function() pending("for a reason") end)
      describe("nested", function()
        lazy_setup(function() print "lazy" end)
        it("t", function() assert.is_true(n > 0) end)
      end)
    end)
  ]],
  ["spec/b_spec.lua"] = [[
    describe("b", function()
      it("leaks a global", function() leaked = 1 _G.really = 1 end)
      it("uses the library", function() assert.equal("lib", require "lib".name) end)
    end)
    describe("broken setup", function()
      setup(function() error "no setup" end)
      it("is never run", function() end)
    end)
    it("b alone", function() end)
  ]],
  ["spec/c_spec.lua"] = [[
    it("sees no global", function() assert.is_nil(rawget(_G, "really")) end)
    it("is last", function() end)
  ]],
  ["spec/d_other.lua"] = "it('d', function() end)",
  ["spec/sub/e_spec.lua"] = "it('e', function() io.write 'no newline' end) error 'file error'",
  ["spec/syntax_spec.lua"] = "it('is not closed'",
  ["path_spec.lua"] = "it('p', function() print(package.path:match '^[^;]*', "
    .. "package.cpath:match '^[^;]*') end)",
  ["src/lib.lua"] = "return { name = 'lib' }",
  ["helper.lua"] = [[
    local busted = require "busted"
    print("helper", arg and table.concat(arg, ","))
    busted.subscribe({ "suite", "start" }, function() print "suite starts" return nil, true end)
    busted.subscribe({ "test", "end" }, function(e) print("end of " .. e.name) return nil, true end)
    busted.subscribe({ "exit" }, function() print "exit" return nil, true end)
  ]],
  ["own.lua"] = [[
    return function(options)
      local busted = require "busted"
      local handler = require "busted.outputHandlers.base"()
      busted.subscribe({ "test", "end" }, function(element, parent, status)
        print("own", handler.getFullName(element), parent.name, status, options.arguments[1])
        return nil, true
      end)
      return handler
    end
  ]],
  [".busted"] = [[
    return {
      _all = { verbose = true },
      default = { ROOT = { "spec/a_spec.lua" }, output = "TAP" },
      task = { ROOT = { "spec" }, pattern = "b_", output = "plainTerminal", jobs = 1 },
    }
  ]],
}

-- The same without .busted.
local PLAIN <const> = {}
for name, text in pairs(FILES) do
  if name ~= ".busted" then PLAIN[name] = text end
end

-- Command lines; each option of busted's is in one, or tested elsewhere.
local LINES <const> = {
  "spec",
  "",
  "-v spec",
  "-p _other spec",
  "--exclude-pattern=b_ -p a_ -p c_ spec",
  "-R spec/sub",
  "--no-recursive spec",
  "-t slow spec",
  "-t quick,nothing spec",
  "--exclude-tags=slow spec",
  "--filter=nested --filter=alone spec",
  "--filter-out=e spec",
  "-l spec",
  "-l -t quick spec",
  "--helper=helper.lua -Xhelper one,two spec/c_spec.lua",
  "--helper=helper.lua spec/c_spec.lua spec/b_spec.lua",
  "--helper=missing.lua spec/c_spec.lua",
  "--lazy spec",
  "-k spec/c_spec.lua",
  "--no-keep-going spec/a_spec.lua spec/b_spec.lua",
  "--suppress-pending spec/a_spec.lua",
  "--defer-print spec/a_spec.lua spec/b_spec.lua",
  "--lang=de spec/a_spec.lua",
  "--repeat=2 spec/c_spec.lua",
  "--sort spec/a_spec.lua spec/c_spec.lua",
  "--shuffle --seed=5 spec/a_spec.lua spec/b_spec.lua spec/c_spec.lua",
  "--shuffle-files --seed=7 spec/a_spec.lua spec/b_spec.lua spec/c_spec.lua",
  "--shuffle-tests --seed=7 -o TAP spec/a_spec.lua",
  "-m other/?.lua spec/b_spec.lua",
  "--loaders=lua spec/c_spec.lua",
  "-C spec -m ../src/?.lua b_spec.lua",
  "nothing spec/c_spec.lua",
  "-p matches_nothing spec",
  "-o nothing spec/c_spec.lua",
  "spec/syntax_spec.lua",
  "--verbose --no-verbose spec/a_spec.lua",
  "--pattern=_other spec",
  "--recursive spec/sub",
  "--tags slow --filter t spec",
  "--list --filter=passes spec",
  "-Xhelper one --helper=helper.lua -Xhelper two spec/c_spec.lua",
  "--no-lazy spec/a_spec.lua",
  "--keep-going spec/c_spec.lua",
  "--no-suppress-pending --no-defer-print spec/a_spec.lua",
  "--sort-files spec/c_spec.lua spec/b_spec.lua",
  "--sort-tests -o TAP spec/a_spec.lua",
  "--no-sort --no-sort-files --no-sort-tests spec/a_spec.lua",
  "--no-shuffle --no-shuffle-files --no-shuffle-tests spec/a_spec.lua",
  "--shuffle-files --repeat=2 --seed=9 spec",
  "--repeat=3 --no-keep-going -o TAP spec/c_spec.lua spec/a_spec.lua",
  "--lpath=other/?.lua --cpath=other/?.so path_spec.lua",
  "--cpath=other/?.so;more/?.so path_spec.lua",
  "--loaders=lua,moonscript spec/c_spec.lua",
  "--directory=spec -C sub -p e_",
  "--auto-insulate spec/b_spec.lua spec/c_spec.lua",
  "--no-coverage --no-enable-sound --ignore-lua spec/c_spec.lua",
  "-- spec/c_spec.lua",
  "spec/c_spec.lua spec/c_spec.lua",
}

-- Those that are wrong, for which busted has a status of 1.
local WRONG <const> = {
  "--tags=slow --exclude-tags=slow spec",
  "--repeat=none spec",
  "--seed=none spec",
  "--config-file=missing spec",
  "--sort --directory=missing spec",
  "--unknown spec",
  "-o",
}

-- `own`: options that only `lunette test` is given.
local function check(files, args, own)
  local all = table.move(args, 1, #args, #(own or {}) + 1, table.move(own or {}, 1, 9, 1, {}))
  assert.same(suite.run_plainly(files, args), suite.run(files, all))
end

local function words(line)
  local list = {}
  for word in line:gmatch "%S+" do
    list[#list + 1] = word
  end
  return list
end

-- The last line of an output; numbers were taken out of it.
local function from_json(text)
  local line = text:match "([^\n]*)\n$"
  return assert(json.decode((line:gsub(":N", ":0"))))
end

describe("lunette test gives the report of busted", function()
  for _, output in ipairs(words "plainTerminal utfTerminal TAP gtest junit ./own.lua") do
    it("by " .. output, function()
      check(PLAIN, { "-o", output, "-Xoutput", "given", "spec/a_spec.lua", "spec/b_spec.lua",
        "spec/c_spec.lua" })
    end)
  end

  it("by json, of tests that busted 2.1 can report", function()
    local args = { "-o", "json", "--filter=passes", "--filter=fails", "--filter=last" }
    table.move({ "spec/a_spec.lua", "spec/c_spec.lua" }, 1, 2, #args + 1, args)
    local wanted = from_json(suite.run_plainly(PLAIN, args).stdout)
    assert.same({ 2, 1 }, { #wanted.successes, #wanted.failures })
    assert.same(wanted, from_json(suite.run(PLAIN, args).stdout))
  end)

  it("by json, also of what busted 2.1 says nothing of", function()
    local result = suite.run(PLAIN, { "-o", "json", "spec" })
    for _, text in ipairs { "a #slow later", "spec/sub/e_spec.lua:1: file error", "b alone" } do
      assert.matches(text, result.stdout, 1, true)
    end
    assert.equal(1, result.status)
  end)

  for _, line in ipairs(LINES) do
    it("with " .. (line == "" and "no option" or line), function()
      check(PLAIN, words(line))
    end)
  end

  it("with --no-auto-insulate, in one worker", function()
    check(PLAIN, words "--no-auto-insulate spec/b_spec.lua spec/c_spec.lua", { "--jobs=1" })
  end)

  it("with -e", function()
    check(PLAIN, { "-e", "set = 5", "-e", "print(set)", "spec/c_spec.lua" })
  end)

  for _, line in ipairs { "", "-r task", "-f .busted -r task", "-r task -o TAP",
    "--config-file=.busted --run=task --output=TAP" } do
    it("with .busted, and " .. line, function()
      check(FILES, words(line))
    end)
  end

  -- A stand-in plays espeak(1).
  for _, option in ipairs { "-s", "--enable-sound" } do
    it("with " .. option .. ", and speaks", function()
      local dir = app.folder { espeak = "#!/bin/sh\n: >$SAID\n" }
      assert(lunette.uv.fs_chmod(dir .. "/espeak", 448))
      local env = { PATH = dir .. ":" .. os.getenv "PATH", SAID = dir .. "/said" }
      local line = { option, "spec/c_spec.lua" }
      local result = suite.run(PLAIN, line, { env = env })
      app.wait_until(function() return lunette.uv.fs_stat(env.SAID) end, "a word")
      assert.same(suite.run_plainly(PLAIN, line, { env = env }), result)
      os.execute(("rm -r '%s'"):format(dir))
    end)
  end

  for _, line in ipairs(WRONG) do
    it("but for the status, with " .. line, function()
      local wanted = suite.run_plainly(PLAIN, words(line))
      assert.equal(1, wanted.status)
      wanted.status = 2
      assert.same(wanted, suite.run(PLAIN, words(line)))
    end)
  end
end)

-- Options whose spec is another, or a test above by itself.
local ELSEWHERE <const> = "--version --lua=LUA --coverage -c --coverage-config-file=FILE "
  .. "--no-auto-insulate --enable-sound -s -o --output -Xoutput -f --config-file -r --run -e"

-- "-v, --[no-]verbose" stands for three.
local function each_option(help)
  local list = {}
  for names in help:gmatch "\n  (%-[^\n]-)%f[ \n]  " do
    for name in names:gmatch "%-%-?[%w%[%]-]+" do
      list[#list + 1] = name:gsub("%[no%-%]", "")
      if name:find("[no-]", 1, true) then list[#list + 1] = name:gsub("[%[%]]", "") end
    end
  end
  return list
end

describe("the command lines above", function()
  it("have every option that busted has", function()
    local text = " " .. table.concat(LINES, " ") .. " " .. ELSEWHERE .. " "
    local help = suite.run_plainly({}, { "--help" })
    local options = each_option(help.stdout .. help.stderr)
    assert.is_true(#options > 60)
    for _, option in ipairs(options) do
      assert.matches(" " .. option:gsub("%p", "%%%0") .. "[ =]", text)
    end
  end)
end)
