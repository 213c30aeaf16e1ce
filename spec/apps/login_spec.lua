local launch = require("lunette.test").launch

local OUTPUT <const> = [[
the page has ipcRenderer: false
logging in as ada@example.org
ignored: a login is under way
welcome, Ada
logging in as ada@example.org
refused: the email or the password is wrong (WRONG_CREDENTIALS)
]]

describe("apps/login", function()
  it("logs in once for two clicks, and tells why a wrong password is refused", function()
    local result = launch("apps/login", { args = { "--delay=20" } }):wait()
    assert.equal("", result.stderr)
    assert.equal(OUTPUT, result.stdout)
    assert.equal(0, result.status)
  end)
end)
