--- Runs a page by itself, in an app that has nothing else.
local app = require "spec.support.app"

local M = {}

local MAIN = [[
local lunette = require "lunette"
lunette.app.whenReady():await()
local win = lunette.BrowserWindow.new { webPreferences = { %s } }
win.webContents:on("did-fail-load", function(_, errno, text)
  if errno == -3 then return end -- the page closed its window while it was being run
  print("cannot load: " .. text)
  win:destroy()
end)
win:loadFile("page.lua")
]]

--- Runs the code as a page until it ends, also after awaiting, and returns what `app.run` does. An
--- error in it is printed. `options`: preferences, the text inside of `webPreferences = {}`; files,
--- more files of the app; and those of `app.run`.
---@param code string
---@param options {preferences: string?, files: table<string, string>?}?
---@return {stdout: string, stderr: string, status: integer}
function M.run(code, options)
  options = options or {}
  local files = {
    ["main.lua"] = MAIN:format(options.preferences or ""),
    ["page.lua"] = ("local ok, err = pcall(function() %s\nend)\n"):format(code)
      .. "if not ok then print('error: ' .. tostring(err)) end\nwindow.close()",
  }
  for name, text in pairs(options.files or {}) do
    files[name] = text
  end
  return app.run(files, options)
end

--- Runs the code as a page; returns what it printed.
---@return string
function M.output(code, options)
  return M.run(code, options).stdout
end

return M
