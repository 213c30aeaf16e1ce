-- SPDX-License-Identifier: MIT
-- The codec alone, encode and decode, against the lua-cjson that is linked beside it. The one place
-- here that reaches behind the public API.
local lunette = require "lunette"
local report = require "report"
local stats = require "stats"
local import = debug.getregistry()["lunette.import"]
local cjson, clone = import "core.cjson", import "core.clone"

local BATCHES <const> = 5

local M = {}

local function records(count)
  local list = {}
  for i = 1, count do
    list[i] = {
      id = i,
      name = "user " .. i,
      email = ("user%d@example.org"):format(i),
      score = i * 1.25,
      active = i % 2 == 0,
      tags = { "alpha", "beta", "gamma" },
    }
  end
  return list
end

local DATA = {
  { "small", { email = "a@b.c", password = "secret", n = 42 }, 20000 },
  { "medium", records(20), 1000 },
  { "large", records(2000), 10 },
  { "mib", ("x"):rep(1 << 20), 20 },
}

-- The least mean of some batches of encode and decode.
local function measure(codec, value, count)
  local least = math.huge
  for _ = 1, BATCHES do
    collectgarbage()
    local begun = lunette.process.hrtime()
    for _ = 1, count do codec.decode(codec.encode(value)) end
    least = math.min(least, (lunette.process.hrtime() - begun) / 1e3 / count)
  end
  return least
end

-- cjson takes tables alone.
local json = {
  encode = function(value) return cjson.encode { value } end,
  decode = cjson.decode,
}

function M.codec()
  for _, item in ipairs(DATA) do
    local name, value, count = table.unpack(item)
    count = stats.scaled(count, report.scale)
    report.print(("codec_%s_us"):format(name), { v = measure(clone, value, count) })
    report.print(("cjson_%s_us"):format(name), { v = measure(json, value, count) })
  end
end

return M
