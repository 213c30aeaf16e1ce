--- `Promise.all`, `allSettled`, `race` and `any`: one promise of several. Plain values count as
--- promises that are fulfilled.
local import = ...
local arguments = import "common.arguments"
local promises = import "common.promise"

local Promise = promises.Promise

local function watch(value, on_fulfilled, on_rejected)
  Promise.resolve(value):andThen(on_fulfilled, on_rejected)
end

-- Calls each(index, value, settled) for the inputs, of which `settled` is to be called once; calls
-- finish() when all have been, at once when there are none.
local function gather(name, list, each, finish)
  arguments.check(name, 1, list, "table", 3)
  local left = #list
  local function settled()
    left = left - 1
    if left == 0 then finish() end
  end
  if left == 0 then return finish() end
  for index = 1, #list do
    each(index, list[index], settled)
  end
end

--- Fulfils with the list of the first values of all, in their order; rejects as soon as one does.
---@param list any[]
---@return Promise
function Promise.all(list)
  local combined, resolve, reject = Promise.withResolvers()
  local values = {}
  gather("Promise.all", list, function(index, value, settled)
    watch(value, function(first)
      values[index] = first
      settled()
    end, reject)
  end, function()
    resolve(values)
  end)
  return combined
end

--- Fulfils, when all have settled, with a list of {status =, value =} and {status =, reason =}.
---@param list any[]
---@return Promise
function Promise.allSettled(list)
  local combined, resolve = Promise.withResolvers()
  local outcomes = {}
  gather("Promise.allSettled", list, function(index, value, settled)
    watch(value, function(first)
      outcomes[index] = { status = "fulfilled", value = first }
      settled()
    end, function(reason)
      outcomes[index] = { status = "rejected", reason = reason }
      settled()
    end)
  end, function()
    resolve(outcomes)
  end)
  return combined
end

--- Settles as the first one that settles; pending for ever for an empty list.
---@param list any[]
---@return Promise
function Promise.race(list)
  arguments.check("Promise.race", 1, list, "table")
  local combined, resolve, reject = Promise.withResolvers()
  for index = 1, #list do
    watch(list[index], resolve, reject)
  end
  return combined
end

local AggregateError = {
  __name = "AggregateError",
  __tostring = function(err)
    return ("%s: %s"):format(err.name, err.message)
  end,
}

--- Fulfils as the first one that fulfils; when all reject, rejects with {name = "AggregateError",
--- errors = their reasons}.
---@param list any[]
---@return Promise
function Promise.any(list)
  local combined, resolve, reject = Promise.withResolvers()
  local reasons = {}
  gather("Promise.any", list, function(index, value, settled)
    watch(value, resolve, function(reason)
      reasons[index] = reason
      settled()
    end)
  end, function()
    local message = "all promises were rejected"
    local err = { name = "AggregateError", message = message, errors = reasons }
    reject(setmetatable(err, AggregateError))
  end)
  return combined
end

return Promise
