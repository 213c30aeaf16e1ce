/* SPDX-License-Identifier: MIT
 * core.coroutine: functions of a state's `coroutine` table that know which coroutines await.
 *
 * A coroutine that awaits has yielded to the runtime. For whoever resumed it that looks like a
 * yield of nothing, and nobody but the runtime may resume it. */
#include "bind/bind.h"
#include "vm/entry.h"
#include "vm/loader.h"

/* The first argument of the public function is no `expected`: raises where that was called. */
static void refuse_argument(lua_State *L, const char *function, const char *expected) {
  loader_import(L, "common.arguments");
  lua_getfield(L, -1, "check");
  lua_pushstring(L, function);
  lua_pushinteger(L, 1);
  lua_pushvalue(L, 1);
  lua_pushstring(L, expected);
  lua_call(L, 4, 0);
}

static lua_State *check_thread(lua_State *L, const char *function) {
  lua_settop(L, lua_gettop(L) > 0 ? lua_gettop(L) : 1);
  if (!lua_isthread(L, 1)) refuse_argument(L, function, "thread");
  return lua_tothread(L, 1);
}

/* Moves `count` values from the top of one stack to the other; false, with them popped, when they
 * do not fit. */
static bool move_values(lua_State *from, lua_State *to, int count) {
  bool fits = lua_checkstack(to, count + 1);
  if (fits) lua_xmove(from, to, count);
  else lua_pop(from, count);
  return fits;
}

/* Pushes the text and returns -1. */
static int refuse(lua_State *L, const char *text) {
  lua_pushstring(L, text);
  return -1;
}

/* Resumes the thread with the `count` values on top. Pushes its results and returns how many;
 * pushes an error and returns -1. */
static int resume(lua_State *L, lua_State *thread, int count) {
  int results = 0;
  if (!move_values(L, thread, count)) return refuse(L, "too many arguments to resume");
  int status = entry_resume(state_from(L), thread, L, count, &results);
  bool ok = status == LUA_OK || status == LUA_YIELD;
  if (!ok) results = 1;
  if (!move_values(thread, L, results)) return refuse(L, "too many results to resume");
  return ok ? results : -1;
}

/* The same for the program. */
static int resume_unless_awaiting(lua_State *L, lua_State *thread, int count) {
  if (thread_mark(thread)->waiting) {
    return refuse(L,
                  "cannot resume a coroutine that awaits a promise: the runtime resumes it then");
  }
  int results = resume(L, thread, count);
  if (results <= 0 || lua_status(thread) != LUA_YIELD || !thread_mark(thread)->waiting)
    return results;
  lua_pop(L, results); /* what it has yielded to the runtime */
  return 0;
}

/* What coroutine.resume returns. */
static int outcome(lua_State *L, int results) {
  lua_pushboolean(L, results >= 0); /* last, as the thread may be L itself */
  if (results < 0) results = 1;
  lua_insert(L, -results - 1);
  return results + 1;
}

/* raw_resume(thread, ...): Lua's own coroutine.resume. */
static int l_raw_resume(lua_State *L) {
  lua_State *thread = check_thread(L, "coroutine.resume");
  return outcome(L, resume(L, thread, lua_gettop(L) - 1));
}

/* resume(thread, ...) */
static int l_resume(lua_State *L) {
  lua_State *thread = check_thread(L, "coroutine.resume");
  return outcome(L, resume_unless_awaiting(L, thread, lua_gettop(L) - 1));
}

/* The function that wrap returned; its upvalue is the coroutine. As Lua's own: a failed coroutine
 * is closed, and a string error gets the caller's position. */
static int call_wrapped(lua_State *L) {
  lua_State *thread = lua_tothread(L, lua_upvalueindex(1));
  int results = resume_unless_awaiting(L, thread, lua_gettop(L));
  if (results >= 0) return results;
  if (lua_status(thread) > LUA_YIELD && entry_reset(state_from(L), thread) != LUA_OK) {
    lua_pop(L, 1);
    lua_xmove(thread, L, 1);
  }
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/* wrap(fn) */
static int l_wrap(lua_State *L) {
  lua_settop(L, 1);
  if (!lua_isfunction(L, 1)) refuse_argument(L, "coroutine.wrap", "function");
  lua_State *thread = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, thread, 1);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

/* running(): the program holds the coroutine from now on; it is not used again. */
static int l_running(lua_State *L) {
  int is_main = lua_pushthread(L);
  thread_mark(L)->escaped = 1;
  lua_pushboolean(L, is_main);
  return 2;
}

/* raw_close(thread): Lua's own coroutine.close. */
static int l_raw_close(lua_State *L) {
  lua_State *thread = check_thread(L, "coroutine.close");
  lua_Debug frame;
  bool runs = lua_status(thread) == LUA_OK && lua_getstack(thread, 0, &frame);
  if (runs) return luaL_error(L, "cannot close a %s coroutine", thread == L ? "running" : "normal");
  int status = entry_reset(state_from(L), thread);
  lua_pushboolean(L, status == LUA_OK);
  if (status == LUA_OK) return 1;
  lua_xmove(thread, L, 1);
  return 2;
}

/* close(thread): no wake-up reaches it any more. */
static int l_close(lua_State *L) {
  lua_State *thread = check_thread(L, "coroutine.close");
  if (lua_status(thread) == LUA_YIELD) thread_mark(thread)->waiting = 0;
  return l_raw_close(L);
}

static const luaL_Reg public_functions[] = {
    {"close", l_close}, {"resume", l_resume}, {"running", l_running},
    {"wrap", l_wrap},   {NULL, NULL},
};

/* install(): replaces the functions in the global table `coroutine`. */
static int l_install(lua_State *L) {
  lua_getglobal(L, "coroutine");
  luaL_setfuncs(L, public_functions, 0);
  return 0;
}

static const luaL_Reg functions[] = {
    {"install", l_install},
    {"raw_close", l_raw_close},
    {"raw_resume", l_raw_resume},
    {NULL, NULL},
};

int open_coroutine(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
