/* SPDX-License-Identifier: MIT
 * core.promise: what every promise does: it is made, awaited and settled. */
#include "bind/bind.h"
#include "bind/promise.h"
#include "vm/entry.h"

#include <limits.h>

/* The key of the class in the registry; and, as light userdata, the value of a promise that was
 * settled with no values. */
static const char CLASS = 0, NOTHING = 0;

/* Upvalues of await and pawait. */
enum { UP_CLASS = 1, UP_AWAITS, UP_HELPERS };

void promise_push(lua_State *L) {
  lua_createtable(L, PROMISE_SLOTS, 0);
  lua_pushinteger(L, PROMISE_PENDING);
  lua_rawseti(L, -2, PROMISE_STATE);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &CLASS);
  lua_setmetatable(L, -2);
}

static PromiseState get_state(lua_State *L, int promise) {
  lua_rawgeti(L, promise, PROMISE_STATE);
  PromiseState state = (PromiseState)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return state;
}

static void clear(lua_State *L, int promise, PromiseSlot slot) {
  lua_pushnil(L);
  lua_rawseti(L, promise, slot);
}

/* Packs the values on top into `_more` of the promise. */
static void store_more(lua_State *L, int promise, int count) {
  lua_createtable(L, count, 1);
  lua_insert(L, -count - 1);
  for (int i = count; i > 0; i--) lua_rawseti(L, -i - 1, i);
  lua_pushinteger(L, count);
  lua_setfield(L, -2, "n");
  lua_pushliteral(L, "_more");
  lua_insert(L, -2);
  lua_rawset(L, promise);
}

/* Puts in place of the packed list on top what it holds, and returns how many. */
static int push_list(lua_State *L) {
  int list = lua_gettop(L);
  lua_getfield(L, list, "n");
  lua_Integer count = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (count < 0 || count > INT_MAX || !lua_checkstack(L, (int)count))
    return luaL_error(L, "a promise of too many values");
  for (lua_Integer i = 1; i <= count; i++) lua_rawgeti(L, list, i);
  lua_remove(L, list);
  return (int)count;
}

/* Pushes what has been packed; without that, the value is nil. */
static int push_more(lua_State *L, int promise) {
  lua_pushliteral(L, "_more");
  if (lua_rawget(L, promise) == LUA_TTABLE) return push_list(L);
  lua_pop(L, 1);
  lua_pushnil(L);
  return 1;
}

/* Pushes the promise's values, and returns how many. */
static int push_values(lua_State *L, int promise) {
  int type = lua_rawgeti(L, promise, PROMISE_VALUE);
  bool none = type == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == &NOTHING;
  if (type != LUA_TNIL && !none) return 1;
  lua_pop(L, 1);
  return none ? 0 : push_more(L, promise);
}

static void enqueue_others(State *state, lua_State *L, int promise) {
  if (lua_rawgeti(L, promise, PROMISE_OTHERS) == LUA_TTABLE) {
    clear(L, promise, PROMISE_OTHERS);
    int others = lua_gettop(L), count = (int)lua_rawlen(L, others);
    for (int i = 1; i <= count; i += 3) entry_enqueue_slots(state, L, others, i);
  }
  lua_pop(L, 1);
}

/* The promise has its outcome: its reactions are due. */
static void enqueue_reactions(State *state, lua_State *L, int promise) {
  bool any = lua_rawgeti(L, promise, PROMISE_FN) != LUA_TNIL;
  lua_pop(L, 1);
  if (!any) return;
  entry_enqueue_slots(state, L, promise, PROMISE_FN);
  clear(L, promise, PROMISE_FN);
  clear(L, promise, PROMISE_A);
  clear(L, promise, PROMISE_B);
  enqueue_others(state, L, promise);
}

void promise_settle(State *state, lua_State *L, int promise, PromiseState outcome, int count) {
  if (get_state(L, promise) != PROMISE_PENDING) {
    lua_pop(L, count);
    return;
  }
  if (count == 0) lua_pushlightuserdata(L, (void *)&NOTHING);
  if (count <= 1) lua_rawseti(L, promise, PROMISE_VALUE);
  else store_more(L, promise, count);
  lua_pushinteger(L, outcome);
  lua_rawseti(L, promise, PROMISE_STATE);
  clear(L, promise, PROMISE_ON_CANCEL);
  enqueue_reactions(state, L, promise);
}

/* pending() */
static int l_pending(lua_State *L) {
  promise_push(L);
  return 1;
}

/* settle(promise, state, ...): for the runtime's own promises, unchecked. */
static int l_settle(lua_State *L) {
  PromiseState outcome = (PromiseState)luaL_checkinteger(L, 2);
  promise_settle(state_from(L), L, 1, outcome, lua_gettop(L) - 2);
  return 0;
}

/* values(promise): what it has settled with; unchecked. */
static int l_values(lua_State *L) { return push_values(L, 1); }

/* ---- awaiting ---- */

