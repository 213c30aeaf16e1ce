-- SPDX-License-Identifier: MIT
-- app.getPath's folders.
local import = require "spec.support.import"
local core_os = import "core.os"
local paths = import "main.paths"

describe("paths.get", function()
  local real, environment, files = {}, {}, {}

  before_each(function()
    environment, files = {}, {}
    local fakes = {
      getenv = function(name) return environment[name] end,
      home = function() return "/home/ann" end,
      tmpdir = function() return "/tmp/x" end,
      exec_path = function() return "/usr/bin/lunette" end,
      read_file = function(path) return files[path] end,
    }
    for name, fake in pairs(fakes) do
      real[name], core_os[name] = core_os[name], fake
    end
  end)

  after_each(function()
    for name, fn in pairs(real) do core_os[name] = fn end
  end)

  local function assert_paths(expected)
    for name, path in pairs(expected) do
      assert.equal(path, paths.get(name, "Notes"))
    end
  end

  it("has Electron's folders", function()
    assert_paths {
      home = "/home/ann", appData = "/home/ann/.config", userData = "/home/ann/.config/Notes",
      sessionData = "/home/ann/.config/Notes", logs = "/home/ann/.config/Notes/logs",
      temp = "/tmp/x",
      exe = "/usr/bin/lunette", module = "/usr/bin/lunette", desktop = "/home/ann/Desktop",
      documents = "/home/ann/Documents", downloads = "/home/ann/Downloads",
      music = "/home/ann/Music",
      pictures = "/home/ann/Pictures", videos = "/home/ann/Videos",
    }
  end)

  it("follows XDG_CONFIG_HOME when that is absolute", function()
    environment.XDG_CONFIG_HOME = "/cfg/"
    assert_paths { appData = "/cfg", userData = "/cfg/Notes", logs = "/cfg/Notes/logs" }
    environment.XDG_CONFIG_HOME = "cfg"
    assert_paths { appData = "/home/ann/.config" }
  end)

  it("reads user-dirs.dirs", function()
    files["/home/ann/.config/user-dirs.dirs"] = [[
# XDG_MUSIC_DIR="$HOME/no"
XDG_MUSIC_DIR="$HOME/Musik"
  XDG_DOWNLOAD_DIR = "/data/in"
XDG_VIDEOS_DIR="relative"
XDG_PICTURES_DIR="$HOME/"
XDG_DOCUMENTS_DIR="$HOME/a\"b"
]]
    assert_paths {
      music = "/home/ann/Musik", downloads = "/data/in", videos = "/home/ann/Videos",
      pictures = "/home/ann", documents = '/home/ann/a"b', desktop = "/home/ann/Desktop",
    }
  end)

  it("reads it where XDG_CONFIG_HOME says", function()
    environment.XDG_CONFIG_HOME = "/cfg"
    files["/cfg/user-dirs.dirs"] = 'XDG_MUSIC_DIR="/m"'
    assert_paths { music = "/m" }
  end)

  it("prefers a variable of the environment", function()
    environment.XDG_MUSIC_DIR = "/env"
    files["/home/ann/.config/user-dirs.dirs"] = 'XDG_MUSIC_DIR="/file"\n'
    assert_paths { music = "/env" }
  end)

  it("refuses a name that is none of these", function()
    assert.has_error(function() paths.get("nowhere", "Notes") end, "Failed to get 'nowhere' path")
  end)
end)
