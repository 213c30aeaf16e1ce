--- Being told that a coroutine was collected which had something left to do.
local import = ...
local task = import "common.task"

-- A coroutine's guard dies with it, and its finaliser is what tells.
local guards = setmetatable({}, { __mode = "k" })

local function run(guard)
  guard.fn(table.unpack(guard, 1, guard.n))
end

local Guard = {
  __gc = function(guard)
    task.enqueue(run, guard)
  end,
}

--- Calls fn(...) in a microtask when `co` has been collected, or was guarded anew: tasks are used
--- again, so fn has to see by itself whether there is something left to do. It must not raise.
---@param co thread
---@param fn function
return function(co, fn, ...)
  local guard = table.pack(...)
  guard.fn = fn
  guards[co] = setmetatable(guard, Guard)
end
