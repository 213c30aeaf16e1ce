-- SPDX-License-Identifier: MIT
-- Renderers on threads do what those in processes do: the specs of pages once more, with
-- isolation = "thread" for each window that does not say. thread_spec.lua has what differs.
local app = require "spec.support.app"

local FILES <const> = {
  "bad_input", "browser_window", "context_bridge", "conventions", "ipc_main", "ipc_renderer",
  "large_strings", "lifetime", "limit_settings", "limits", "memory_limit", "process", "promises",
  "require", "unresponsive", "values", "web_contents",
}

describe("on a thread:", function()
  setup(function() app.isolation = "thread" end)
  teardown(function() app.isolation = nil end)

  app.isolation = "thread" -- for what the files themselves choose by it
  for _, name in ipairs(FILES) do
    describe(name, assert(loadfile("spec/api/" .. name .. "_spec.lua", "t", _ENV)))
  end
  app.isolation = nil
end)
