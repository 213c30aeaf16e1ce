--- What main knows of the app that runs: where it is, what it is called.
local import = ...
local command_line = import "main.command_line"
local core_os = import "core.os"
local json = import "common.json"
local path = import "common.path"

local M = {
  dir = nil, ---@type string absolute folder of the app
  script = nil, ---@type string its main script
  name = nil,
  version = "0.0.0",
  argv = {},
  location = nil, ---@type string[] what names the app on a command line, wherever that is used
}

local MANIFEST_LIMIT <const> = 1 << 20

local function use_manifest(dir, text)
  local ok, manifest = pcall(json.decode, text)
  if not ok or type(manifest) ~= "table" then
    return nil, ("%s/lunette.json: %s"):format(dir, ok and "not an object" or tostring(manifest))
  end
  for _, field in ipairs { "main", "name", "version" } do
    if manifest[field] ~= nil and type(manifest[field]) ~= "string" then
      return nil, ("%s/lunette.json: '%s' must be a string"):format(dir, field)
    end
  end
  M.name, M.version = manifest.name or M.name, manifest.version or M.version
  M.script = path.join(dir, manifest.main or "main.lua")
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
    return nil, ("%s: a folder without %s"):format(dir, M.script:sub(#dir + 2))
  end
  return true
end

--- Finds the app that the command line names: a Lua file, or a folder with main.lua or
--- lunette.json.
---@param name string
---@return true?, string? error
function M.find(name)
  local full = path.resolve(assert(core_os.cwd()), name)
  local kind = name ~= "" and core_os.stat(full)
  if not kind then return nil, ("%s: no such app"):format(name) end
  M.location = { full }
  if kind == "directory" then return use_folder(full) end
  M.dir, M.script = path.dirname(full), full
  M.name = path.basename(full):gsub("%.lua$", "")
  return true
end

--- An app given as a piece of code: its folder is the working directory.
---@param code string
function M.use_code(code)
  M.dir, M.name = assert(core_os.cwd()), "lunette"
  M.location = { "-e", code }
end

--- An app whose files are all in memory: its folder is a name that no disk has.
---@param files table<string, string>
function M.use_memory(files)
  M.dir, M.name = "/lunette-memory", "lunette"
  if files["main.lua"] then M.script = "/lunette-memory/main.lua" end
end

--- The command line that starts the app as it was started now, without the executable.
---@return string[]
function M.command()
  local command = table.move(M.location, 1, #M.location, 1, {})
  return table.move(M.argv, 2, #M.argv, #command + 1, command)
end

--- For how many microseconds the loops poll before they sleep: the switch --poll, 0 without it.
---@return integer
function M.poll_us()
  local value = tonumber(command_line.getSwitchValue "poll")
  return value and math.tointeger(math.max(0, math.min(value // 1, 1000000))) or 0
end

--- A path of the app's, made absolute.
---@param file string
---@return string
function M.resolve(file)
  return path.resolve(M.dir, file)
end

return M
