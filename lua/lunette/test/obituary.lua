--- The events that a dead worker did not tell any more: the error of what it was running, and the
--- ends of what it had begun.
local M = {}

local SIGNALS <const> = {
  [6] = "SIGABRT",
  [7] = "SIGBUS",
  [8] = "SIGFPE",
  [9] = "SIGKILL",
  [11] = "SIGSEGV",
  [15] = "SIGTERM",
}

--- How the worker ended, in words.
---@param host Host
---@return string
function M.describe(host)
  local ending = host.ending
  if host.overdue then
    local text = "timeout of %d ms exceeded in code that nothing can interrupt: it was killed"
    return text:format(host.overdue)
  end
  if host.exiting then
    local text = "os.exit(%s) was called; what follows in this file was not run\n%s"
    return text:format(host.exiting.code, host.exiting.traceback)
  end
  if ending.reason == "oom" then return "the process of this file ran out of memory" end
  if ending.reason == "killed" or ending.reason == "crashed" then
    local name = SIGNALS[ending.code] or "signal " .. ending.code
    return ("the process of this file was ended by %s (%s)"):format(name, ending.reason)
  end
  return ("the process of this file ended with status %d"):format(ending.code)
end

-- Handlers of busted 2.1 need both fields.
local function make_trace(element, text)
  local trace = element.trace or { short_src = element.name, source = "", currentline = 0 }
  element.trace = trace
  return {
    short_src = trace.short_src,
    source = trace.source,
    currentline = trace.currentline,
    what = "Lua",
    traceback = "",
    message = text,
  }
end

local function end_element(core, open, publish)
  local element, kind = open.element, open.kind
  element.endtick = core.monotime()
  element.endtime = core.gettime()
  element.duration = element.endtick - (element.starttick or element.endtick)
  publish(kind, { kind, "end" }, element, open.parent, kind == "test" and "error" or nil)
end

--- Publishes them. `open` has what was begun, outermost first: {element, parent, kind}.
---@param core table
---@param open table[]
---@param kept integer how many of these go on
---@param file table the element of the file, should it not even have begun
---@param text string
---@param publish fun(descriptor, channel, element, ...)
function M.publish(core, open, kept, file, text, publish)
  local last = open[#open] or { element = file, kind = "file" }
  local element = last.element
  local trace = make_trace(element, text)
  local message = ("%s:%d: %s"):format(trace.short_src, trace.currentline, text)
  publish(element.descriptor, { "error", element.descriptor }, element, last.parent, message, trace)
  for index = #open, kept + 1, -1 do
    end_element(core, open[index], publish)
  end
end

return M
