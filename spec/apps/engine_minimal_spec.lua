local launch = require("lunette.test").launch
local lunette = require "lunette"

local program = lunette.process.execPath:gsub("[^/]*$", "engine-minimal")

describe("apps/engine-minimal", function()
  it("moves its creature as the page asks, in frames of its own", function()
    local result = launch("apps/engine-minimal", { program = program }):wait()
    assert.equal("", result.stderr)
    local said = "page 1: moved to 5\npage 1: moved to 3\n"
    local last = "page 1: moved to 7\n" -- is shown if it comes within the last frame
    assert.equal(said .. "the creature stands at 7\n", (result.stdout:gsub(last, "")))
    assert.equal(0, result.status)
  end)

  it("says what is wrong with an app that is not there", function()
    local result = launch("/nowhere", { program = program }):wait()
    assert.equal("/nowhere: no such app\n", result.stderr)
    assert.equal(1, result.status)
  end)
end)
