--- `event.senderFrame` and `webContents.mainFrame`: a frame of a page, seen from main.
local import = ...
local arguments = import "common.arguments"

---@class WebFrameMain
local WebFrameMain = { __name = "WebFrameMain", _example = "frame" }
WebFrameMain.__index = WebFrameMain

--- Sends a message to the frame.
---@param channel string
---@return boolean
function WebFrameMain:send(channel, ...)
  arguments.check_self("WebFrameMain:send", self, WebFrameMain)
  local sent = self._contents:_send_to_frame("WebFrameMain:send", self.frameId, channel, ...)
  return sent
end

--- Whether its page was replaced or is gone.
---@return boolean
function WebFrameMain:isDestroyed()
  arguments.check_self("WebFrameMain:isDestroyed", self, WebFrameMain)
  return self._contents._page ~= self._page
end

local M = {}

--- The frame `id` of the page that the contents show now.
function M.new(contents, id)
  return setmetatable({
    frameId = id,
    processId = contents:_process_id(),
    url = contents._url,
    _contents = contents,
    _page = contents._page,
  }, WebFrameMain)
end

return M
