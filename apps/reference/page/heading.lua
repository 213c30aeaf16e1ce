-- Prints the heading of an example: the calls that it shows.
local is_first = true

return function(calls)
  if not is_first then print "" end
  is_first = false
  print(calls)
end
