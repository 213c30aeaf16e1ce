/* SPDX-License-Identifier: MIT
 * core.thread: renderers on threads of this process, started and watched like child processes. */
#include "bind/bind.h"
#include "renderer_thread.h"
#include "vm/entry.h"

#include <signal.h>
#include <unistd.h>

static const char THREAD[] = "lunette.Thread";

/* The userdata; its user value is on_exit, until that was called. While the thread runs, the
 * registry keeps it. */
typedef struct ThreadBox {
  Thread *thread;  /* owned; NULL before the start and after the end */
  ChannelEnd *end; /* owned; of the channel to it, until channel() was called */
  State *state;
  int self; /* reference; LUA_NOREF when there is no thread */
} ThreadBox;

static ThreadBox *check_box(lua_State *L) { return luaL_checkudata(L, 1, THREAD); }

static void let_go(lua_State *L, ThreadBox *box) {
  box->thread = NULL;
  if (box->end) channel_close(box->end);
  box->end = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, box->self);
  box->self = LUA_NOREF;
}

static int after_told(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 0;
}

/* (function, how): the task, in which memory may run short: function(reason, number). */
static int tell(lua_State *L) {
  ChildExit how = *(const ChildExit *)lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_pushstring(L, child_exit_reason(how));
  lua_pushinteger(L, how.signal ? how.signal : how.code);
  lua_callk(L, 2, 0, 0, after_told);
  return 0;
}

/* Takes on_exit from the user value. [-0, +1, never raises] */
static void take_on_exit(lua_State *L, const ThreadBox *box) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  lua_getiuservalue(L, -1, 1);
  lua_pushnil(L);
  lua_setiuservalue(L, -3, 1);
  lua_replace(L, -2);
}

static void on_thread_over(Thread *thread, ChildExit how) {
  const ThreadBox *box = thread_owner(thread);
  State *state = box->state;
  lua_pushcfunction(state->L, tell);
  take_on_exit(state->L, box);
  lua_pushlightuserdata(state->L, &how);
  entry_call(state, 2);
}

static void on_thread_exit(Thread *thread, ChildExit how) {
  ThreadBox *box = thread_owner(thread);
  State *state = box->state;
  lua_pushcfunction(state->L, tell);
  take_on_exit(state->L, box);
  bool is_told = lua_isnil(state->L, -1);
  let_go(state->L, box);
  lua_pushlightuserdata(state->L, &how);
  if (is_told) lua_pop(state->L, 3);
  else entry_call(state, 2);
}

/* A box without a thread, whose user value is on_exit of the options at index 1. */
static ThreadBox *push_box(lua_State *L) {
  ThreadBox *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (ThreadBox){.state = state_from(L), .self = LUA_NOREF};
  luaL_setmetatable(L, THREAD);
  bool is_function = lua_getfield(L, 1, "on_exit") == LUA_TFUNCTION;
  luaL_argcheck(L, is_function, 1, "on_exit: function expected");
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  box->self = luaL_ref(L, LUA_REGISTRYINDEX);
  return box;
}

/* Reads {sandboxed=, signal=} at index 1. */
static RendererThreadOptions check_options(lua_State *L) {
  RendererThreadOptions options = {.on_over = on_thread_over, .on_exit = on_thread_exit};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "sandboxed");
  options.sandboxed = lua_toboolean(L, -1);
  lua_getfield(L, 1, "signal");
  lua_Integer number = luaL_optinteger(L, -1, 0);
  luaL_argcheck(L, number >= 0 && number < NSIG, 1, "signal: number of a signal expected");
  options.signal = (int)number;
  return options;
}

/* spawn{sandboxed=, signal=, on_exit=}: starts a renderer; see renderer_thread.h. Returns it, or
 * nil, message, name. on_exit(reason, code or signal) is called once, unless close() was before it.
 */
static int l_spawn(lua_State *L) {
  lua_settop(L, 1);
  RendererThreadOptions options = check_options(L);
  ThreadBox *box = push_box(L);
  options.owner = box;
  options.log = box->state->log;
  int error = renderer_thread_start(&box->state->loop->uv, &options, &box->thread, &box->end);
  if (error == 0) return 1;
  box->end = NULL;
  let_go(L, box);
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", uv_err_name(error), uv_strerror(error));
  lua_pushstring(L, uv_err_name(error));
  return 3;
}

/* thread:channel(): our end of the channel to it, light userdata, which is the caller's from now
 * on. Nothing when it was given already, or the thread has ended. */
static int l_channel(lua_State *L) {
  ThreadBox *box = check_box(L);
  if (!box->end) return 0;
  lua_pushlightuserdata(L, box->end);
  box->end = NULL;
  return 1;
}

/* thread:set_aside(boolean): whether it waits for work that may never come; see host/thread.h. */
static int l_set_aside(lua_State *L) {
  ThreadBox *box = check_box(L);
  if (box->thread) thread_set_aside(box->thread, lua_toboolean(L, 2));
  return 0;
}

/* thread:pid(): of this process. */
static int l_pid(lua_State *L) {
  check_box(L);
  lua_pushinteger(L, getpid());
  return 1;
}

/* thread:cpu_time(): the nanoseconds of the processor that it has used; 0 after its end. */
static int l_cpu_time(lua_State *L) {
  const ThreadBox *box = check_box(L);
  lua_pushinteger(L, box->thread ? (lua_Integer)thread_cpu_time(box->thread) : 0);
  return 1;
}

/* thread:kill(): has it stopped; on_exit follows. */
static int l_kill(lua_State *L) {
  ThreadBox *box = check_box(L);
  if (box->thread) thread_kill(box->thread);
  return 0;
}

/* thread:close(), and the collector's end of it: stops what still runs, and waits for that; on_exit
 * is not called any more. Idempotent. */
static int l_close(lua_State *L) {
  ThreadBox *box = check_box(L);
  if (!box->thread) return 0;
  thread_close(box->thread);
  let_go(L, box);
  return 0;
}

static const luaL_Reg methods[] = {
    {"channel", l_channel}, {"set_aside", l_set_aside}, {"pid", l_pid}, {"cpu_time", l_cpu_time},
    {"kill", l_kill},       {"close", l_close},         {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"spawn", l_spawn},
    {NULL, NULL},
};

int open_thread(lua_State *L) {
  luaL_newmetatable(L, THREAD);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
