local lunette = require "lunette"
local test = require "lunette.test"
local uv = lunette.uv

local DEADLINE <const> = tonumber(os.getenv "LUNETTE_SPEC_DEADLINE")

-- Runs the search in a folder. The time and the number of renderers, which depend on the machine,
-- are left out of its output.
local function search(folder, args)
  local options = { args = args, cwd = folder, timeout = DEADLINE }
  local result = test.launch(uv.cwd() .. "/apps/search", options):wait()
  result.stdout = result.stdout:gsub("in %d+%.%d%d s with %d+ renderers?", "in TIME")
  return result
end

-- What the search prints, which must succeed without a word on standard error.
local function output(folder, args)
  local result = search(folder, args)
  assert.equal("", result.stderr)
  assert.equal(0, result.status)
  return result.stdout
end

-- The paths with hits, in their order.
local function ranking(...)
  local paths = {}
  for path in output(...):gmatch "%d+  ([^\n]-):%d+ [^\n]*" do
    paths[#paths + 1] = path
  end
  return table.concat(paths, " ")
end

describe("apps/search", function()
  local folder

  local function given(files)
    folder = test.tmpdir()
    for name, text in pairs(files) do
      for slash in name:gmatch "()/" do
        uv.fs_mkdir(folder .. "/" .. name:sub(1, slash - 1), 448)
      end
      local file <close> = assert(io.open(folder .. "/" .. name, "w"))
      file:write(text)
    end
    return folder
  end

  -- The path that is too long is so for the worker too.
  after_each(function()
    if folder then os.execute("rm -rf '" .. folder .. "'") end
    folder = nil
  end)

  it("prints the best line of each file, in columns, and what was done", function()
    given {
      ["moon.txt"] = "a moon\n\n  a lunette on the moon, a Lunette\n",
      ["deep/er/star.txt"] = "stars\r\nlunettes\r\n",
      ["none.txt"] = "nothing\n",
    }
    assert.equal(
      [[
1  moon.txt:3          a lunette on the moon, a Lunette
2  deep/er/star.txt:2  lunettes

2 files with hits
searched 3 files, 68 bytes, in TIME
]],
      output(folder, { ".", "lunette" })
    )
  end)

  it("counts what is binary, huge, a link, or in a build folder, and passes it over", function()
    given {
      ["text"] = "lunette",
      ["binary"] = "lunette\0",
      [".git/text"] = "lunette",
      ["build/text"] = "lunette",
      ["huge"] = "",
    }
    assert(uv.fs_symlink(".", folder .. "/loop"))
    assert(os.execute("truncate -s 17M " .. folder .. "/huge"))
    assert.equal(
      [[
1  text:1  lunette

1 file with hits
searched 1 file, 7 bytes, in TIME
passed over: 1 binary, 1 over 16 MiB, 1 link, 2 build or version control folders
]],
      output(folder, { ".", "lunette" })
    )
  end)

  it("counts what it cannot read, at the end of a path that is too long", function()
    given { ["text"] = "lunette" }
    local name = ("d"):rep(200)
    local step = ("mkdir %s && cd -P %s"):format(name, name)
    local command = ("cd %s; for i in $(seq 25); do %s; done"):format(folder, step)
    assert(os.execute(command))
    local text = output(folder, { ".", "lunette" })
    assert.truthy(text:find("searched 1 file, 7 bytes", 1, true))
    assert.truthy(text:find("passed over: 1 unreadable\n", 1, true))
  end)

  it("loses no file with a renderer that is killed half-way", function()
    local files = {}
    for number = 1, 500 do
      files[number .. ".txt"] = "lunette\n"
    end
    given(files)
    local text = output(folder, { ".", "lunette", "--kill-one", "--limit", "1" })
    assert.truthy(text:find("the best 1 of 500 files with hits", 1, true))
    assert.truthy(text:find("searched 500 files, 4.0 kB", 1, true))
    assert.truthy(text:find("1 renderer lost and restarted, %d+ files? handed out again\n$"))
  end)

  it("puts files with all words first, and those with the phrase before them", function()
    given {
      ["one"] = "apple apple apple apple",
      ["all"] = "pie with an apple",
      ["phrase"] = "some apple pie",
      ["start"] = "apples",
    }
    assert.equal("phrase all one start", ranking(folder, { ".", "apple", "pie" }))
  end)

  it("puts files with rare words before those with common ones", function()
    given {
      ["common1"] = "file",
      ["common2"] = "file",
      ["rare"] = "pearl",
    }
    assert.equal("rare common1 common2", ranking(folder, { ".", "file", "pearl" }))
  end)

  it("puts short files before long ones that have a word as often", function()
    given { ["long"] = "pearl " .. ("text "):rep(200), ["short"] = "pearl" }
    assert.equal("short long", ranking(folder, { ".", "pearl" }))
  end)

  it("finds words in capitals and beside any punctuation, but not inside of words", function()
    given {
      ["a"] = "ПРИВЕТ",
      ["b"] = "“привет”",
      ["c"] = "неприветливый",
    }
    assert.equal("a b", ranking(folder, { ".", "Привет" }))
  end)

  it("shows names and lines with strange bytes as text", function()
    given { ["caf\xE9\n.txt"] = "\27[31m lunette \xFF\xC2\x9B\tend" }
    local text = output(folder, { ".", "lunette" })
    local line = [[1  caf\xE9\x0A.txt:1  \x1B[31m lunette \xFF\xC2\x9B end]]
    assert.equal(line, text:match "^[^\n]*")
  end)

  it("shows the part of a long line that has the hit", function()
    given { ["long"] = ("a "):rep(10000) .. "lunette" .. (" z"):rep(10000) }
    local line = output(folder, { ".", "lunette" }):match "^[^\n]*"
    assert.truthy(line:find("a lunette z", 1, true))
    assert.is_true(#line < 300)
  end)

  it("says when there are no hits", function()
    given { ["text"] = "something" }
    assert.equal(
      "no file has lunette or moon\nsearched 1 file, 9 bytes, in TIME\n",
      output(folder, { ".", "lunette", "moon" })
    )
  end)

  it("shows as many files as --limit says", function()
    given { ["a"] = "lunette", ["b"] = "lunette", ["c"] = "lunette" }
    assert.equal("a b", ranking(folder, { "--limit", "2", ".", "lunette" }))
    assert.equal("a", ranking(folder, { ".", "lunette", "--limit=1" }))
  end)

  it("shows its options with --help", function()
    local text = output(nil, { "--help" })
    assert.truthy(text:find("^Usage: lunette apps/search %[OPTION...%] FOLDER WORD"))
  end)

  local MISTAKES <const> = {
    [{ "nowhere", "word" }] = "cannot search 'nowhere': no such file or directory",
    [{ "README.md", "word" }] = "cannot search 'README.md': not a directory",
    [{ "", "word" }] = "cannot search '': no such file or directory",
    [{ "." }] = "a folder and a word are needed; --help tells more",
    [{ ".", "..." }] = "there is no word to look for; --help tells more",
    [{ "--wrong", ".", "word" }] = "there is no option --wrong; --help tells more",
    [{ ".", "word", "--limit", "0" }] = "--limit needs a whole number above 0; --help tells more",
  }
  for args, message in pairs(MISTAKES) do
    it("ends with status 2 for: " .. table.concat(args, " "), function()
      local result = search(given { ["README.md"] = "text" }, args)
      assert.equal("search: " .. message .. "\n", result.stderr)
      assert.equal("", result.stdout)
      assert.equal(2, result.status)
    end)
  end

  -- Under script(1), whose child has a terminal.
  local function on_terminal(env)
    given { ["text"] = "a lunette" }
    local line = ("%s apps/search %s lunette"):format(lunette.process.execPath, folder)
    return test.launch("-qec", { program = "script", args = { line, "/dev/null" }, env = env })
      :wait().stdout
  end

  it("marks the hits on a terminal", function()
    local text = on_terminal { TERM = "xterm" }
    assert.truthy(text:find("a \27[1;31mlunette\27[0m", 1, true))
  end)

  it("uses no colours when NO_COLOR is set", function()
    assert.falsy(on_terminal({ TERM = "xterm", NO_COLOR = "1" }):find "\27%[[%d;]*m")
  end)
end)
