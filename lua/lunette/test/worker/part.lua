--- The part of a file's tests that is this worker's: with --split several workers have the file,
--- and each runs every n-th test of it. The controller is told of all, to put their order back.
local M = {}

-- Which of how many parts; nil for all tests.
local part

-- How many tests this file has had.
local number

--- The next file is to be run in part, or, with nil, as a whole.
---@param wanted {index: integer, count: integer}?
function M.begin(wanted)
  part, number = wanted, 0
end

-- Whether a protected call of busted's is that of a whole test, with its hooks.
local function is_test(descriptor, run, element)
  local is_kind = descriptor == "it" or descriptor == "pending"
  return is_kind and descriptor == element.descriptor and run ~= element.run
end

local function tell_end(relay, ...)
  relay:tested()
  return ...
end

--- Has tests that are not of the part left out.
---@param core table busted's core
---@param relay Relay
function M.install(core, relay)
  local safe = core.safe
  function core.safe(descriptor, run, element)
    if not part or not is_test(descriptor, run, element) then
      return safe(descriptor, run, element)
    end
    number = number + 1
    local is_ours = (number - 1) % part.count + 1 == part.index
    relay:test(number, tostring(element.name), is_ours)
    if not is_ours then return core.status "success" end
    return tell_end(relay, safe(descriptor, run, element))
  end
end

return M
