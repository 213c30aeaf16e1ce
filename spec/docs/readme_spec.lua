local app = require "spec.support.app"
local markdown = require "spec.support.markdown"

-- The files of an example, whose first lines name them.
local function files_of(text)
  local files = {}
  for _, block in ipairs(markdown.blocks(text, "lua")) do
    local name = block:match "^%-%- (%S+)\n"
    if name then files[name] = block end
  end
  return files
end

describe("README.md", function()
  it("has an example that runs as it stands", function()
    local result = app.run(files_of(markdown.read "README.md"))
    assert.same({ "42\n", "", 0 }, { result.stdout, result.stderr, result.status })
  end)
end)

-- The places that headings can be linked by, as GitHub makes them.
local function anchors_of(text)
  local anchors = {}
  for heading in ("\n" .. text):gmatch "\n#+ ([^\n]+)" do
    local name = heading:lower():gsub("[^%w%- ]", ""):gsub(" ", "-")
    anchors[name] = true
  end
  return anchors
end

local function is_there(path)
  local file <close> = io.open(path)
  return file ~= nil
end

-- What is wrong with the links of a file to the tree.
local function broken_links(path)
  local broken, folder = {}, path:match "^(.*/)" or ""
  for link in markdown.read(path):gmatch "%]%(([^)%s]+)%)" do
    local target, anchor = link:match "^([^#]*)#?(.*)$"
    if not target:find "^%a+:" then
      local file = target == "" and path or folder .. target
      local found = is_there(file)
      if found and anchor ~= "" then found = anchors_of(markdown.read(file))[anchor] end
      if not found then broken[#broken + 1] = path .. ": " .. link end
    end
  end
  return broken
end

describe("the links of", function()
  local pipe = assert(io.popen "ls *.md docs/*.md apps/*/README.md vendor/README.md")
  for path in pipe:lines() do
    it(path .. " lead somewhere", function()
      assert.same({}, broken_links(path))
    end)
  end
  pipe:close()
end)
