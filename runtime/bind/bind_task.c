/* SPDX-License-Identifier: MIT
 * core.task: tasks on pooled coroutines, and the marks of coroutines that await. */
#include "bind/bind.h"
#include "vm/entry.h"

static lua_State *check_thread(lua_State *L, int index) {
  lua_State *thread = lua_tothread(L, index);
  luaL_argexpected(L, thread, index, "coroutine");
  return thread;
}

/* start(fn, ...): runs fn(...) in a task until it ends or suspends. Its error is reported. Returns
 * true when it ended well; false and the coroutine when it suspended; nothing when it failed. */
static int l_start(lua_State *L) {
  luaL_checkany(L, 1);
  State *state = state_from(L);
  int count = lua_gettop(L) - 1;
  lua_State *task = entry_begin(state);
  if (!task || !lua_checkstack(task, count + 1)) {
    if (task) entry_abandon(state, task);
    return luaL_error(L, "not enough memory");
  }
  lua_xmove(L, task, count + 1);
  TaskStatus status = entry_run(state, task, L, count);
  if (status == TASK_FAILED) return 0;
  lua_pushboolean(L, status == TASK_DONE);
  if (status == TASK_DONE) return 1;
  lua_pushthread(task);
  lua_xmove(task, L, 1);
  return 2;
}

/* is_waiting(thread) */
static int l_is_waiting(lua_State *L) {
  lua_pushboolean(L, thread_mark(check_thread(L, 1))->waiting);
  return 1;
}

/* cancel(thread): its next await, and every one after it, raises AbortError. */
static int l_cancel(lua_State *L) {
  thread_mark(check_thread(L, 1))->cancelled = 1;
  return 0;
}

/* awaited(thread): the promise that the thread awaits; nothing when it does not wait, or runs. That
 * is the argument of `await`, in which it has suspended. */
static int l_awaited(lua_State *L) {
  lua_State *thread = check_thread(L, 1);
  lua_Debug frame;
  if (!thread_mark(thread)->waiting || lua_status(thread) != LUA_YIELD) return 0;
  if (!lua_getstack(thread, 0, &frame) || !lua_getlocal(thread, &frame, 1)) return 0;
  lua_xmove(thread, L, 1);
  return 1;
}

/* enqueue(fn, a, b): fn(a, b) is called at the end of this turn, after what was queued before. It
 * must not raise. */
static int l_enqueue(lua_State *L) {
  lua_settop(L, 3);
  entry_enqueue(state_from(L), L);
  return 0;
}

/* tell_empty(): the hook `empty` is called once the queue has run empty. */
static int l_tell_empty(lua_State *L) {
  entry_tell_empty(state_from(L));
  return 0;
}

/* set_hooks{empty=, uncaught=, suspended=, foreign=} */
static int l_set_hooks(lua_State *L) {
  static const char *const names[] = {"empty", "uncaught", "suspended", "foreign"};
  _Static_assert(sizeof names / sizeof *names == HOOK_COUNT, "each hook has a name");
  luaL_checktype(L, 1, LUA_TTABLE);
  State *state = state_from(L);
  for (int i = 0; i < HOOK_COUNT; i++) {
    if (lua_getfield(L, 1, names[i]) == LUA_TNIL) {
      lua_pop(L, 1);
      continue;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, state->hooks[i]);
    state->hooks[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return 0;
}

static const luaL_Reg functions[] = {
    {"start", l_start},     {"wake", entry_wake_function}, {"awaited", l_awaited},
    {"enqueue", l_enqueue}, {"tell_empty", l_tell_empty},  {"is_waiting", l_is_waiting},
    {"cancel", l_cancel},   {"set_hooks", l_set_hooks},    {NULL, NULL},
};

int open_task(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
