-- SPDX-License-Identifier: MIT
-- Paths and file: URLs as text.
local import = require "spec.support.import"
local path = import "common.path"

local function each(cases, fn)
  for _, case in ipairs(cases) do
    assert.equal(case[#case], fn(table.unpack(case, 1, #case - 1)))
  end
end

describe("path", function()
  it("tells absolute paths", function()
    each({ { "/", true }, { "/a", true }, { "a", false }, { "", false }, { "./a", false } },
      path.is_absolute)
  end)

  it("normalizes", function()
    each({
      { "", "." }, { ".", "." }, { "./", "." }, { "/", "/" }, { "//", "/" }, { "a", "a" },
      { "a/", "a" }, { "a//b", "a/b" }, { "a/./b", "a/b" }, { "a/../b", "b" }, { "a/..", "." },
      { "../a", "../a" }, { "../../a", "../../a" }, { "a/../../b", "../b" }, { "/..", "/" },
      { "/../a", "/a" }, { "/a/../../b", "/b" }, { "/a/b/..", "/a" }, { "a/...", "a/..." },
    }, path.normalize)
  end)

  it("joins", function()
    each({
      { "a", "b", "a/b" }, { "a/", "/b", "a/b" }, { "", "a", "a" }, { "a", "", "a" },
      { "", "", "." },
      { "/a", "../b", "/b" }, { "/a", "b", "..", "c", "/a/c" },
    }, path.join)
  end)

  it("resolves a path as seen from a folder", function()
    each({
      { "/app", "a.lua", "/app/a.lua" }, { "/app", "/x/../y", "/y" }, { "/app", "..", "/" },
    }, path.resolve)
  end)

  it("takes paths apart", function()
    each({
      { "/a/b", "/a" }, { "/a", "/" }, { "/", "/" }, { "a/b", "a" }, { "a", "." }, { "", "." },
      { "a/b/", "a" }, { "a//b", "a" }, { "//a", "/" },
    }, path.dirname)
    each({ { "/a/b.lua", "b.lua" }, { "a", "a" }, { "a/", "a" }, { "/", "" }, { "", "" } },
      path.basename)
    each({
      { "a.lua", ".lua" }, { "a.b.lua", ".lua" }, { "a", "" }, { ".profile", "" },
      { ".a.lua", ".lua" },
      { "a.", "." }, { "a.d/b", "" }, { "..", "" }, { "", "" },
    }, path.extension)
  end)

  it("tells what is inside a folder", function()
    each({
      { "/app", "/app", true }, { "/app", "/app/a", true }, { "/app", "/application", false },
      { "/app", "/app/../etc", false }, { "/app", "/app/a/../b", true }, { "/app", "a", true },
      { "/app", "../etc", false }, { "/app", "a/../../app/b", true }, { "/app/", "/app/a", true },
      { "/", "/etc", true }, { ".", "a", true }, { ".", "..", false }, { ".", "../a", false },
      { ".", "..a", true }, { "/a-b", "/a+b/c", false },
    }, path.is_inside)
  end)
end)

describe("path.from_file_url", function()
  it("gives the path", function()
    each({
      { "file:///a/b.lua", "/a/b.lua" }, { "FILE:///a", "/a" }, { "file://localhost/a", "/a" },
      { "file:///a%20b%C3%A9", "/a bé" }, { "file:///a?q=1", "/a" }, { "file:///a#b", "/a" },
      { "file:///a%3Fb%23c", "/a?b#c" }, { "file:///100%25", "/100%" },
      { "file:///a/../b", "/a/../b" },
    }, path.from_file_url)
  end)

  it("says why there is none", function()
    local cases = {
      ["http://a/b"] = "not a file: URL",
      ["/a/b"] = "not a file: URL",
      ["file://"] = "a file: URL without a path",
      ["file://server/a"] = "a file: URL of another host",
      ["file:///a%2Fb"] = "a file: URL with an encoded slash",
      ["file:///a%2fb"] = "a file: URL with an encoded slash",
      ["file:///a%zzb"] = "a file: URL with a malformed escape",
      ["file:///a%"] = "a file: URL with a malformed escape",
      ["file:///a%00b"] = "a file: URL with an encoded zero byte",
    }
    for url, reason in pairs(cases) do
      assert.same({ nil, reason, n = 2 }, table.pack(path.from_file_url(url)))
    end
  end)

  it("undoes to_file_url", function()
    for _, name in ipairs { "/a b", "/100%", "/a?b#c", "/é", "/a%20b", "/a\nb", "/x/(1)/~b" } do
      assert.equal(name, path.from_file_url(path.to_file_url(name)))
    end
    assert.equal("file:///a%20b%25/%C3%A9%3F", path.to_file_url("/a b%/é?"))
  end)
end)
