--- What `require "lunette"` gives in every role.
local import = ...
local async = import "common.async"
local combinators = import "common.combinators"
local dotted = import "common.dotted"
local json = import "common.json"
local promises = import "common.promise"
local timers = import "common.timers"

local Promise = promises.Promise
local PROMISE_FUNCTIONS <const> = { "new", "resolve", "reject", "delay", "withResolvers", "is" }

for name, fn in pairs(combinators) do
  Promise[name] = dotted("Promise", name, fn)
end
for _, name in ipairs(PROMISE_FUNCTIONS) do
  Promise[name] = dotted("Promise", name, Promise[name])
end

local M = {
  Promise = Promise,
  null = json.null,
  json = json,
  process = import("common.process").process,
  version = "0.1.0",
}

for _, functions in ipairs { async, timers, { generator = import "common.generator" } } do
  for name, fn in pairs(functions) do
    M[name] = dotted("lunette", name, fn)
  end
end

return M
