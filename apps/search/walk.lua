-- Walks a folder and everything below it.
local lunette = require "lunette"
local uv = lunette.uv
local scandir, lstat = lunette.promisify(uv.fs_scandir), lunette.promisify(uv.fs_lstat)

-- Folders that hold no text that anybody wrote.
local SKIPPED <const> = {
  [".git"] = true,
  [".hg"] = true,
  [".svn"] = true,
  ["__pycache__"] = true,
  build = true,
  node_modules = true,
}

-- Not every file system tells a folder's reader what its entries are.
local function kind_of(path, kind)
  if kind ~= "unknown" then return kind end
  local ok, stat = lstat(path):pawait()
  return ok and stat.type or "unreadable"
end

-- Calls on_entry(path, kind) for everything below the folder: kind is "file", "link", "skipped"
-- for a folder that is passed over, "unreadable", or what else there is. Links are not followed, so
-- that none leads in a circle, or out of the folder. The list of folders to come, instead of a
-- function that calls itself, lets a tree be as deep as it likes.
return function(root, on_entry)
  local folders = { root == "." and "" or root:match "/$" and root or root .. "/" }

  local function on_name(path, name, kind)
    if kind ~= "directory" then return on_entry(path, kind) end
    if SKIPPED[name] then return on_entry(path, "skipped") end
    folders[#folders + 1] = path .. "/"
  end

  local function list(folder)
    local ok, entries = scandir(folder == "" and "." or folder):pawait()
    if not ok then return on_entry(folder, "unreadable") end
    for name, kind in uv.fs_scandir_next, entries do
      local path = folder .. name
      on_name(path, name, kind_of(path, kind))
    end
  end

  while #folders > 0 do
    list(table.remove(folders))
  end
end
