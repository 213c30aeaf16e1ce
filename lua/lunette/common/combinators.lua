--- `Promise.all`, `allSettled`, `race` and `any`: one promise for a list of promises and values.
local import = ...
local arguments = import "common.arguments"
local dotted = import "common.dotted"
local promises = import "common.promise"

local add_reaction, remove_reaction = promises.add_reaction, promises.remove_reaction
local pending, reject, values = promises.pending, promises.reject, promises.values
local Promise = promises.Promise
local M = {}

local AggregateError = {
  __name = "AggregateError",
  __tostring = function(err)
    return ("%s: %s"):format(err.name, err.message)
  end,
}

local function aggregate_error(reasons)
  local err = { name = "AggregateError", message = "all promises were rejected", errors = reasons }
  return setmetatable(err, AggregateError)
end

-- Reaction of each input, unless the result is decided already.
local function on_input(group, index)
  local input = group.inputs[index]
  if input then group.on_settled(group, index, input) end
end

-- The result is decided: inputs that are still pending need not keep it.
local function leave(group)
  local inputs = group.inputs
  group.inputs = {}
  for _, input in ipairs(inputs) do
    if input:status() == "pending" then remove_reaction(input, on_input, group) end
  end
end

-- One call of a combinator: `promise` is its result; `inputs` are what it watches, of which `left`
-- have not settled; `outcomes` are the values or reasons so far; on_settled(group, index, input) is
-- called for each that settles.
local function watch(name, list, on_settled)
  if promises.is(list) then arguments.fail(name, 1, "list expected, got Promise", 3) end
  arguments.check(name, 1, list, "table", 3)
  local promise, inputs = pending(), {}
  local group = { promise = promise, inputs = inputs, left = #list, outcomes = {} }
  group.on_settled = on_settled
  for index = 1, group.left do
    inputs[index] = Promise.resolve(list[index])
    add_reaction(inputs[index], on_input, group, index)
  end
  promises.on_cancel(promise, function()
    leave(group)
  end)
  return group
end

local function fulfil(group, ...)
  promises.fulfil(group.promise, ...)
  leave(group)
end

local function fail(group, input)
  reject(group.promise, values(input), promises.traceback(input))
  leave(group)
end

local function keep(group, index, outcome)
  group.outcomes[index] = outcome
  group.left = group.left - 1
  return group.left == 0
end

local function on_one_of_all(group, index, input)
  if input:status() == "rejected" then return fail(group, input) end
  if keep(group, index, (values(input))) then fulfil(group, group.outcomes) end
end

--- Fulfils with the list of the first values of all, or rejects as the first one that does.
---@param list any[]
---@return Promise
function M.all(list)
  local group = watch("Promise.all", list, on_one_of_all)
  if group.left == 0 then fulfil(group, {}) end
  return group.promise
end

local function describe(input)
  local status, value = input:status(), (values(input))
  if status == "fulfilled" then return { status = status, value = value } end
  return { status = status, reason = value }
end

local function on_one_settled(group, index, input)
  if keep(group, index, describe(input)) then fulfil(group, group.outcomes) end
end

--- Fulfils, when all have settled, with a list of `{status=, value=}` or `{status=, reason=}`.
---@param list any[]
---@return Promise
function M.allSettled(list)
  local group = watch("Promise.allSettled", list, on_one_settled)
  if group.left == 0 then fulfil(group, {}) end
  return group.promise
end

local function on_first(group, _, input)
  if input:status() == "rejected" then return fail(group, input) end
  fulfil(group, values(input))
end

--- Becomes what the first one that settles is. Of an empty list it stays pending.
---@param list any[]
---@return Promise
function M.race(list)
  local group = watch("Promise.race", list, on_first)
  return group.promise
end

local function reject_all(group)
  reject(group.promise, aggregate_error(group.outcomes))
end

local function on_one_of_any(group, index, input)
  if input:status() == "fulfilled" then return fulfil(group, values(input)) end
  if keep(group, index, (values(input))) then reject_all(group) end
end

--- Becomes what the first one that fulfils is, or rejects with an AggregateError, whose `errors`
--- are the reasons in the order of the list.
---@param list any[]
---@return Promise
function M.any(list)
  local group = watch("Promise.any", list, on_one_of_any)
  if group.left == 0 then reject_all(group) end
  return group.promise
end

for name, fn in pairs(M) do
  M[name] = dotted("Promise", name, fn)
end

return M
