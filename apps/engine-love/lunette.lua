-- SPDX-License-Identifier: MIT
-- Lunette for LuaJIT, by its FFI: what of lunette.h this game uses. It polls: a callback into code
-- that LuaJIT has compiled would end the program.
local ffi = require "ffi"

ffi.cdef [[
typedef struct LunetteHost LunetteHost;
typedef struct LunetteEvent {
  int type; int page; int64_t id; int status;
  const char *channel; size_t channel_size;
  const char *text; size_t text_size;
} LunetteEvent;
typedef struct LunetteOptions {
  size_t size;
  const char *app; const char *code;
  const void *files; size_t file_count;
  int argc; char *const *argv;
  unsigned flags;
  const char *executable;
  void *log; void *allocate; void *data;
  int stop_signal;
} LunetteOptions;
int lunette_open(const LunetteOptions *options, LunetteHost **host);
int lunette_close(LunetteHost *host);
int lunette_pump(LunetteHost *host, int budget_us);
const LunetteEvent *lunette_next_event(LunetteHost *host);
const char *lunette_error(const LunetteHost *host);
const char *lunette_version(void);
int lunette_on(LunetteHost *host, const char *channel, void *callback, void *data);
int lunette_handle(LunetteHost *host, const char *channel, void *callback, void *data);
int lunette_reply(LunetteHost *host, int64_t id, const char *json, size_t size);
int lunette_send(LunetteHost *host, int page, const char *channel, const char *json, size_t size);
int lunette_page_open(LunetteHost *host, const char *file, const char *options);
int lunette_page_reload(LunetteHost *host, int page);
]]

local C = ffi.load(os.getenv "LUNETTE_LIBRARY" or "lunette")

local ENDED, NONE = 2, 0

-- The numbers of the events, as in lunette.h.
local NAMES = {
  "quit", "message", "invoke", "reply", "loaded", "failed", "gone", "unresponsive", "responsive",
  "closed", "log",
}

local Host = {}
Host.__index = Host

local function check(self, result)
  if result < 0 then error(ffi.string(C.lunette_error(self.pointer)), 3) end
  return result
end

-- Opens the app in a folder.
local function open(app)
  local options = ffi.new("LunetteOptions", { size = ffi.sizeof "LunetteOptions", app = app })
  local out = ffi.new "LunetteHost *[1]"
  local status = C.lunette_open(options, out)
  local self = setmetatable({ pointer = out[0] }, Host)
  check(self, status)
  return self
end

-- Gives Lunette so many microseconds. Returns whether the app goes on.
function Host:pump(budget_us)
  return check(self, C.lunette_pump(self.pointer, budget_us)) ~= ENDED
end

-- Iterates over the events that have come: name, page, channel, text, id.
function Host:events()
  return function()
    local event = C.lunette_next_event(self.pointer)
    if event.type == NONE then return nil end
    local channel = ffi.string(event.channel, event.channel_size)
    local text = ffi.string(event.text, event.text_size)
    return NAMES[event.type], event.page, channel, text, event.id
  end
end

-- Wants the messages that pages send on the channel.
function Host:on(channel) check(self, C.lunette_on(self.pointer, channel, nil, nil)) end

-- Answers what pages ask on the channel.
function Host:handle(channel) check(self, C.lunette_handle(self.pointer, channel, nil, nil)) end

function Host:reply(id, json) check(self, C.lunette_reply(self.pointer, id, json, #json)) end

function Host:send(page, channel, json)
  return C.lunette_send(self.pointer, page, channel, json, #json) >= 0
end

function Host:open_page(file) return check(self, C.lunette_page_open(self.pointer, file, nil)) end

function Host:reload(page) check(self, C.lunette_page_reload(self.pointer, page)) end

function Host:close()
  C.lunette_close(self.pointer)
  self.pointer = nil
end

return { open = open, version = ffi.string(C.lunette_version()) }
