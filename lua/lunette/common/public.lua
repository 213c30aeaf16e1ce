--- What `require "lunette"` gives in every role.
local import = ...
local dotted = import "common.dotted"
local lazy = import "common.lazy"
local promises = import "common.promise"

local Promise = promises.Promise
local PROMISE_FUNCTIONS <const> = { "new", "resolve", "reject", "delay", "withResolvers", "is" }

for _, name in ipairs(PROMISE_FUNCTIONS) do
  Promise[name] = dotted("Promise", name, Promise[name])
end

local function combinator(name)
  return dotted("Promise", name, import("common.combinators")[name])
end

lazy.fields(Promise, {
  all = combinator, allSettled = combinator, any = combinator, race = combinator,
})

local M = {
  Promise = Promise,
  process = import("common.process").process,
  version = "0.1.0",
}

local function async(name)
  return dotted("lunette", name, import("common.async")[name])
end

local function timer(name)
  return dotted("lunette", name, import("common.timers")[name])
end

lazy.fields(M, {
  async = async, promisify = async, sleep = async, spawn = async,
  clearInterval = timer, clearTimeout = timer, setImmediate = timer, setInterval = timer,
  setTimeout = timer,
  generator = function()
    return dotted("lunette", "generator", import "common.generator")
  end,
  json = function()
    return import "common.json"
  end,
  null = function()
    return import("core.cjson").null
  end,
})

return M
