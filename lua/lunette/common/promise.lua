--- Promises of any number of values, and awaiting them in any coroutine.
---
--- What every promise does is in C (runtime/bind/promise.h, which says what a reaction is); here is
--- what it needs to be made and awaited. `settle` and `promise_methods` are built on it, and loaded
--- when they are first used. `core.fields(promise)` has what few promises have: `traceback` of the
--- rejection, `timer`, `task` that settles it.
local import = ...
local core = import "core.promise"
local lazy = import "core.lazy"
local task = import "common.task"

---@class Promise
local Promise = { __name = "Promise", __tostring = core.describe }
Promise.__index = Promise

setmetatable(Promise, {
  __call = function(_, executor)
    return Promise.new(executor)
  end,
})

lazy.fields(
  Promise,
  "andThen cancel catch delay finally is new reject resolve status timeout withResolvers",
  "common.promise_methods"
)

lazy.fields(Promise, "all allSettled any race", "common.combinators")

-- For the runtime's own modules, which settle promises that they made.
local M = { Promise = Promise, pending = core.pending, is = core.is, values = core.values }
M.add_reaction, M.remove_reaction = core.react, core.unreact
M.on_cancel, M.handle, M.question = core.set_on_cancel, core.handle, core.question
M.is_handled = core.is_handled

lazy.fields(
  M,
  "conclude disown_task fulfil interrupt own_task reject resolve traceback",
  "common.settle"
)

-- What `await` calls to raise, too, is among what is loaded. Last, as from now on all promises are
-- of this class: had memory been short before, another would be made.
core.set_class(Promise, task.AWAITS, lazy.module "common.settle")

--- Suspends the running coroutine until the promise settles. Raises the rejection's reason as it
--- is, AbortError when the task has been cancelled, and where a C function on the stack cannot be
--- suspended.
---@type fun(self: Promise): any ... the values
Promise.await = Promise.await

--- `await` that does not raise the reason: true and the values, or false and the reason.
---@type fun(self: Promise): boolean, any ...
Promise.pawait = Promise.pawait

return M
