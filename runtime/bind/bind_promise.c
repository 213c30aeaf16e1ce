/* SPDX-License-Identifier: MIT
 * core.promise: what every promise does: it is made, awaited and settled. */
#include "bind/bind.h"
#include "bind/promise.h"
#include "vm/entry.h"
#include "vm/loader.h"
#include <string.h>

/* Upvalues of await and pawait. */
enum { UP_CLASS = 1, UP_AWAITS, UP_HELPERS, UP_COUNT = UP_HELPERS };

enum { TRIPLE = 3 };

/* Replaces the nil on top by the class, which the first promise of a state makes. */
static void push_class(lua_State *L) {
  lua_pop(L, 1);
  loader_import(L, "common.promise");
  lua_pop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, KEY_PROMISE_CLASS);
}

Promise *promise_push(lua_State *L) {
  Promise *promise = lua_newuserdatauv(L, sizeof *promise, PROMISE_VALUES);
  *promise = (Promise){.state = PROMISE_PENDING};
  if (lua_rawgeti(L, LUA_REGISTRYINDEX, KEY_PROMISE_CLASS) == LUA_TNIL) push_class(L);
  lua_setmetatable(L, -2);
  return promise;
}

Promise *promise_at(lua_State *L, int index) {
  Promise *promise = lua_touserdata(L, index);
  if (!promise || !lua_getmetatable(L, index)) return NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, KEY_PROMISE_CLASS);
  bool is_promise = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is_promise ? promise : NULL;
}

/* The promise that a function of the runtime's own got first. */
static Promise *check_promise(lua_State *L) {
  Promise *promise = promise_at(L, 1);
  luaL_argexpected(L, promise, 1, "Promise");
  return promise;
}

/* ---- values ---- */

/* Packs the values on top, if there is not exactly one. */
static void pack(lua_State *L, int count) {
  if (count == 1) return;
  lua_createtable(L, count, 0);
  lua_insert(L, -count - 1);
  for (int i = count; i > 0; i--) lua_rawseti(L, -i - 1, i);
}

/* Pushes the promise's values, and returns how many. */
static int push_values(lua_State *L, int index, const Promise *promise) {
  lua_getiuservalue(L, index, PROMISE_VALUE);
  if (promise->count == 1) return 1;
  int list = lua_gettop(L);
  luaL_checkstack(L, promise->count, "too many values");
  for (int i = 1; i <= promise->count; i++) lua_rawgeti(L, list, i);
  lua_remove(L, list);
  return promise->count;
}

/* ---- reactions ---- */

/* Sees to it that the reactions are a list, made of the only one if need be. Making it may run
 * finalisers, which may settle the promise: look at its state again afterwards. */
static void make_list(lua_State *L, int index, const Promise *promise) {
  int type = lua_getiuservalue(L, index, PROMISE_REACTIONS);
  lua_pop(L, 1);
  if (type == LUA_TTABLE) return;
  lua_createtable(L, 2 * TRIPLE, 0);
  type = lua_getiuservalue(L, index, PROMISE_REACTIONS);
  if (type == LUA_TTHREAD) {
    lua_rawseti(L, -2, 2);
    lua_pushcfunction(L, entry_wake_function);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, promise->wait);
    lua_rawseti(L, -2, 3);
  } else {
    lua_pop(L, 1);
  }
  if (type == LUA_TTABLE) lua_pop(L, 1); /* somebody was faster */
  else lua_setiuservalue(L, index, PROMISE_REACTIONS);
}

/* Adds the triple on top to the list. */
static void add_reaction(lua_State *L, int index, Promise *promise) {
  lua_getiuservalue(L, index, PROMISE_REACTIONS);
  lua_insert(L, -TRIPLE - 1);
  lua_Integer last = (lua_Integer)promise->reactions * TRIPLE;
  for (int i = TRIPLE; i > 0; i--) lua_rawseti(L, -i - 1, last + i);
  lua_pop(L, 1);
  promise->reactions++;
}

