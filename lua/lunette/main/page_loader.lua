--- From what `loadFile` and `loadURL` were given to what a renderer is booted with.
local import = ...
local app_files = import "main.app_files"
local app_info = import "main.app_info"
local core_os = import "core.os"
local load_error = import "main.load_error"
local path = import "common.path"

local PAGE_LIMIT <const> = 64 << 20

local M = {}

--- The absolute path that a URL names, or nil and a load error. Only file: URLs can be loaded.
---@param url string
function M.path_of_url(url)
  if url:find("^file:") then
    local file, err = path.from_file_url(url)
    if file then return file end
    return nil, load_error.new("ERR_FAILED", url, err)
  end
  local text = "only file: URLs can be loaded"
  return nil, load_error.new("ERR_UNKNOWN_URL_SCHEME", url, text)
end

--- Reads the page. Returns {path, url, source}, or nil and a load error.
---@param file string absolute
---@param url string that of the file
function M.read(file, url)
  if path.extension(file) == ".html" then
    local text = "HTML pages are not supported by this version: a page is a .lua file"
    return nil, load_error.new("ERR_NOT_IMPLEMENTED", url, text)
  end
  local source, err, code = app_files.read(file, PAGE_LIMIT)
  if not source then return nil, load_error.of_file(code, url, err) end
  return { path = file, url = url, source = source }
end

--- Reads the preload script. Returns {path, source}, or {path, error}; nil without a preload.
---@param preload string?
function M.read_preload(preload)
  if not preload then return nil end
  local file = app_info.resolve(preload)
  local source, err = app_files.read(file, PAGE_LIMIT)
  return { path = file, source = source, error = err }
end

--- Answers a sandboxed page's `require`: the first of the app's files that the name can mean.
---@param name string
---@return string? file, string source_or_tried
function M.find_module(name)
  local tried = {}
  if name:find("^[%w_%-%.]+$") and not name:find("..", 1, true) then
    local base = app_info.resolve((name:gsub("%.", "/")))
    for _, file in ipairs { base .. ".lua", base .. "/init.lua" } do
      local source = app_files.in_memory(file)
      if source then return file, source end
      local real = core_os.real_path(file)
      if real and path.is_inside(core_os.real_path(app_info.dir), real) then
        source = core_os.read_file(real, PAGE_LIMIT)
        if source then return file, source end
      end
      tried[#tried + 1] = ("\n\tno file '%s'"):format(file)
    end
  else
    tried[1] = ("\n\t'%s' is no name of a module in the app's folder"):format(name)
  end
  return nil, table.concat(tried)
end

return M
