local launch = require("lunette.test").launch

describe("apps/ping-pong", function()
  it("prints the pings in main and the pongs in the page, the synchronous one first", function()
    local result = launch("apps/ping-pong"):wait()
    assert.equal("", result.stderr)
    assert.equal("sync ping\nsync pong\nasync ping\nasync pong\n", result.stdout)
    assert.equal(0, result.status)
  end)
end)
