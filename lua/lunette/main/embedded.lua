--- What the main state of an app inside another program does not do to that: end it, write on its
--- standard streams, move it to another folder, take its signals, load C modules into it.
local import = ...
local app = import "main.app"
local arguments = import "common.arguments"
local core_host = import "core.host"
local core_state = import "core.state"
local lifecycle = import "main.lifecycle"
local process = import "common.process"
local promises = import "common.promise"
local uv_refusals = import "common.uv_refusals"

local M = {}

local REASON <const> = "not inside a program that hosts the app"

-- What changes the process, and not only this app.
local UV_REFUSED <const> = {
  "chdir", "setuid", "setgid", "set_process_title", "new_signal", "spawn",
  "disable_stdio_inheritance", "tty_reset_mode", "new_tty",
}

local function refuse(name)
  return function()
    error(("%s: %s"):format(name, REASON), 2)
  end
end

-- The app ends; the script that asked for it does not go on.
local function exit(code)
  arguments.check("os.exit", 1, code, "integer|boolean|nil")
  if code == nil or code == true then code = 0 end
  lifecycle.exit(code or 1)
  promises.pending():await()
end

local function print_to_log(...)
  local texts = table.pack(...)
  for i = 1, texts.n do texts[i] = tostring(texts[i]) end
  core_state.log("info", table.concat(texts, "\t"))
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
  package.loadlib = refuse "package.loadlib"
  package.searchers[3], package.searchers[4] = search_c_module, nil
end

--- Changes the globals, once the process module is set up.
function M.install()
  process.is_embedded = true
  os.exit, os.setlocale, print = exit, ask_locale, print_to_log
  process.process.chdir = refuse "process.chdir"
  app.relaunch = refuse "app.relaunch"
  lifecycle.ends_with_windows = false
  refuse_c_modules()
  for _, name in ipairs(UV_REFUSED) do uv_refusals[name] = REASON end
end

return M
