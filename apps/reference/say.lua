-- Prints a line of an example with the side that it is from. Main prints what pages print too, in
-- the order in which it is told, so the lines of both sides stand in the order of events.
local side = require("lunette").process.type == "browser" and "main" or "page"

return function(format, ...)
  print(("  %s: " .. format):format(side, ...))
end
