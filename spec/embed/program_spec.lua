local app = require "spec.support.app"

local build, name = app.executable:match "^(.*/([^/]+))/lunette$"
local library = build .. "/lib/liblunette.so.0"

-- A sanitizer belongs to a whole program: those builds have no library.
local has_library = name == "release" or name == "debug"

local function run(...)
  local options = { deadline = 3 * app.DEADLINE }
  return app.spawn(build .. "/spec/embed/program", { library, ... }, options).wait()
end

local function expect(said, ...)
  local result = run(...)
  assert.same({ said, "", 0 }, { result.stdout, result.stderr, result.status })
end

-- Where Debian has them.
local OTHERS = {
  ["Lua 5.1"] = "liblua5.1.so.0",
  ["Lua 5.3"] = "liblua5.3.so.0",
  ["Lua 5.4"] = "liblua5.4.so.0",
  LuaJIT = "libluajit-5.1.so.2",
}

local function find(file)
  local pipe = assert(io.popen "/sbin/ldconfig -p 2>/dev/null")
  local text = pipe:read "a"
  pipe:close()
  return text:match(" => (/[^\n]*/" .. file:gsub("%p", "%%%0") .. ")\n")
end

describe("the library in a program", has_library and function()
  for other, file in pairs(OTHERS) do
    it("works beside a global " .. other .. ", and loads no C module", function()
      local path = find(file)
      if not path then
        pending(file .. " is not installed")
        return
      end
      expect("done\n", "beside", path)
    end)
  end

  it("tells how a page ended where SIGCHLD is ignored", function()
    local result = run "ignore"
    local reason, tells = result.stdout:match "^gone: ([%a-]+)\nthe system (.-)\ndone\n$"
    assert.equal(tells == "tells" and "killed" or "abnormal-exit", reason, result.stderr)
    assert.equal(0, result.status)
  end)

  it("tells that a page ended where the program reaps all children", function()
    local result = run "reap"
    assert.matches("^gone: [%a-]+\nthe system [%a ]+\ndone\n$", result.stdout)
    assert.equal(0, result.status)
  end)

  it("does not stall a program of 512 MB when a page is opened", function()
    local result = run "big"
    assert.equal("short\ndone\n", result.stdout, result.stderr)
  end)

  it("can be loaded, used and unloaded fifty times", function()
    expect("done\n", "cycle")
  end)

  it("leaves no handler of its signal behind", function()
    expect("done\n", "unload")
  end)

  it("survives a page that ends while 8 MiB are sent to it", function()
    expect("sent: 1\ngone: killed\ndone\n", "dies")
  end)
end or function() end)
