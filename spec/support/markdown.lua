--- What stands in a markdown file for people to copy: fenced blocks, and indented commands.
local M = {}

--- The text of a file of the tree.
---@param path string
---@return string
function M.read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

--- The fenced blocks in a language, in order.
---@param text string
---@param language string
---@return string[]
function M.blocks(text, language)
  local list = {}
  for block in text:gmatch("\n```" .. language .. "\n(.-)```\n") do
    list[#list + 1] = block
  end
  return list
end

--- The first indented block that begins with `start`, without its indentation.
---@param text string
---@param start string
---@return string
function M.commands(text, start)
  local from = assert(text:find("\n    " .. start, 1, true), start)
  local lines = {}
  for line in text:sub(from + 1):gmatch "([^\n]*)\n" do
    if not line:find "^    " then break end
    lines[#lines + 1] = line:sub(5)
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
