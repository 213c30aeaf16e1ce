-- SPDX-License-Identifier: MIT
-- `lunette test` with busted's options: each report is the one that busted itself gives.
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

describe("lunette test gives the report of busted", function()
  for _, output in ipairs(words "plainTerminal utfTerminal TAP gtest junit ./own.lua") do
    it("by " .. output, function()
      check(PLAIN, { "-o", output, "-Xoutput", "given", "spec/a_spec.lua", "spec/b_spec.lua",
        "spec/c_spec.lua" })
    end)
  end

  it("by json, of tests that busted 2.1 can report", function()
    check(PLAIN, { "-o", "json", "--filter=passes", "--filter=alone", "spec" })
  end)

  for _, line in ipairs {
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
  } do
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

  for _, line in ipairs { "", "-r task", "-f .busted -r task", "-r task -o TAP" } do
    it("with .busted, and " .. line, function()
      check(FILES, words(line))
    end)
  end
end)
