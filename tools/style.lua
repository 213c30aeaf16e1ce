-- SPDX-License-Identifier: MIT
-- The rules of CONTRIBUTING.md that a script can see: lua5.4 tools/style.lua [OBJECT...]
-- Prints "file:line: message" for each breach. The objects are compiled files of runtime/, looked
-- through for variables.

local LINES_MAX <const> = 600
local FUNCTION_LINES_MAX <const> = 60

-- At most three names, each with its reason.
local LONG_FUNCTIONS <const> = {}

-- The folders of runtime/ that know no Lua, and what their files may therefore not include.
local PLAIN_FOLDERS <const> = { base = true, ipc = true, host = true }
local LUA_HEADERS <const> = { "^lua%.h$", "^lauxlib%.h$", "^lualib%.h$", "^luv/", "^vm/", "^bind/" }

local breaches = 0

local function report(path, line, message, ...)
  breaches = breaches + 1
  print(("%s:%d: " .. message):format(path, line, ...))
end

---The lines of a file.
---@param path string
---@return string[]
local function read_lines(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

---The files below the folders, those folders that exist, whose name ends in one of the extensions.
---@param folders string for the shell
---@param extensions table<string, boolean>
---@return string[]
local function find(folders, extensions)
  local paths = {}
  local pipe <close> = assert(io.popen("find " .. folders .. " -type f 2>/dev/null | sort"))
  for path in pipe:lines() do
    if extensions[path:match "%.(%w+)$" or ""] then paths[#paths + 1] = path end
  end
  return paths
end

local function check_size(path, lines)
  if #lines > LINES_MAX then
    report(path, LINES_MAX + 1, "%d lines; a file has at most %d", #lines, LINES_MAX)
  end
end

local function check_licence(path, lines)
  if not (lines[1] or ""):find("SPDX-License-Identifier: MIT", 1, true) then
    report(path, 1, "the first line names no licence (SPDX-License-Identifier: MIT)")
  end
end

local function check_includes(path, lines)
  if not PLAIN_FOLDERS[path:match "^runtime/(%w+)/"] then return end
  for number, line in ipairs(lines) do
    local included = line:match '^%s*#%s*include%s*[<"]([^>"]+)' or ""
    for _, pattern in ipairs(LUA_HEADERS) do
      if included:find(pattern) then
        report(path, number, "%s is not for plain C, which knows no Lua", included)
      end
    end
  end
end

---Calls visit(number, text, last) for each declaration or definition that starts in the first
---column, where text is its head, up to its first brace or semicolon, and last the head's end.
local function each_head(lines, visit)
  local number, in_comment, in_macro = 1, false, false
  while number <= #lines do
    local line = lines[number]
    local first = number
    if in_comment then
      in_comment = not line:find("*/", 1, true)
    elseif in_macro or line:find "^#" then
      in_macro = line:find "\\$" ~= nil
    elseif line:find "^/%*" then
      in_comment = not line:find("*/", 3, true)
    elseif line:find "^[%a_]" and not line:find ":$" and not line:find '^extern "C"' then
      local head = line
      while not head:find "[{;]" and lines[number + 1] do
        number = number + 1
        head = head .. " " .. lines[number]
      end
      visit(first, head:match "^[^{;]*[{;]?", number)
    end
    number = number + 1
  end
end

---The name of the function that a head declares or defines, or nil for anything else.
local function function_name(head)
  if head:find "^typedef" or head:find "^_Static_assert" or head:find "=" then return nil end
  return head:gsub("__attribute__%s*%b()", ""):match "([%w_]+)%s*%("
end

local function check_prototypes(path, lines)
  each_head(lines, function(number, head)
    local name = function_name(head)
    local above = lines[number - 1] or ""
    local commented = above:find "^%s*/?%*.*%*/$" or lines[number]:find ";%s*/%*.*%*/$"
    if name and not commented then report(path, number, "no comment directly above %s", name) end
  end)
end

local function check_functions(path, lines)
  each_head(lines, function(number, head, last)
    local name = function_name(head)
    if not name or not head:find "{$" or LONG_FUNCTIONS[name] then return end
    if lines[last]:find "}$" then return end
    while lines[last] and not lines[last]:find "^}" do last = last + 1 end
    local size = last - number + 1
    if size > FUNCTION_LINES_MAX then
      report(path, number, "%s has %d lines; at most %d", name, size, FUNCTION_LINES_MAX)
    end
  end)
end

local function check_leftovers(path, lines)
  for number, line in ipairs(lines) do
    local word = line:match "%f[%w]TO[D]O%f[%W]" or line:match "%f[%w]FIX[M]E%f[%W]"
    if word then report(path, number, "%s: do it, or open an issue", word) end
  end
end

---Every kind of packet has a paragraph, or a heading, that starts with its name.
local function check_protocol(header, document)
  local file <close> = io.open(document)
  local text = "\n" .. (file and file:read "a" or "")
  for number, line in ipairs(read_lines(header)) do
    local kind = line:match "^%s+X%(([%u%d_]+),"
    if kind and not text:find("\n[#*|`%- ]*" .. kind .. "%f[^%w_]") then
      report(header, number, "%s has no paragraph in %s", kind, document)
    end
  end
end

---No object may hold variables: whatever changes belongs to a host or a state.
local function check_variables(objects)
  if #objects == 0 then return end
  local pipe <close> = assert(io.popen("nm -f sysv -A " .. table.concat(objects, " ")))
  for line in pipe:lines() do
    local path, name, section = line:match "^([^:]+):%s*([^|]-)%s*|.*|%s*(%S-)%s*$"
    local mutable = section
      and (section:find "^%.t?data" or section:find "^%.t?bss" or section == "*COM*")
      and not section:find "^%.data%.rel%.ro"
    if mutable and name ~= "" and not name:find "^%." then
      local source = path:gsub("^build/%w+/", ""):gsub("%.o$", ".c")
      report(source, 1, "%s is a variable outside every function call (%s)", name, section)
    end
  end
end

local C <const> = { c = true, h = true }
local LUA <const> = { lua = true }
local TEXT <const> = { c = true, h = true, lua = true, md = true, html = true, sh = true }

for _, path in ipairs(find("runtime tools vendor spec bench", C)) do
  local lines = read_lines(path)
  check_licence(path, lines)
  check_functions(path, lines)
  check_includes(path, lines)
  if path:find "^runtime/.*%.h$" then check_prototypes(path, lines) end
  if path:find "^runtime/" then check_size(path, lines) end
end
for _, path in ipairs(find("lua", LUA)) do check_size(path, read_lines(path)) end
for _, path in ipairs(find("runtime lua apps bench spec tools vendor docs *.md", TEXT)) do
  check_leftovers(path, read_lines(path))
end
check_protocol("runtime/ipc/protocol.h", "docs/protocol.md")
check_variables(arg)

if breaches > 0 then
  print(("style: %d %s"):format(breaches, breaches == 1 and "breach" or "breaches"))
  os.exit(1)
end
