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
  if (!task || !lua_checkstack(task, count + 1)) return luaL_error(L, "not enough memory");
  lua_xmove(L, task, count + 1);
  TaskStatus status = entry_run(state, task, L, count);
  if (status == TASK_FAILED) return 0;
  lua_pushboolean(L, status == TASK_DONE);
  if (status == TASK_DONE) return 1;
  lua_pushthread(task);
  lua_xmove(task, L, 1);
  return 2;
}

/* is_cancelled(): the running coroutine was cancelled. */
static int l_is_cancelled(lua_State *L) {
  lua_pushboolean(L, thread_mark(L)->cancelled);
  return 1;
}

/* wait_begin(): the running coroutine is about to wait. Returns it and the number of this wait, for
 * wake(); nil when it was cancelled; false where it cannot be suspended. */
static int l_wait_begin(lua_State *L) {
  ThreadMark *mark = thread_mark(L);
  if (!lua_isyieldable(L)) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (mark->cancelled) {
    lua_pushnil(L);
    return 1;
  }
  mark->waiting = 1;
  mark->wait++;
  lua_pushthread(L);
  lua_pushinteger(L, mark->wait);
  return 2;
}

/* wake(thread, number): resumes the thread if it still waits for that. Returns whether it did. */
static int l_wake(lua_State *L) {
  lua_State *thread = check_thread(L, 1);
  uint32_t wait = (uint32_t)luaL_checkinteger(L, 2);
  lua_pushboolean(L, entry_wake(state_from(L), thread, wait, L));
  return 1;
}

/* is_waiting(thread) */
static int l_is_waiting(lua_State *L) {
  lua_pushboolean(L, thread_mark(check_thread(L, 1))->waiting);
  return 1;
}

/* forget(thread): it was closed; no wake-up reaches it any more. */
static int l_forget(lua_State *L) {
  thread_mark(check_thread(L, 1))->waiting = 0;
  return 0;
}

/* cancel(thread): its next await, and every one after it, raises AbortError. */
static int l_cancel(lua_State *L) {
  thread_mark(check_thread(L, 1))->cancelled = 1;
  return 0;
}

/* escape(thread): the program holds it; it will not be reused. */
static int l_escape(lua_State *L) {
  thread_mark(check_thread(L, 1))->escaped = 1;
  return 0;
}

/* schedule(): microtasks wait; the hook `drain` is called at the end of the turn. */
static int l_schedule(lua_State *L) {
  state_from(L)->has_microtasks = true;
  return 0;
}

/* set_hooks{drain=, uncaught=, suspended=, foreign=} */
static int l_set_hooks(lua_State *L) {
  static const char *const names[] = {"drain", "uncaught", "suspended", "foreign"};
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
    {"start", l_start},
    {"wait_begin", l_wait_begin},
    {"wake", l_wake},
    {"is_waiting", l_is_waiting},
    {"forget", l_forget},
    {"cancel", l_cancel},
    {"escape", l_escape},
    {"schedule", l_schedule},
    {"set_hooks", l_set_hooks},
    {"is_cancelled", l_is_cancelled},
    {NULL, NULL},
};

int open_task(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