/* The running coroutine waits. What is no list then has no reaction yet. */
static void add_waiter(lua_State *L, int index, Promise *promise, uint32_t wait) {
  if (promise->reactions > 0) {
    lua_pushcfunction(L, entry_wake_function);
    lua_pushthread(L);
    lua_pushinteger(L, wait);
    add_reaction(L, index, promise);
    return;
  }
  lua_pushthread(L);
  lua_setiuservalue(L, index, PROMISE_REACTIONS);
  promise->wait = wait;
  promise->reactions = 1;
}

/* The promise has its outcome: its reactions are due. */
static void enqueue_reactions(State *state, lua_State *L, int index, Promise *promise) {
  uint32_t count = promise->reactions;
  if (count == 0) return;
  if (lua_getiuservalue(L, index, PROMISE_REACTIONS) == LUA_TTHREAD) {
    entry_enqueue_wake(state, L, promise->wait);
  } else {
    int list = lua_gettop(L);
    for (uint32_t i = 0; i < count; i++) entry_enqueue_slots(state, L, list, (int)i * TRIPLE + 1);
    lua_pop(L, 1);
  }
  promise->reactions = 0;
  lua_pushnil(L);
  lua_setiuservalue(L, index, PROMISE_REACTIONS);
}

void promise_settle(State *state, lua_State *L, int index, PromiseState outcome, int count) {
  Promise *promise = lua_touserdata(L, index);
  pack(L, count); /* which may run finalisers, hence the order */
  if (promise->state != PROMISE_PENDING) {
    lua_pop(L, 1);
    return;
  }
  enqueue_reactions(state, L, index, promise); /* first, as memory may be short for it */
  lua_setiuservalue(L, index, PROMISE_VALUE);
  promise->count = count;
  promise->state = (uint8_t)outcome;
}

/* ---- for promise.lua ---- */

/* pending() */
static int l_pending(lua_State *L) {
  promise_push(L);
  return 1;
}

/* is(value) */
static int l_is(lua_State *L) {
  lua_pushboolean(L, promise_at(L, 1) != NULL);
  return 1;
}

/* state(promise): a PromiseState. */
static int l_state(lua_State *L) {
  lua_pushinteger(L, check_promise(L)->state);
  return 1;
}

/* settle(promise, state, ...) */
static int l_settle(lua_State *L) {
  check_promise(L);
  PromiseState outcome = (PromiseState)luaL_checkinteger(L, 2);
  promise_settle(state_from(L), L, 1, outcome, lua_gettop(L) - 2);
  return 0;
}

/* values(promise): what it has settled with. */
static int l_values(lua_State *L) {
  const Promise *promise = check_promise(L);
  return promise->state == PROMISE_PENDING ? 0 : push_values(L, 1, promise);
}

/* react(promise, fn, a, b): adds a reaction; it is due when the promise has settled already. */
static int l_react(lua_State *L) {
  Promise *promise = check_promise(L);
  lua_settop(L, 1 + TRIPLE);
  if (promise->state == PROMISE_PENDING) make_list(L, 1, promise);
  if (promise->state == PROMISE_PENDING) {
    add_reaction(L, 1, promise);
  } else {
    promise->handled = 1;
    entry_enqueue(state_from(L), L);
  }
  return 0;
}

/* The place of the reaction fn(a, ...), the arguments 2 and 3, in the list at `list`; -1 for none.
 */
static lua_Integer find_reaction(lua_State *L, int list, lua_Integer count) {
  for (lua_Integer i = 0; i < count; i++) {
    lua_rawgeti(L, list, i * TRIPLE + 1);
    lua_rawgeti(L, list, i * TRIPLE + 2);
    bool found = lua_rawequal(L, -2, 2) && lua_rawequal(L, -1, 3);
    lua_pop(L, 2);
    if (found) return i;
  }
  return -1;
}

/* unreact(promise, fn, a): takes the reaction fn(a, b) out and returns b, nil when there is none:
 * a promise that lives long must not keep those who lost interest in it. Its rejection counts as
 * handled all the same. */
