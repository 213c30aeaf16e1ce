/* SPDX-License-Identifier: MIT
 * The public C API: a main state on a loop of its own. */
#include "lunette.h"

#include "base/log.h"
#include "host/child.h"
#include "vm/entry.h"
#include "vm/loader.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

struct LunetteHost {
  Loop *loop;
  State *state;
  bool failed;      /* there is an error */
  char *error;      /* owned: its text; NULL also when there was no memory for it */
  char ***relaunch; /* owned: command lines to start at the end; ends with NULL */
};

/* Keeps the text on top of the stack as the host's error, and pops it. */
static void keep_error(LunetteHost *host) {
  lua_State *L = host->state->L;
  bool is_text = lua_type(L, -1) == LUA_TSTRING; /* to make one of a number takes memory */
  free(host->error);
  host->failed = true;
  host->error = strdup(is_text ? lua_tostring(L, -1) : "an error that is no string");
  lua_pop(L, 1);
}

static void push_options(lua_State *L, const LunetteOptions *options) {
  lua_newtable(L);
  lua_pushstring(L, options->app);
  lua_setfield(L, -2, "app");
  lua_pushstring(L, options->code);
  lua_setfield(L, -2, "code");
  lua_pushboolean(L, options->handle_signals);
  lua_setfield(L, -2, "signals");
  lua_newtable(L);
  for (int i = 0; i < options->argc; i++) {
    lua_pushstring(L, options->argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setfield(L, -2, "argv");
}

/* (options): runs the boot module of main; returns nothing, or nil and a message. Protected. */
static int boot(lua_State *L) {
  const LunetteOptions *options = lua_touserdata(L, 1);
  loader_import(L, "main.boot");
  lua_getfield(L, -1, "run");
  push_options(L, options);
  lua_call(L, 1, 2);
  return 2;
}

static int run_boot(LunetteHost *host, const LunetteOptions *options) {
  lua_State *L = host->state->L;
  lua_pushcfunction(L, boot);
  lua_pushlightuserdata(L, (void *)options);
  entry_enter(host->state);
  int status = lua_pcall(L, 1, 2, 0);
  entry_leave(host->state);
  if (status == LUA_OK && lua_toboolean(L, -2)) {
    lua_pop(L, 2);
    return LUNETTE_OK;
  }
  keep_error(host);
  lua_settop(L, 0);
  return LUNETTE_NO_APP;
}

int lunette_open(const LunetteOptions *options, LunetteHost **out) {
  LunetteHost *host = calloc(1, sizeof *host);
  *out = host;
  if (!host) return LUNETTE_NO_MEMORY;
  host->loop = loop_new();
  bool started = host->loop && loop_start(host->loop) == 0;
  host->state = started ? state_new(host->loop) : NULL;
  if (host->state) return run_boot(host, options);
  lunette_close(host);
  *out = NULL;
  return LUNETTE_NO_MEMORY;
}

static void free_argv(char **argv) {
  for (char **arg = argv; arg && *arg; arg++) free(*arg);
  free(argv);
}

/* The list of strings on top of the stack as an argv; NULL when memory is short. */
static char **copy_argv(lua_State *L) {
  size_t count = (size_t)lua_rawlen(L, -1);
  char **argv = calloc(count + 1, sizeof *argv);
  for (size_t i = 0; argv && i < count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    const char *text = lua_tostring(L, -1);
    argv[i] = strdup(text ? text : "");
    lua_pop(L, 1);
    if (argv[i]) continue;
    free_argv(argv); /* rather than to start it with a part of its arguments */
    argv = NULL;
  }
  return argv;
}

/* Keeps the list of lists on top of the stack, which app.relaunch has made. */
static void keep_relaunches(LunetteHost *host) {
  lua_State *L = host->state->L;
  size_t count = (size_t)lua_rawlen(L, -1);
  if (count == 0) return;
  host->relaunch = calloc(count + 1, sizeof *host->relaunch);
  bool kept = host->relaunch != NULL;
  for (size_t i = 0; kept && i < count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    host->relaunch[i] = copy_argv(L);
    kept = host->relaunch[i] != NULL;
    lua_pop(L, 1);
  }
  if (!kept) log_warn("app.relaunch: not enough memory");
}

/* (): the exit status and the command lines to start. Protected. */
static int conclude(lua_State *L) {
  loader_import(L, "main.boot");
  lua_getfield(L, -1, "conclude");
  lua_call(L, 0, 2);
  return 2;
}

int lunette_run(LunetteHost *host) {
  loop_run(host->loop);
  lua_State *L = host->state->L;
  lua_pushcfunction(L, conclude);
  entry_enter(host->state);
  int status = lua_pcall(L, 0, 2, 0);
  entry_leave(host->state);
  if (status != LUA_OK) {
    keep_error(host);
    log_warn("%s", lunette_error(host));
    return 1;
  }
  keep_relaunches(host);
  int code = (int)lua_tointeger(L, -2) & 0xff;
  lua_pop(L, 2);
  return code;
}

const char *lunette_error(const LunetteHost *host) {
  if (host->error) return host->error;
  return host->failed ? "not enough memory" : "";
}

static void start_relaunches(char ***relaunch) {
  for (char ***entry = relaunch; entry && *entry; entry++) {
    int status = child_relaunch(*entry);
    if (status < 0) log_warn("app.relaunch: %s: %s", **entry, uv_strerror(status));
    free_argv(*entry);
  }
  free(relaunch);
}

void lunette_close(LunetteHost *host) {
  if (!host) return;
  state_free(host->state);
  loop_free(host->loop);
  start_relaunches(host->relaunch);
  free(host->error);
  free(host);
}
