--- `console` and `print` of a page: lines that main writes to the terminal and tells as
--- `console-message`.

local M = {}

local function format(...)
  local texts = table.pack(...)
  for i = 1, texts.n do
    texts[i] = tostring(texts[i])
  end
  return table.concat(texts, "\t")
end

--- Adds them to a page's globals. `host.console(level, text)` sends a line on.
---@param globals table
---@param host PageHost
function M.install(globals, host)
  local console = {}
  for _, level in ipairs { "log", "info", "warn", "error" } do
    console[level] = function(...)
      host.console(level, format(...))
    end
  end
  globals.console, globals.print = console, console.log
end

return M
