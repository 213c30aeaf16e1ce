-- SPDX-License-Identifier: MIT
--- Runs spec files, made for the purpose, by `lunette test` and by busted itself.
---
---   local suite = require "spec.support.suite"
---   local files = { ["spec/a_spec.lua"] = "it('works', function() end)" }
---   assert.equal("ok 1 - works\n1..1\n", suite.run(files, { "-o", "TAP" }).stdout)
---
--- What differs from run to run (times, addresses, the folder's name) is taken out of the output.
local app = require "spec.support.app"

local M = {}

-- What differs from run to run, and what stands for it.
local VARYING <const> = {
  { "0x%x+", "ADDRESS" },
  { "%d+%.%d+ (%a+)\n", "T %1\n" }, -- seconds, in whatever language
  { "%([%d.]+ ms", "(T ms" },
  { "time='[%d.]*'", "time='T'" },
  { "timestamp='[^']*'", "timestamp='T'" },
  { '"(%l+)":[%d.e-]+', '"%1":N' },
}

-- The attributes of an element in the order of their names: Lua's own order varies.
local function sort_attributes(name, attributes)
  local list = {}
  for attribute in attributes:gmatch " [%w-]+='[^']*'" do
    list[#list + 1] = attribute
  end
  table.sort(list)
  return "<" .. name .. table.concat(list)
end

--- What a run in the folder has printed, without what differs from run to run.
---@param text string
---@param dir string
---@return string
function M.normalise(text, dir)
  text = text:gsub(dir:gsub("%p", "%%%0"), "DIR")
  for _, rule in ipairs(VARYING) do
    text = text:gsub(rule[1], rule[2])
  end
  return (text:gsub("<(%l+)( [%w-]+='[^<>]*')", sort_attributes))
end

local function run(dir, path, args, options)
  options.cwd = dir
  local result = app.spawn(path, args, options).wait()
  result.stdout = M.normalise(result.stdout, dir)
  result.stderr = M.normalise(result.stderr, dir)
  return result
end

-- Runs what(dir) with the files in a folder.
local function with_folder(files, what)
  local dir = app.folder(files)
  local ok, result = pcall(what, dir)
  app.remove(dir)
  if not ok then error(result, 0) end
  return result
end

--- By `lunette test`. `options` as for app.spawn.
---@param files table<string, string>
---@param args string[]?
---@param options table?
---@return {stdout: string, stderr: string, status: integer}
function M.run(files, args, options)
  return with_folder(files, function(dir)
    local line = table.move(args or {}, 1, #(args or {}), 2, { "test" })
    return run(dir, app.executable, line, options or {})
  end)
end

--- By busted itself.
function M.run_plainly(files, args, options)
  return with_folder(files, function(dir)
    local line = table.move(args or {}, 1, #(args or {}), 2, { "/usr/bin/busted" })
    return run(dir, "/usr/bin/lua5.4", line, options or {})
  end)
end

return M
