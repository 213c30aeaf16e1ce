--- `app.getPath`: the folders of the user and of the app, by the rules of XDG.
local import = ...
local core_os = import "core.os"
local path = import "common.path"

local M = {}

local USER_DIRS_LIMIT <const> = 65536

-- The word in XDG's names of a folder, and its name in the home when nothing says otherwise.
local USER_FOLDERS <const> = {
  desktop = { "DESKTOP", "Desktop" },
  documents = { "DOCUMENTS", "Documents" },
  downloads = { "DOWNLOAD", "Downloads" },
  music = { "MUSIC", "Music" },
  pictures = { "PICTURES", "Pictures" },
  videos = { "VIDEOS", "Videos" },
}

local function home()
  return core_os.home() or "/"
end

-- XDG's rule: a value that is not absolute does not count.
local function absolute_env(name)
  local value = core_os.getenv(name)
  return value and path.is_absolute(value) and path.normalize(value) or nil
end

local function app_data()
  return absolute_env("XDG_CONFIG_HOME") or path.join(home(), ".config")
end

local function user_data(app_name)
  return path.join(app_data(), app_name)
end

-- The value of a line such as XDG_MUSIC_DIR="$HOME/Musik" in user-dirs.dirs; nil without one.
local function from_user_dirs(word)
  local text = core_os.read_file(path.join(app_data(), "user-dirs.dirs"), USER_DIRS_LIMIT) or ""
  local pattern, value = "\n[ \t]*XDG_" .. word .. '_DIR[ \t]*=[ \t]*"([^\n]*)"', nil
  for found in ("\n" .. text):gmatch(pattern) do
    value = found:gsub("\\(.)", "%1")
  end
  local below_home = value and value:match("^%$HOME(.*)$")
  if below_home then return path.join(home(), below_home) end
  return value and path.is_absolute(value) and path.normalize(value) or nil
end

local function user_folder(word, fallback)
  return absolute_env("XDG_" .. word .. "_DIR")
    or from_user_dirs(word)
    or path.join(home(), fallback)
end

local GETTERS = {
  home = home,
  appData = app_data,
  userData = user_data,
  sessionData = user_data,
  logs = function(app_name) return path.join(user_data(app_name), "logs") end,
  temp = function() return core_os.tmpdir() end,
  exe = function() return core_os.exec_path() end,
  module = function() return core_os.exec_path() end,
}

for name, folder in pairs(USER_FOLDERS) do
  GETTERS[name] = function() return user_folder(folder[1], folder[2]) end
end

--- A path by its name in Electron; nothing need be there. Raises for an unknown name, at the caller
--- of a public function that calls this in a tail call.
---@param name string home, appData, userData, sessionData, temp, exe, module, desktop, documents,
---downloads, music, pictures, videos or logs
---@param app_name string
---@return string
function M.get(name, app_name)
  local getter = GETTERS[name]
  if not getter then error(("Failed to get '%s' path"):format(name), 2) end
  return getter(app_name)
end

return M
