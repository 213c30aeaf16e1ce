-- SPDX-License-Identifier: MIT
-- How long specs of Lunette's own take: lunette bench/suite.lua serial|parallel. Serially, busted
-- runs them in one process, which is this script again; in parallel, `lunette test` does.
if ... == "busted" then
  table.remove(arg, 1)
  require "busted.runner" { standalone = false }
  os.exit(0)
end

local lunette = require "lunette"
local report = require "contender.report"

local FILES <const> = {
  "browser_window", "context_bridge", "conventions", "ipc_main", "ipc_renderer", "process",
  "promises", "web_contents",
}

local COMMANDS <const> = { serial = "bench/suite.lua busted", parallel = "test" }
local words = { lunette.process.execPath, COMMANDS[...] }
for _, name in ipairs(FILES) do
  words[#words + 1] = ("spec/api/%s_spec.lua"):format(name)
end

local start = lunette.process.hrtime()
assert(os.execute(table.concat(words, " ") .. " >/dev/null"))
report.print("suite_ms", { v = (lunette.process.hrtime() - start) / 1e6 })
