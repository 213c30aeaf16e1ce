--- What a state inside another program does not do to that: move it to another folder, change its
--- locale, take its signals, load C modules into it.
local import = ...
local core_host = import "core.host"
local process = import "common.process"
local uv_refusals = import "common.uv_refusals"

local M = {}

local REASON <const> = "not inside a program that hosts the app"

-- What changes the process, and not only this app.
local UV_REFUSED <const> = {
  "chdir", "setuid", "setgid", "set_process_title", "new_signal", "spawn",
  "disable_stdio_inheritance", "tty_reset_mode", "new_tty",
}

--- A function that raises: its name, and that it is not to be had there.
---@param name string
---@return function
function M.refuse(name)
  return function()
    error(("%s: %s"):format(name, REASON), 2)
  end
end

local setlocale = os.setlocale

-- The locale is the process's: it can be asked for.
local function ask_locale(locale, category)
  if locale ~= nil then error("os.setlocale: " .. REASON, 2) end
  return setlocale(nil, category)
end

local function search_c_module()
  return "\n\tno C module: it would find another Lua in this process, or none"
end

local function refuse_c_modules()
  if core_host.owns_lua() then return end
  package.loadlib = M.refuse "package.loadlib"
  package.searchers[3], package.searchers[4] = search_c_module, nil
end

--- Changes the globals, once the process module is set up.
function M.install()
  os.setlocale = ask_locale
  process.process.chdir = M.refuse "process.chdir"
  refuse_c_modules()
  for _, name in ipairs(UV_REFUSED) do uv_refusals[name] = REASON end
end

return M
