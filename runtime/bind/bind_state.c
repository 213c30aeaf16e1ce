/* SPDX-License-Identifier: MIT
 * core.state: what a state knows of itself, and of what it is made from. */
#include "bind/bind.h"
#include "host/child.h"
#include "lunette.h"
#include "vm/brake.h"
#include "vm/loader.h"
#include "vm/pacer.h"
#include "vm/state.h"

#include <stdlib.h>

/* heap(): bytes that Lua has allocated now, and at most so far, in all worlds of this renderer. */
static int l_heap(lua_State *L) {
  const State *state = state_from(L);
  lua_pushinteger(L, (lua_Integer)state->memory->used);
  lua_pushinteger(L, (lua_Integer)state->memory->peak);
  return 2;
}

static void end_process(void *unused, bool again) {
  (void)unused;
  child_out_of_memory(again);
}

static void end_thread(void *brake, bool again) { ((Brake *)brake)->exhausted(brake, again); }

/* limit(bytes): past it, this renderer ends as one that is out of memory. */
static int l_limit(lua_State *L) {
  lua_Integer limit = luaL_checkinteger(L, 1);
  luaL_argcheck(L, limit > 0, 1, "bytes expected");
  State *state = state_from(L);
  Brake *brake = state->loop->brake;
  memory_limit(state->memory, (size_t)limit, brake ? end_thread : end_process, brake);
  pacer_start(state);
  return 0;
}

/* leave([code]): ends this renderer where it stands; without a code as one that could not start. */
static int l_leave(lua_State *L) {
  Brake *brake = state_from(L)->loop->brake;
  int code = (int)luaL_optinteger(L, 1, CHILD_LAUNCH_FAILED) & 0xff;
  if (!brake) exit(code);
  brake->code = code;
  brake_pull_here(brake);
  return 0; /* its next instruction is not run */
}

/* seal(): the runtime's modules come from the executable alone from now on. */
static int l_seal(lua_State *L) {
  loader_seal(L);
  return 0;
}

/* versions(): a table of the versions of Lunette and its parts. */
static int l_versions(lua_State *L) {
  lua_newtable(L);
  lua_pushliteral(L, LUNETTE_VERSION);
  lua_setfield(L, -2, "lunette");
  lua_pushliteral(L, LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE);
  lua_setfield(L, -2, "lua");
  lua_pushstring(L, uv_version_string());
  lua_setfield(L, -2, "uv");
  return 1;
}

/* random(): an integer of 64 bits that nobody can guess. */
static int l_random(lua_State *L) {
  lua_Integer number = 0;
  if (uv_random(NULL, NULL, &number, sizeof number, 0, NULL) < 0) {
    return luaL_error(L, "the system has no random numbers");
  }
  lua_pushinteger(L, number);
  return 1;
}

/* log(level, text [, page]): a line for the log of the program that hosts us. False when there is
 * none: then it belongs on the standard streams. */
static int l_log(lua_State *L) {
  static const char *const levels[] = {"info", "warn", "error", NULL};
  const LogSink *sink = state_from(L)->log;
  int level = luaL_checkoption(L, 1, NULL, levels);
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  if (sink) sink->write(sink->data, (LogLevel)level, (int)luaL_optinteger(L, 3, 0), text, size);
  lua_pushboolean(L, sink != NULL);
  return 1;
}

static const luaL_Reg functions[] = {
    {"heap", l_heap},     {"leave", l_leave}, {"limit", l_limit},       {"log", l_log},
    {"random", l_random}, {"seal", l_seal},   {"versions", l_versions}, {NULL, NULL},
};

int open_state(lua_State *L) {
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, NULL); /* what lua-cjson's null is, which need not be opened for it */
  lua_setfield(L, -2, "null");
  return 1;
}
