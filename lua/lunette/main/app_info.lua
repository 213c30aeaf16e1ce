--- What main knows of the app that runs: where it is, what it is called.
local import = ...
local core_os = import "core.os"
local json = import "common.json"
local path = import "common.path"

local M = {
  dir = nil, ---@type string absolute folder of the app
  script = nil, ---@type string its main script
  name = nil,
  version = "0.0.0",
  argv = {},
}

local MANIFEST_LIMIT <const> = 1 << 20

local function use_manifest(dir, text)
  local ok, manifest = pcall(json.decode, text)
  if not ok or type(manifest) ~= "table" then
    return nil, ("%s/lunette.json: %s"):format(dir, ok and "not an object" or tostring(manifest))
  end
  M.name = type(manifest.name) == "string" and manifest.name or M.name
  M.version = type(manifest.version) == "string" and manifest.version or M.version
  M.script = path.join(dir, type(manifest.main) == "string" and manifest.main or "main.lua")
  return true
end

local function use_folder(dir)
  M.dir, M.name, M.script = dir, path.basename(dir), path.join(dir, "main.lua")
  local text = core_os.read_file(path.join(dir, "lunette.json"), MANIFEST_LIMIT)
  if text then
    local ok, err = use_manifest(dir, text)
    if not ok then return nil, err end
  end
  if core_os.stat(M.script) ~= "file" then
    return nil, ("%s: a folder without %s"):format(dir, path.basename(M.script))
  end
  return true
end

--- Finds the app that the command line names: a Lua file, or a folder with main.lua or lunette.json.
---@param name string
---@return true?, string? error
function M.find(name)
  local full = path.resolve(assert(core_os.cwd()), name)
  local kind = core_os.stat(full)
  if not kind then return nil, ("%s: no such app"):format(name) end
  if kind == "directory" then return use_folder(full) end
  M.dir, M.script = path.dirname(full), full
  M.name = path.basename(full):gsub("%.lua$", "")
  return true
end

--- An app given as a piece of code: its folder is the working directory.
function M.use_code()
  M.dir, M.name = assert(core_os.cwd()), "lunette"
end

--- A path of the app's, made absolute.
---@param file string
---@return string
function M.resolve(file)
  return path.resolve(M.dir, file)
end

return M
