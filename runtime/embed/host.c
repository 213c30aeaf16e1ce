/* SPDX-License-Identifier: MIT
 * How each function of lunette.h begins and ends, and how it calls the Lua side, main/engine.lua.
 */
#include "embed/host.h"

#include "vm/entry.h"
#include "vm/loader.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool host_is_owned(const LunetteHost *host) {
  return pthread_equal(host->owner, pthread_self()) != 0;
}

/* ---- SIGPIPE ----
 *
 * libuv writes to pipes that scripts have opened without MSG_NOSIGNAL, and so does stdio. Blocked
 * on this thread, the signal waits; one that came meanwhile is taken before it is let in again. */

static sigset_t pipe_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

static void block_pipe_signal(LunetteHost *host) {
  sigset_t set = pipe_signal(), old;
  host->mask_changed = false;
  host->entries = host->state ? host->state->entries : 0;
  if (host->flags & LUNETTE_STANDALONE || pthread_sigmask(SIG_BLOCK, &set, &old) != 0) return;
  host->mask_changed = sigismember(&old, SIGPIPE) == 0;
}

/* Whether anything that writes can have run. */
static bool has_run(const LunetteHost *host) {
  return !host->state || host->state->entries != host->entries || host->state->has_luv;
}

static void unblock_pipe_signal(LunetteHost *host) {
  sigset_t set = pipe_signal();
  const struct timespec none = {0};
  if (!host->mask_changed) return;
  if (has_run(host)) sigtimedwait(&set, NULL, &none);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- entering and leaving ---- */

static void forget_error(LunetteHost *host) {
  if (!host->failed) return;
  free(host->error);
  host->error = NULL;
  host->failed = false;
}

int host_enter(LunetteHost *host) {
  if (!host_is_owned(host)) return LUNETTE_WRONG_THREAD;
  forget_error(host);
  if (host->depth++ == 0) block_pipe_signal(host);
  return LUNETTE_OK;
}

int host_enter_running(LunetteHost *host) {
  int status = host_enter(host);
  if (status != LUNETTE_OK) return status;
  if (host->running || host->state->depth > 0) {
    host_fail(host, LUNETTE_BUSY, "not inside a callback");
    return (int)host_leave(host, LUNETTE_BUSY);
  }
  host->running = true;
  return LUNETTE_OK;
}

int64_t host_leave(LunetteHost *host, int64_t result) {
  if (--host->depth > 0) return result;
  host->running = false;
  if (!host->close_wanted) {
    unblock_pipe_signal(host);
    return result;
  }
  bool mask_changed = host->mask_changed;
  host_free(host);
  LunetteHost gone = {.mask_changed = mask_changed};
  unblock_pipe_signal(&gone);
  return LUNETTE_ENDED;
}

/* ---- errors ---- */

static void set_error(LunetteHost *host, char *text) {
  free(host->error);
  host->failed = true;
  host->error = text;
}

int host_fail(LunetteHost *host, int result, const char *format, ...) {
  char *text = NULL;
  va_list args;
  va_start(args, format);
  if (vasprintf(&text, format, args) < 0) text = NULL;
  va_end(args);
  set_error(host, text);
  return result;
}

void host_keep_error(LunetteHost *host) {
  lua_State *L = host->state->L;
  bool is_text = lua_type(L, -1) == LUA_TSTRING; /* to make one of a number takes memory */
  set_error(host, strdup(is_text ? lua_tostring(L, -1) : "an error that is no string"));
  lua_pop(L, 1);
}

const char *lunette_error(const LunetteHost *host) {
  if (!host) return "not enough memory";
  if (!host_is_owned(host)) return "called by a thread that did not open the host";
  if (host->error) return host->error;
  return host->failed ? "not enough memory" : "";
}

/* ---- calling the Lua side ---- */

static void push_text(lua_State *L, const char *text, size_t size) {
  if (text) lua_pushlstring(L, text, size);
  else lua_pushnil(L);
}

static void push_function(lua_State *L, const Request *request) {
  if (!request->function) {
    lua_pushnil(L);
    return;
  }
  lua_pushlightuserdata(L, request->data);
  lua_pushcclosure(L, request->function, 1);
}

/* (request, values...): calls the function of main/engine.lua. Protected. */
static int run_request(lua_State *L) {
  Request *request = lua_touserdata(L, 1);
  int count = lua_gettop(L) - 1;
  luaL_checkstack(L, count + LUA_MINSTACK, NULL);
  if (!request->name) {
    lua_pushcfunction(L, request->function);
    lua_pushlightuserdata(L, request->data);
    lua_call(L, 1, 0);
    return 0;
  }
  loader_import(L, "main.engine");
  lua_getfield(L, -1, request->name);
  lua_pushinteger(L, request->number);
  lua_pushstring(L, request->channel);
  push_text(L, request->text, request->size);
  push_function(L, request);
  for (int i = 0; i < count; i++) lua_pushvalue(L, 2 + i);
  lua_call(L, 4 + count, 1);
  request->result = lua_tointeger(L, -1);
  return 0;
}

/* A message handler: the traceback behind a string, tables by their __tostring. */
static int add_traceback(lua_State *L) {
  const char *text = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, text, 1);
  return 1;
}

/* The values are moved to the main thread, on which all calls from outside run. */
static bool take_values(lua_State *L, const Request *request) {
  if (!request->values || request->count == 0) return true;
  if (!lua_checkstack(L, request->count + LUA_MINSTACK)) return false;
  if (request->values != L) {
    lua_xmove(request->values, L, request->count);
  } else {
    lua_rotate(L, -request->count - 3, 3); /* handler, function and request below them */
  }
  return true;
}

int host_request(LunetteHost *host, Request *request) {
  lua_State *L = host->state->L;
  int count = request->values ? request->count : 0, base = lua_gettop(L);
  if (request->values == L) base -= count;
  if (!lua_checkstack(L, LUA_MINSTACK)) {
    return host_fail(host, LUNETTE_NO_MEMORY, "not enough memory");
  }
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, run_request);
  lua_pushlightuserdata(L, request);
  if (!take_values(L, request)) {
    lua_settop(L, base);
    return host_fail(host, LUNETTE_NO_MEMORY, "not enough memory");
  }
  entry_enter(host->state);
  int status = lua_pcall(L, 1 + count, 0, base + 1);
  entry_leave(host->state);
  if (status != LUA_OK) host_keep_error(host);
  lua_settop(L, base);
  return status == LUA_OK ? LUNETTE_OK : LUNETTE_FAILED;
}
