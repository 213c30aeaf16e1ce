--- Running a page's preload script.
local import = ...
local boot = import "renderer.boot"
local page = import "renderer.page"
local report = import "common.report"

--- Runs it. Without it the page still runs, as in Electron.
---@param options table
return function(options)
  local preload = options.preload
  local function fail(err, traceback)
    local text = report.describe(err)
    if traceback then text = text .. "\n" .. traceback end
    boot.peer:send_internal("preload-error", preload.path, text)
  end
  local chunk, err = page.compile(options, preload)
  if chunk then
    page.run(chunk, fail)
  else
    fail(err)
  end
end
