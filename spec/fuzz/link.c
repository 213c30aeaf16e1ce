/* SPDX-License-Identifier: MIT
 * Fuzz target: a whole link, from the socket to peer.lua, with a peer that sends the input and
 * hangs up. Input: an options byte, a byte for the size of the pieces, then what the peer sends.
 * The link must end, nothing may be uncaught, nothing may be left, and memory stays within bounds.
 */
#include "fuzz.h"

#include "ipc/link.h"
#include "vm/entry.h"
#include "vm/loader.h"

#include <errno.h>
#include <lauxlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  OPTIONS_SIZE = 2,
  PIECES_MAX = 12,
  BYTES_PER_BYTE = 300, /* of Lua's heap, for a byte that the peer sends */
  BYTES_FREE = 1 << 19,
  HEAP_KEPT = 8 << 20, /* of garbage */
  INPUTS_PER_CHECK = 1024,
  GROWTH_MAX = 1 << 18, /* of the heap after all, once things have settled */
};

/* The chunk (import, find) returns open(options, fd) and close(), which returns whether the link
 * has told its end. `find` takes what must not be. */
static const char script[] =
    "local import, find = ...\n"
    "local Peer = import 'common.peer'\n"
    "local event = import 'common.event'\n"
    "local Promise = import('common.promise').Promise\n"
    "local report = import 'common.report'\n"
    "report.warn = function() end\n"
    "report.on_uncaught = find\n"
    "report.on_unhandled = find\n"
    "local function ignore() end\n"
    "local owner\n"
    "local handlers = {\n"
    "  a = function(_, ...) return ... end,\n"
    "  b = function() error({ message = 'no', code = 7 }) end,\n"
    "  c = function() Promise.new(ignore):await() end,\n"
    "  d = function() return Promise.resolve(1, nil, 3) end,\n"
    "  e = function(e) e.signal:on('abort', ignore) return Promise.new(ignore) end,\n"
    "  f = function() return ignore end,\n"
    "}\n"
    "local function echo(_, ...) pcall(owner.peer.send, owner.peer, 0, 'b', ...) end\n"
    "local listeners = {\n"
    "  a = { echo }, b = { ignore }, d = { ignore, echo },\n"
    "  c = { function() owner.peer:close 'closed by a message' end },\n"
    "  e = { function() Promise.new(ignore):await() end },\n"
    "  f = { function(e) e.returnValue = 1 e.returnValue = 2 end },\n"
    "}\n"
    "local core_link = import 'core.link'\n"
    "local routes = {\n"
    "  handlers = { handlers }, listeners = { listeners, { d = { ignore } } },\n"
    "  event = event.kind({}, {})(), sync_event = event.kind({}, {}, core_link.return_value)(),\n"
    "}\n"
    "local Owner = { _routes = routes }\n"
    "Owner.__index = Owner\n"
    "Owner._internal = {\n"
    "  note = ignore, echo = function(_, ...) return ... end, bad = function() return ignore end,\n"
    "}\n"
    "function Owner:_on_message() self.messages = self.messages + 1 end\n"
    "function Owner:_on_sync(e, channel, ...)\n"
    "  if channel == 'd' then e.returnValue = (...) end\n"
    "  if channel == 'x' then self.peer:reply_error(e[1], ...) end\n"
    "end\n"
    "function Owner:_on_send_to(id, channel, ...) self.peer:pass_on(id, channel, ...) end\n"
    "function Owner:_on_boot(options)\n"
    "  if type(options) == 'table' and options.limits then self.booted = true end\n"
    "end\n"
    "function Owner:_on_gone()\n"
    "  self.gone = true\n"
    "  self.peer:close 'gone'\n"
    "end\n"
    "local function ask(channel) return owner.peer:ask(channel, channel):catch(ignore) end\n"
    "local function open(options, fd)\n"
    "  local role = options & 1 == 0 and 'main' or 'peer'\n"
    "  owner = setmetatable({ messages = 0 }, Owner)\n"
    "  local peer = Peer.new(role, owner, 'the fuzzer')\n"
    "  owner.peer = peer\n"
    "  local limits = { messageSize = options & 4 == 0 and 1 << 28 or 100 }\n"
    "  peer:configure { codec = options & 2 == 0 and 'clone' or 'json', limits = limits }\n"
    "  if role == 'main' then assert(peer:boot { limits = {} }) end\n"
    "  if role == 'main' then assert(peer:connect(fd)) else peer:greet(fd) end\n"
    "  ask 'first'\n"
    "  local second = peer:ask 'second'\n"
    "  second:catch(ignore)\n"
    "  second:cancel()\n"
    "  peer:request('echo', 1):catch(ignore)\n"
    "end\n"
    "local function block()\n"
    "  local _, _, sendSync = owner.peer:public_functions(ignore, ignore, ignore)\n"
    "  pcall(sendSync, 'sync', 1)\n"
    "end\n"
    "local function is_gone() return owner.gone or owner.peer._gone ~= nil end\n"
    "return open, block, is_gone\n";

