-- SPDX-License-Identifier: MIT
--- Runs the specs of a file of spec/api once more, with isolation = "thread" for each window of the
--- apps under test that does not say. spec/api/thread_spec.lua has what differs.
---
---   require "spec.support.on_thread" ("values", _ENV)
local app = require "spec.support.app"

---@param name string of the file, without _spec.lua
---@param env table the globals of the file that asks, which busted has made
return function(name, env)
  env.describe("on a thread:", function()
    env.setup(function() app.isolation = "thread" end)
    env.teardown(function() app.isolation = nil end)

    app.isolation = "thread" -- for what the file itself chooses by it
    assert(loadfile("spec/api/" .. name .. "_spec.lua", "t", env))()
    app.isolation = nil
  end)
end
