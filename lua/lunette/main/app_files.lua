--- The app's files: those that the program which hosts us has given from memory, else the disk's.
local import = ...
local app_info = import "main.app_info"
local core_os = import "core.os"

local M = {}

-- Path in the app's folder to text.
local files = {}

--- What the app has in memory.
---@param given table<string, string>
function M.use(given)
  files = given
end

--- The text of a file in memory, by its absolute path; nil when there is none.
---@param path string
---@return string?
function M.in_memory(path)
  local dir = app_info.dir
  if path:sub(1, #dir + 1) ~= dir .. "/" then return nil end
  return files[path:sub(#dir + 2)]
end

--- The text of a file, by its absolute path; or nil, a message and its name, such as "ENOENT".
---@param path string
---@param limit integer in bytes
---@return string?, string?, string?
function M.read(path, limit)
  local text = M.in_memory(path)
  if text and #text <= limit then return text end
  return core_os.read_file(path, limit)
end

-- Finds a module in memory for `require`.
local function search(name)
  local base = app_info.resolve((name:gsub("%.", "/")))
  for _, path in ipairs { base .. ".lua", base .. "/init.lua" } do
    local text = M.in_memory(path)
    if text then
      local chunk, err = load(text, "@" .. path, "t")
      if not chunk then error(err, 0) end
      return chunk, path
    end
  end
  return ("\n\tno file '%s.lua' in memory"):format(base)
end

--- Lets main's `require` find them, before the disk's.
---@param package table
function M.add_searcher(package)
  if next(files) then table.insert(package.searchers, 2, search) end
end

return M