static int l_unreact(lua_State *L) {
  enum { LIST = 4 };
  Promise *promise = check_promise(L);
  lua_settop(L, 3);
  promise->handled = 1;
  if (promise->state == PROMISE_PENDING) make_list(L, 1, promise);
  if (promise->state != PROMISE_PENDING) return 0;
  lua_getiuservalue(L, 1, PROMISE_REACTIONS);
  lua_Integer count = promise->reactions, at = find_reaction(L, LIST, count);
  if (at < 0) return 0;
  lua_rawgeti(L, LIST, at * TRIPLE + 3);
  for (lua_Integer i = at * TRIPLE + 1; i <= count * TRIPLE; i++) {
    lua_rawgeti(L, LIST, i + TRIPLE);
    lua_rawseti(L, LIST, i);
  }
  promise->reactions--;
  return 1;
}

/* reactions(promise): how many there are. */
static int l_reactions(lua_State *L) {
  lua_pushinteger(L, check_promise(L)->reactions);
  return 1;
}

/* handle(promise): its rejection is nothing to report. Returns whether that was so before: then, or
 * because of a reaction. */
static int l_handle(lua_State *L) {
  Promise *promise = check_promise(L);
  lua_pushboolean(L, promise->handled || promise->reactions > 0);
  promise->handled = 1;
  return 1;
}

/* is_handled(promise) */
static int l_is_handled(lua_State *L) {
  const Promise *promise = check_promise(L);
  lua_pushboolean(L, promise->handled || promise->reactions > 0);
  return 1;
}

/* set_on_cancel(promise, fn): fn(promise) is called when it is cancelled. */
static int l_set_on_cancel(lua_State *L) {
  const Promise *promise = check_promise(L);
  lua_settop(L, 2);
  if (promise->state == PROMISE_PENDING) lua_setiuservalue(L, 1, PROMISE_ON_CANCEL);
  return 0;
}

/* on_cancel(promise): that function, or nil. */
static int l_on_cancel(lua_State *L) {
  if (check_promise(L)->state != PROMISE_PENDING) return 0;
  lua_getiuservalue(L, 1, PROMISE_ON_CANCEL);
  return 1;
}

/* fields(promise): a table for what few promises have. */
static int l_fields(lua_State *L) {
  check_promise(L);
  if (lua_getiuservalue(L, 1, PROMISE_FIELDS) == LUA_TTABLE) return 1;
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, PROMISE_FIELDS);
  return 1;
}

/* question(promise): number and channel of the question that it is for. */
static int l_question(lua_State *L) {
  lua_pushinteger(L, check_promise(L)->question);
  lua_getiuservalue(L, 1, PROMISE_CHANNEL);
  return 2;
}

/* ---- awaiting ---- */

/* Calls the helper with the `count` values on top: it raises. */
static int raise_by(lua_State *L, const char *helper, int count) {
  lua_getfield(L, lua_upvalueindex(UP_HELPERS), helper);
  lua_insert(L, -count - 1);
  lua_call(L, count, 0);
  return 0;
}

static int raise_abort(lua_State *L) { return raise_by(L, "raise_abort", 0); }

/* The promise has settled: the results of await, or of pawait. */
static int results(lua_State *L, const Promise *promise, bool protected) {
  bool fulfilled = promise->state == PROMISE_FULFILLED;
  if (protected) lua_pushboolean(L, fulfilled);
  int count = push_values(L, 1, promise);
  if (!fulfilled && !protected) return lua_error(L);
  return count + (protected ? 1 : 0);
}

/* A wake-up without an outcome: the task was cancelled, the promise goes on for others. */
static int woken(lua_State *L, int status, lua_KContext protected) {
  (void)status;
  const Promise *promise = lua_touserdata(L, 1);
  if (promise->state == PROMISE_PENDING) return raise_abort(L);
  return results(L, promise, protected != 0);
}

