-- SPDX-License-Identifier: MIT
-- `lunette test --shard`, `--record` and `--replay`: several machines, one report.
local app = require "spec.support.app"
local suite = require "spec.support.suite"

local FILES <const> = { ["helper.lua"] = "print 'helper'" }
for i = 1, 7 do
  FILES[("spec/f%d_spec.lua"):format(i)] = ([[
    describe("d%d", function()
      it("passes", function() print "prints %d" io.stderr:write "%d\n" end)
      it("fails", function() assert.equal(1, %d) end)
    end)
  ]]):format(i, i, i, i)
end

-- TAP and gtest of busted 2.1 end with an error of their own for a file that does not compile.
local WITH_BROKEN <const> = { ["spec/f5b_spec.lua"] = "it('broken'" }
for name, text in pairs(FILES) do
  WITH_BROKEN[name] = text
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read "a"
  if file then file:close() end
  return text
end

-- Runs what(dir, record) with a folder for recordings: record(i, n, ...) makes that of a shard.
local function with_recordings(files, what)
  local dir = app.folder {}
  local function record(index, count, ...)
    local path = dir .. "/" .. index
    local shard = ("--shard=%d/%d"):format(index, count)
    local result = suite.run(files, { shard, "--record", path, ... })
    return result, path
  end
  local ok, err = pcall(what, record, dir)
  app.remove(dir)
  if not ok then error(err, 0) end
end

local function replay(paths, ...)
  local args = { "--replay", ... }
  return suite.run({}, table.move(paths, 1, #paths, #args + 1, args))
end

describe("lunette test --shard", function()
  it("runs disjoint parts that add up to the whole, in several states of order", function()
    local seen = {}
    for index = 1, 3 do
      local printed = suite.run(FILES, { "--shard", index .. "/3", "-o", "TAP" }).stdout
      for name in printed:gmatch "ok %d+ %- (d%d passes)" do
        assert.is_nil(seen[name])
        seen[name] = true
      end
    end
    for index = 1, 7 do
      assert.is_true(seen[("d%d passes"):format(index)])
    end
  end)

  it("deals neighbours to different shards", function()
    local printed = suite.run(FILES, { "--shard", "2/3", "-o", "TAP" }).stdout
    assert.same({ "d2", "d5" }, { printed:match "%- (d%d) passes.*%- (d%d) passes" })
  end)

  it("balances by a table of times, which a run without a shard writes", function()
    local dir = app.folder { times = "9 spec/f1_spec.lua\n" .. "1 spec/f2_spec.lua\n"
      .. "1 spec/f3_spec.lua\n1 spec/f4_spec.lua\n1 spec/f5_spec.lua\n1 spec/f6_spec.lua\n"
      .. "1 spec/f7_spec.lua\n" }
    local path = dir .. "/times"
    local args = { "--shard=1/2", "--shard-times=" .. path, "-o", "TAP" }
    local printed = suite.run(FILES, args).stdout
    assert.same({ "1..2" }, { printed:match "1%.%.%d" })
    assert.matches("- d1 passes", printed, 1, true)
    suite.run(FILES, { "--shard-times=" .. path })
    local times = read(path)
    app.remove(dir)
    assert.matches("^0%.%d+ spec/f1_spec.lua\n0%.%d+ spec/f2_spec.lua\n", times)
  end)

  it("is a success, with a note, when nothing is left for it", function()
    local files = { ["spec/a_spec.lua"] = "it('a', function() end)" }
    local result = suite.run(files, { "--shard=2/2", "-o", "TAP" })
    assert.same({ "1..0\n", "lunette test: shard 2/2 has no spec files\n", 0 },
      { result.stdout, result.stderr, result.status })
  end)
end)

describe("lunette test --replay", function()
  for output, files in pairs {
    plainTerminal = WITH_BROKEN, utfTerminal = WITH_BROKEN, junit = WITH_BROKEN,
    TAP = FILES, gtest = FILES,
  } do
    it("reports all shards as the one run: " .. output, function()
      with_recordings(files, function(record)
        local paths, _ = {}, nil
        for index = 1, 3 do
          _, paths[4 - index] = record(index, 3, "--helper=helper.lua", "-o", "plainTerminal")
        end
        local wanted = suite.run_plainly(files, { "-o", output, "--helper=helper.lua" })
        assert.same(wanted, replay(paths, "-o", output))
      end)
    end)
  end

  it("keeps the order that a seed gives", function()
    with_recordings(FILES, function(record)
      local paths, args, _ = {}, { "--shuffle", "--seed=3" }, nil
      for index = 1, 2 do
        _, paths[index] = record(index, 2, table.unpack(args))
      end
      local wanted = suite.run_plainly(FILES, { "-o", "TAP", table.unpack(args) })
      assert.same(wanted.stdout, replay(paths, "-o", "TAP").stdout)
    end)
  end)

  it("wants all shards, once, and whole", function()
    with_recordings(FILES, function(record, dir)
      local _, first = record(1, 2)
      local _, second = record(2, 2)
      local text = read(second)
      local cut = assert(io.open(dir .. "/cut", "w"))
      cut:write(text:sub(1, #text // 2))
      cut:close()
      for message, paths in pairs {
        ["shard 2/2 is missing"] = { first },
        [first .. ": shard 1/2 once more"] = { first, first },
        [dir .. "/cut: not a recording, or a part of one"] = { first, dir .. "/cut" },
      } do
        local result = replay(paths, "-o", "TAP")
        assert.same({ "", "busted: error: " .. message .. "\n", 2 },
          { result.stdout, result.stderr, result.status })
      end
    end)
  end)
end)
