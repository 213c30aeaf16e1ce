-- SPDX-License-Identifier: MIT
--- Runs a main script and a page that talk to each other, in a fresh app, and gives what they say.
---
---   local ipc = require "spec.support.ipc"
---   assert.equal("3\n", ipc.output {
---     main = [[ ipcMain.handle("add", function(_, a, b) return a + b end) ]],
---     page = [[ say(ipc.invoke("add", 1, 2):await()) quit() ]],
---   })
---
--- Both scripts have `lunette`, `say(...)` (prints values so that their types show: show.lua) and
--- `quit()`. The main script also has `app`, `ipcMain`, `webContents`, `BrowserWindow` and
--- `open(page, preferences)`, which makes a window, loads the page ("page.lua" by default) and
--- returns both the window and the promise of the load; unless it calls that, a window is opened
--- behind it. Pages also have `ipc`, which is ipcRenderer. The first line of a script is line 2 of
--- its file. An error that a page reports ends the app.
local app = require "spec.support.app"
local assert = require "luassert"

local M = {}

-- What the address sanitizer says when a renderer is killed while it ends.
local INTERRUPTED_LEAK_CHECK <const> = "==%d+==Unable to get registers from thread %d+.\n"

local MAIN_BEFORE <const> = ([[
  local lunette = require "lunette"
  local app, ipcMain, webContents = lunette.app, lunette.ipcMain, lunette.webContents
  local BrowserWindow, say, opened = lunette.BrowserWindow, require "show".say, false
  local function quit() app.quit() end
  local function open(page, preferences)
    opened = true
    app.whenReady():await()
    local win = BrowserWindow.new { webPreferences = preferences or PREFERENCES }
    return win, win:loadFile(page or "page.lua")
  end
  ipcMain.on("spec:quit", quit)
  app.on("web-contents-created", function(_, contents)
    contents:on("console-message", function(_, line) if line.level == "error" then quit() end end)
  end)
]]):gsub("\n%s*", " ") .. "\n"

local MAIN_AFTER <const> = "\nif not opened then open() end\n"

local PAGE_BEFORE <const> = ([[
  local lunette = require "lunette"
  local ipc, say = lunette.ipcRenderer, require "show".say
  local function quit() ipc.send "spec:quit" end
]]):gsub("\n%s*", " ") .. "\n"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

--- The files of the app.
---@param scripts table main, page: Lua text; preferences: the Lua text of a table; files: more
---pages, by name; deadline, env: as for app.spawn
---@return table<string, string>
function M.files(scripts)
  local files = { ["show.lua"] = read "spec/support/show.lua" }
  local before = MAIN_BEFORE:gsub("PREFERENCES", scripts.preferences or "nil")
  files["main.lua"] = before .. (scripts.main or "") .. MAIN_AFTER
  files["page.lua"] = PAGE_BEFORE .. (scripts.page or "")
  for name, text in pairs(scripts.files or {}) do
    files[name] = PAGE_BEFORE .. text
  end
  return files
end

--- Runs the app of these files until it ends. Its folder's name is left out of what it printed.
---@param files table<string, string>
---@param options table? as for app.spawn
---@return {stdout: string, stderr: string, status: integer, signal: integer}
function M.run_files(files, options)
  local dir = app.folder(files)
  local ok, result = pcall(app.spawn(app.executable, { dir }, options).wait)
  app.remove(dir)
  if not ok then error(result, 0) end
  for _, stream in ipairs { "stdout", "stderr" } do
    result[stream] = result[stream]:gsub((dir:gsub("%p", "%%%0")) .. "/?", "")
  end
  result.stderr = result.stderr:gsub(INTERRUPTED_LEAK_CHECK, "")
  return result
end

--- Runs the app of these scripts.
function M.run(scripts)
  return M.run_files(M.files(scripts), { deadline = scripts.deadline, env = scripts.env })
end

--- Runs the app, which must end well and complain of nothing; what it printed.
---@return string
function M.output(scripts)
  local result = M.run(scripts)
  assert.equal("", result.stderr)
  assert.equal(0, result.status)
  return result.stdout
end

return M
