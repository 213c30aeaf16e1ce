-- SPDX-License-Identifier: MIT
-- The output handler of this project's specs: busted's own for where the output goes, which also
-- writes "PASSED FAILED SKIPPED" to the file that LUNETTE_SPEC_COUNTS names.
local busted = require "busted"
local term = require "term"

local counts = { passed = 0, failed = 0, skipped = 0 }
local FIELD_OF <const> = { success = "passed", pending = "skipped" }

local function count_test(_, _, status)
  local field = FIELD_OF[status] or "failed"
  counts[field] = counts[field] + 1
  return nil, true
end

-- What goes wrong outside a test: a file that does not compile, a failing setup.
local function count_error(element)
  if element.descriptor ~= "it" then counts.failed = counts.failed + 1 end
  return nil, true
end

local function write_counts()
  local name = os.getenv "LUNETTE_SPEC_COUNTS"
  if name then
    local file <close> = assert(io.open(name, "w"))
    file:write(("%d %d %d\n"):format(counts.passed, counts.failed, counts.skipped))
  end
  return nil, true
end

return function(options)
  local name = term.isatty(io.stdout) and "utfTerminal" or "plainTerminal"
  local handler = require("busted.outputHandlers." .. name)(options)
  busted.subscribe({ "test", "end" }, count_test)
  busted.subscribe({ "error" }, count_error)
  busted.subscribe({ "failure" }, count_error)
  busted.subscribe({ "exit" }, write_counts)
  return handler
end