static State *state;
static size_t settled; /* the heap after some inputs */
static unsigned inputs;
static int open_link, block, is_gone; /* references to the script's functions */

/* (error, traceback): an error that nobody caught, for want of nothing. */
static int find(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  require_no_error(L, __FILE__, __LINE__);
}

/* (): loads the script; returns its three functions. Protected. */
static int load_script(lua_State *L) {
  if (luaL_loadstring(L, script) != LUA_OK) lua_error(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "lunette.import");
  lua_pushcfunction(L, find);
  lua_call(L, 2, 3);
  return 3;
}

static void start(void) {
  Loop *loop = loop_new();
  state = loop && loop_start(loop) == 0 ? state_new(loop) : NULL;
  REQUIRE(state);
  lua_State *L = state->L;
  watch_lines(L);
  lua_pushcfunction(L, load_script);
  if (lua_pcall(L, 0, 3, 0) != LUA_OK) require_no_error(L, __FILE__, __LINE__);
  is_gone = luaL_ref(L, LUA_REGISTRYINDEX);
  block = luaL_ref(L, LUA_REGISTRYINDEX);
  open_link = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Calls a function of the script with two numbers; true if it says so. */
static bool call(int function, int first, int second) {
  lua_State *L = state->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  lua_pushinteger(L, first);
  lua_pushinteger(L, second);
  entry_enter(state);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK) require_no_error(L, __FILE__, __LINE__);
  entry_leave(state);
  bool result = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return result;
}

/* The peer sends the bytes in pieces; it reads only what would be in its way. */
static void feed(int fd, const uint8_t *bytes, size_t size, size_t piece) {
  uint8_t ignored[1 << 12];
  if (piece < size / PIECES_MAX + 1) piece = size / PIECES_MAX + 1;
  for (size_t at = 0; at < size;) {
    size_t count = size - at < piece ? size - at : piece;
    ssize_t sent = send(fd, bytes + at, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return; /* the link is closed */
    if (sent > 0) at += (size_t)sent;
    if (sent < 0) recv(fd, ignored, sizeof ignored, MSG_DONTWAIT);
    uv_run(&state->loop->uv, UV_RUN_NOWAIT);
  }
}

/* A session as `options` say: 1 our end is a renderer's, 2 with JSON, 4 with a small messageSize, 8
 * the renderer blocks in a sendSync. */
static void play(int options, size_t piece, const uint8_t *bytes, size_t size) {
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  call(open_link, options, pair[0]);
  bool blocks = (options & 9) == 9;
  size_t rest = blocks ? size / 2 : 0;
  feed(pair[1], bytes, size - rest, piece);
  if (blocks && !call(is_gone, 0, 0)) {
    ssize_t sent = send(pair[1], bytes + size - rest, rest, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* the link may be closed */
    shutdown(pair[1], SHUT_WR);
    call(block, 0, 0);
  }
  close(pair[1]);
  loop_run(state->loop); /* to the end: nothing is left that could keep it running */
  REQUIRE(call(is_gone, 0, 0));
}

/* What sessions leave is garbage. */
static void check_heap(void) {
  lua_gc(state->L, LUA_GCCOLLECT);
  call(is_gone, 0, 0); /* an entry, for the microtasks of finalisers */
  lua_gc(state->L, LUA_GCCOLLECT);
  if (settled == 0) settled = state->memory->used;
  REQUIRE(state->memory->used <= settled + GROWTH_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < OPTIONS_SIZE) return 0;
  if (!state) start();
  Memory *memory = state->memory;
  size_t before = memory->mark = memory->peak = memory->used;
  size_t piece = data[1] == 0 ? size : data[1];
  play(data[0], piece, data + OPTIONS_SIZE, size - OPTIONS_SIZE);
  REQUIRE(lua_gettop(state->L) == 0);
  REQUIRE(state->memory->peak - before <= BYTES_FREE + BYTES_PER_BYTE * size);
  if (++inputs % INPUTS_PER_CHECK == 0 || state->memory->used > settled + HEAP_KEPT) check_heap();
  return 0;
}