/* Raises the message at the place of the program's code: lunette.sleep and the like await too. */
static int raise_at_program(lua_State *L, const char *message) {
  lua_Debug ar;
  int level = 1;
  while (lua_getstack(L, level, &ar)) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && strncmp(ar.short_src, "lunette/", 8) != 0) break;
    level++;
  }
  luaL_where(L, level);
  lua_pushstring(L, message);
  lua_concat(L, 2);
  return lua_error(L);
}

static int suspend(lua_State *L, Promise *promise, bool protected) {
  ThreadMark *mark = thread_mark(L);
  if (!lua_isyieldable(L)) {
    return raise_at_program(L, "cannot await here: a C function on the stack (table.sort, "
                               "string.gsub, tostring and the like) cannot be suspended; await "
                               "before you call it");
  }
  if (mark->cancelled) return raise_abort(L);
  add_waiter(L, 1, promise, ++mark->wait);
  mark->waiting = 1;
  lua_pushvalue(L, lua_upvalueindex(UP_AWAITS));
  return lua_yieldk(L, 1, protected, woken);
}

/* What awaits a rejection has handled it. */
static int settled_already(lua_State *L, Promise *promise, bool protected) {
  if (thread_mark(L)->cancelled) return raise_abort(L);
  promise->handled = 1;
  return results(L, promise, protected);
}

/* The first argument, if it is a promise; then it is the only value on the stack. */
static Promise *take_promise(lua_State *L) {
  Promise *promise = lua_touserdata(L, 1);
  if (!promise || !lua_getmetatable(L, 1)) return NULL;
  bool is_promise = lua_rawequal(L, -1, lua_upvalueindex(UP_CLASS));
  lua_settop(L, 1);
  return is_promise ? promise : NULL;
}

static int await(lua_State *L, bool protected) {
  Promise *promise = take_promise(L);
  if (!promise) {
    lua_pushstring(L, protected ? "pawait" : "await");
    return raise_by(L, "raise_self", 1);
  }
  if (promise->reactions > 0) make_list(L, 1, promise);
  if (promise->state == PROMISE_PENDING) return suspend(L, promise, protected);
  return settled_already(L, promise, protected);
}

/* Promise:await(): see promise.lua. */
static int l_await(lua_State *L) { return await(L, false); }

/* Promise:pawait() */
static int l_pawait(lua_State *L) { return await(L, true); }

/* describe(promise): what tostring gives for it. */
static int l_describe(lua_State *L) {
  static const char *const names[] = {"pending", "fulfilled", "rejected"};
  lua_pushfstring(L, "Promise (%s)", names[check_promise(L)->state]);
  return 1;
}

/* set_class(class, awaits, helpers): the metatable of all promises; gives it `await` and `pawait`,
 * which yield `awaits`. helpers: raise_abort(), raise_self(method). */
static int l_set_class(lua_State *L) {
  const luaL_Reg methods[] = {{"await", l_await}, {"pawait", l_pawait}, {NULL, NULL}};
  lua_settop(L, UP_COUNT);
  luaL_checktype(L, 1, LUA_TTABLE);
  for (const luaL_Reg *method = methods; method->name; method++) {
    for (int i = 1; i <= UP_COUNT; i++) lua_pushvalue(L, i);
    lua_pushcclosure(L, method->func, UP_COUNT);
    lua_setfield(L, 1, method->name);
  }
  lua_pushvalue(L, 1);
  lua_rawseti(L, LUA_REGISTRYINDEX, KEY_PROMISE_CLASS); /* last: nothing fails any more */
  return 0;
}

static const luaL_Reg functions[] = {
    {"pending", l_pending},
    {"is", l_is},
    {"state", l_state},
    {"settle", l_settle},
    {"values", l_values},
    {"react", l_react},
    {"unreact", l_unreact},
    {"reactions", l_reactions},
    {"handle", l_handle},
    {"is_handled", l_is_handled},
    {"set_on_cancel", l_set_on_cancel},
    {"on_cancel", l_on_cancel},
    {"fields", l_fields},
    {"question", l_question},
    {"describe", l_describe},
    {"set_class", l_set_class},
    {NULL, NULL},
};

int open_promise(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
