-- SPDX-License-Identifier: MIT
-- A short soak; `make soak MINUTES=10` is a long one.
local soak = require "spec.soak.soak"

local SECONDS <const> = 6

describe("a soak", function()
  it("breaks no promise", function()
    local seed = os.time()
    local result = soak.run { seconds = SECONDS, seed = seed }
    assert.same({}, result.faults, "seed " .. seed)
    assert.is_true(result.handled > 0)
    assert.is_true(result.did.check > 0)
  end)
end)
