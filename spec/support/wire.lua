-- SPDX-License-Identifier: MIT
--- Packets of docs/protocol.md as bytes, good ones and others. Goes into apps under test too: a
--- page without a sandbox that writes them to its link plays a hostile peer.
local import = debug.getregistry()["lunette.import"]
local clone = import "core.clone"
local uv = require("lunette").uv

local FDS <const> = 64
local WRITES <const> = 1 -- of the last octal digit of a descriptor's flags

local M = {
  HELLO = 1, BOOT = 2, MESSAGE = 3, INVOKE = 4, REPLY = 5, CANCEL = 6, SYNC = 7, SEND_TO = 8,
  UPGRADE = 9,
  ERROR = 1, INTERNAL = 2, JSON = 4, SHARED = 8,
  --- Descriptor of a renderer's link, until it is upgraded.
  LINK_FD = 3,
  --- What HELLO says.
  VERSION = import("core.link").PROTOCOL_VERSION,
}

--- Descriptor of the pipe that an upgraded link writes to: the last one that was made.
---@return integer
function M.find_pipe()
  for fd = FDS, M.LINK_FD + 1, -1 do
    local target = uv.fs_readlink("/proc/self/fd/" .. fd)
    if target and target:find "^pipe:" then
      local file <close> = assert(io.open("/proc/self/fdinfo/" .. fd))
      local flags = file:read("a"):match "flags:%s*%d*(%d)"
      if tonumber(flags) & WRITES ~= 0 then return fd end
    end
  end
  error "the link has no pipe"
end

--- The body of some values.
M.body = clone.encode

--- A packet. `fields`: flags, id, frame, channel, body; and size, channel_size, to lie about them.
---@param kind integer
---@param fields table?
---@return string
function M.packet(kind, fields)
  local f = fields or {}
  local channel, body = f.channel or "", f.body or ""
  local size, channel_size = f.size or #channel + #body, f.channel_size or #channel
  local id, frame = f.id or 0, f.frame or 0
  local header = ("<I4I1I1I2I4I4"):pack(size, kind, f.flags or 0, channel_size, id, frame)
  return header .. channel .. body
end

return M
