/* SPDX-License-Identifier: MIT
 * How a renderer's state begins. */
#include "vm/renderer_state.h"

#include "base/log.h"
#include "host/sandbox.h"
#include "vm/brake.h"
#include "vm/entry.h"
#include "vm/loader.h"

#include <lauxlib.h>

/* What the functions below need. */
typedef struct Boot {
  const char *module;
  char *const *arguments;
  RendererLink link;
  bool contained;
  unsigned missing;
} Boot;

/* (boot): loads the modules. Protected. Nearly all of it stays: the collector, which would look
 * through it each time that the heap has doubled, waits. Once it is let go it looks at once: here,
 * and not while main waits for the page. */
static int load_modules(lua_State *L) {
  const Boot *boot = lua_touserdata(L, 1);
  lua_gc(L, LUA_GCSTOP);
  loader_import(L, boot->module);
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCSTEP, 0);
  return 0;
}

/* (boot): prepare(arguments...). Protected. */
static int prepare(lua_State *L) {
  enum { PAUSE = 400 }; /* percent of the heap */
  const Boot *boot = lua_touserdata(L, 1);
  lua_gc(L, LUA_GCSTOP);
  loader_import(L, boot->module);
  lua_getfield(L, -1, "prepare");
  int function = lua_gettop(L);
  for (char *const *argument = boot->arguments; *argument; argument++) {
    luaL_checkstack(L, 1, "too many arguments");
    lua_pushstring(L, *argument);
  }
  lua_call(L, lua_gettop(L) - function, 0);
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCINC, PAUSE, 0, 0);
  return 0;
}

/* (boot): start(link, contained, missing...). Protected. */
static int connect_to_main(lua_State *L) {
  const Boot *boot = lua_touserdata(L, 1);
  loader_import(L, boot->module);
  lua_getfield(L, -1, "start");
  if (boot->link.channel) lua_pushlightuserdata(L, boot->link.channel);
  else lua_pushinteger(L, boot->link.fd);
  lua_pushboolean(L, boot->contained);
  if (boot->missing & SANDBOX_FILTER) lua_pushliteral(L, "filter");
  if (boot->missing & SANDBOX_LANDLOCK) lua_pushliteral(L, "landlock");
  lua_call(L, lua_gettop(L) - 3, 0);
  return 0;
}

/* (boot): idle(). Protected. */
static int tell_idle(lua_State *L) {
  const Boot *boot = lua_touserdata(L, 1);
  loader_import(L, boot->module);
  lua_getfield(L, -1, "idle");
  lua_call(L, 0, 0);
  return 0;
}

/* Runs the function as an entry into Lua. */
static bool run_protected(State *state, lua_CFunction function, Boot boot) {
  lua_State *L = state->L;
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, &boot);
  entry_enter(state);
  int status = lua_pcall(L, 1, 0, 0);
  entry_leave(state);
  if (status == LUA_OK) return true;
  if (brake_is_pulled(state->loop->brake)) return false; /* it is not to start any more */
  const char *reason = lua_tostring(L, -1);
  log_warn_to(state->log, "a renderer cannot start: %s",
              reason ? reason : "an error that is no string");
  lua_pop(L, 1);
  return false;
}

/* (boot): load_all(). Protected. */
static int load_rest(lua_State *L) {
  const Boot *boot = lua_touserdata(L, 1);
  lua_gc(L, LUA_GCSTOP);
  loader_import(L, boot->module);
  lua_getfield(L, -1, "load_all");
  lua_call(L, 0, 0);
  lua_gc(L, LUA_GCRESTART);
  return 0;
}

bool renderer_state_load(State *state, const char *boot) {
  return run_protected(state, load_modules, (Boot){.module = boot});
}

bool renderer_state_load_rest(State *state, const char *boot) {
  return run_protected(state, load_rest, (Boot){.module = boot});
}

bool renderer_state_prepare(State *state, const char *boot, char *const *arguments) {
  return run_protected(state, prepare, (Boot){.module = boot, .arguments = arguments});
}

bool renderer_state_connect(State *state, const char *boot, RendererLink link, bool contained,
                            unsigned missing) {
  Boot how = {.module = boot, .link = link, .contained = contained, .missing = missing};
  return run_protected(state, connect_to_main, how);
}

bool renderer_state_idle(State *state, const char *boot) {
  return run_protected(state, tell_idle, (Boot){.module = boot});
}
