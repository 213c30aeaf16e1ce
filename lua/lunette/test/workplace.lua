--- The run's own temporary folder: what the specs print is kept there, and their temporary files.
local import = ...
local core_os = import "core.os"

local M = {}

local folder
local PRIVATE <const> = 448 -- rwx------

--- Makes the folder. Returns true, or nil and a message.
---@return true?, string?
function M.open()
  local err
  folder, err = import("core.luv").fs_mkdtemp(assert(core_os.tmpdir()) .. "/lunette-XXXXXX")
  return folder and true, err
end

--- A path in the folder.
---@param name string
---@return string
function M.path(name)
  return folder .. "/" .. name
end

--- Makes a folder in it.
---@param name string
---@return string
function M.make_folder(name)
  local path = M.path(name)
  assert(import("core.luv").fs_mkdir(path, PRIVATE))
  return path
end

-- Leaves what cannot be removed.
local function remove(uv, path)
  local request = uv.fs_scandir(path)
  if not request then return end
  for name, kind in function() return uv.fs_scandir_next(request) end do
    local inner = path .. "/" .. name
    if kind == "directory" then remove(uv, inner) else uv.fs_unlink(inner) end
  end
  uv.fs_rmdir(path)
end

-- rm(1) can remove what has a path that is too long to be named at once.
local function remove_rest(path)
  if not core_os.stat(path) then return end
  os.execute(("rm -rf -- '%s'"):format(path:gsub("'", [['\'']])))
end

--- Removes the folder with all that is in it.
function M.remove()
  if not folder then return end
  remove(import "core.luv", folder)
  remove_rest(folder)
  folder = nil
end

--- Removes a folder that make_folder made.
---@param path string
function M.remove_folder(path)
  remove(import "core.luv", path)
end

return M
