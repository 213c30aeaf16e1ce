--- busted's helper: writes "PASSED FAILED" to the file that LUNETTE_SPEC_COUNTS names.
local busted = require "busted"
local counts = { passed = 0, failed = 0 }

busted.subscribe({ "test", "end" }, function(_, _, status)
  local field = status == "success" and "passed" or "failed"
  counts[field] = counts[field] + 1
  return nil, true
end)

-- What goes wrong outside a test: a file that does not compile, a failing setup.
for _, kind in ipairs { "error", "failure" } do
  busted.subscribe({ kind }, function(element)
    if element.descriptor ~= "it" then counts.failed = counts.failed + 1 end
    return nil, true
  end)
end

-- busted ends the process right after.
busted.subscribe({ "exit" }, function()
  local name = os.getenv "LUNETTE_SPEC_COUNTS"
  if name then
    local file = assert(io.open(name, "w"))
    file:write(("%d %d\n"):format(counts.passed, counts.failed))
    file:close()
  end
  return nil, true
end)
