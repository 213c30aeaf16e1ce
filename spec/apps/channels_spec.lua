local launch = require("lunette.test").launch

local OUTPUT <const> = [[
page: main says 'hello from main'
main: the page did 'click'
page: by send and once: colour = 6
page: by invoke: flavour = 7
]]

describe("apps/channels", function()
  it("greets, reports an action, and gets the same data in two ways", function()
    local result = launch("apps/channels"):wait()
    assert.equal("", result.stderr)
    assert.equal(OUTPUT, result.stdout)
    assert.equal(0, result.status)
  end)
end)
