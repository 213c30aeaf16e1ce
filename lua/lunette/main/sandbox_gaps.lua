--- What the system lacks for the sandbox of a page, told on standard error: once an app, not for
--- each page.
local import = ...
local report = import "common.report"

local TEXTS <const> = {
  filter = "pages run without a filter of system calls, which this system refuses: "
    .. "process.sandboxed is false",
  landlock = "pages run without Landlock, which this system lacks: the other walls stand",
}

local told = {}

local M = {}

--- A renderer says that it runs without a part of its sandbox. It may lie, or say anything.
---@param part any
function M.tell(part)
  local text = part ~= nil and TEXTS[part]
  if not text or told[part] then return end
  told[part] = true
  report.warn(text)
end

return M