/* Calls the helper: it raises. */
static int raise_by(lua_State *L, const char *helper, int count) {
  lua_getfield(L, lua_upvalueindex(UP_HELPERS), helper);
  lua_insert(L, -count - 1);
  lua_call(L, count, 0);
  return 0;
}

static int raise_abort(lua_State *L) { return raise_by(L, "raise_abort", 0); }

static void check_self(lua_State *L, const char *method) {
  lua_settop(L, 1);
  if (lua_type(L, 1) == LUA_TTABLE && lua_getmetatable(L, 1)) {
    bool is_promise = lua_rawequal(L, -1, lua_upvalueindex(UP_CLASS));
    lua_pop(L, 1);
    if (is_promise) return;
  }
  lua_pushstring(L, method);
  lua_pushvalue(L, 1);
  raise_by(L, "raise_self", 2);
}

/* The promise has settled: the results of await. */
static int results_of_await(lua_State *L, PromiseState state) {
  if (state == PROMISE_FULFILLED) return push_values(L, 1);
  lua_rawgeti(L, 1, PROMISE_VALUE);
  return lua_error(L);
}

static int results_of_pawait(lua_State *L, PromiseState state) {
  lua_pushboolean(L, state == PROMISE_FULFILLED);
  return 1 + push_values(L, 1);
}

static int results(lua_State *L, bool protected) {
  PromiseState state = get_state(L, 1);
  return protected ? results_of_pawait(L, state) : results_of_await(L, state);
}

/* A wake-up without an outcome: the task was cancelled, the promise goes on for others. */
static int woken(lua_State *L, int status, lua_KContext protected) {
  (void)status;
  lua_settop(L, 1);
  if (get_state(L, 1) == PROMISE_PENDING) return raise_abort(L);
  return results(L, protected != 0);
}

/* Adds the reaction wake(the running coroutine, wait). */
static void react_by_waking(lua_State *L, lua_Integer wait) {
  bool first = lua_rawgeti(L, 1, PROMISE_FN) == LUA_TNIL;
  lua_pop(L, 1);
  if (first) {
    lua_pushcfunction(L, entry_wake_function);
    lua_rawseti(L, 1, PROMISE_FN);
    lua_pushthread(L);
    lua_rawseti(L, 1, PROMISE_A);
    lua_pushinteger(L, wait);
    lua_rawseti(L, 1, PROMISE_B);
    return;
  }
  lua_getfield(L, lua_upvalueindex(UP_HELPERS), "add_reaction");
  lua_pushvalue(L, 1);
  lua_pushcfunction(L, entry_wake_function);
  lua_pushthread(L);
  lua_pushinteger(L, wait);
  lua_call(L, 4, 0);
}

static int suspend(lua_State *L, bool protected) {
  ThreadMark *mark = thread_mark(L);
  if (!lua_isyieldable(L)) {
    return luaL_error(L, "cannot await here: a C function on the stack (table.sort, string.gsub, "
                         "tostring and the like) cannot be suspended; await before you call it");
  }
  if (mark->cancelled) return raise_abort(L);
  mark->waiting = 1;
  react_by_waking(L, ++mark->wait);
  lua_pushvalue(L, lua_upvalueindex(UP_AWAITS));
  return lua_yieldk(L, 1, protected, woken);
}

/* What awaits a rejection has handled it. */
static int settled_already(lua_State *L, bool protected) {
  if (thread_mark(L)->cancelled) return raise_abort(L);
  if (get_state(L, 1) == PROMISE_REJECTED) {
    lua_pushboolean(L, 1);
    lua_setfield(L, 1, "_handled");
  }
  return results(L, protected);
}

static int await(lua_State *L, bool protected) {
  check_self(L, protected ? "pawait" : "await");
  if (get_state(L, 1) == PROMISE_PENDING) return suspend(L, protected);
  return settled_already(L, protected);
}

/* Promise:await(): see promise.lua. */
static int l_await(lua_State *L) { return await(L, false); }

/* Promise:pawait() */
static int l_pawait(lua_State *L) { return await(L, true); }

/* add_await(class, awaits, helpers): gives the class its `await` and `pawait`. They yield `awaits`.
 * helpers: raise_abort(), raise_self(method, value), add_reaction(promise, fn, a, b). */
static int l_add_await(lua_State *L) {
  lua_settop(L, 3);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &CLASS);
  const luaL_Reg methods[] = {{"await", l_await}, {"pawait", l_pawait}, {NULL, NULL}};
  for (const luaL_Reg *method = methods; method->name; method++) {
    for (int i = 1; i <= 3; i++) lua_pushvalue(L, i);
    lua_pushcclosure(L, method->func, 3);
    lua_setfield(L, 1, method->name);
  }
  return 0;
}

static const luaL_Reg functions[] = {
    {"pending", l_pending},     {"settle", l_settle}, {"values", l_values},
    {"add_await", l_add_await}, {NULL, NULL},
};

int open_promise(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
