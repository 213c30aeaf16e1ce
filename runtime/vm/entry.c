/* SPDX-License-Identifier: MIT
 * The one way from the loop into Lua: tasks on pooled coroutines, microtasks, uncaught errors.
 *
 * A task is a coroutine from the pool. While it runs, or waits idle, the table of anchors keeps it;
 * once suspended, only whoever will wake it does, so that a task that nobody can wake is garbage.
 * It returns to the pool when it ended, unless the program got hold of it. */
#include "vm/entry.h"

#include "base/log.h"
#include "vm/brake.h"
#include "vm/waiting.h"

#include <lauxlib.h>
#include <luv/luv.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(ThreadMark) <= LUA_EXTRASPACE, "a thread's mark fits beside it");

enum {
  SLOTS = 3, /* of a microtask: function and two arguments */
  KEPT_SLOTS =
      1024 * SLOTS, /* a queue that was longer is not kept: one busy turn is not for ever */
  ANCHORS_USUAL = 16,
  WAITS_USUAL = 16,
};

ThreadMark *thread_mark(lua_State *L) { return lua_getextraspace(L); }

static void new_queue(State *state, lua_State *L) {
  Microtasks *queue = &state->microtasks;
  lua_createtable(L, 4 * SLOTS, 0);
  int table = luaL_ref(L, LUA_REGISTRYINDEX); /* should there be no memory, the old one stays */
  luaL_unref(L, LUA_REGISTRYINDEX, queue->table);
  queue->table = table;
  free(queue->waits);
  queue->waits = NULL;
  queue->capacity = 0;
}

void entry_init(State *state) {
  lua_State *L = state->L;
  memset(thread_mark(L), 0, sizeof(ThreadMark)); /* new threads start with a copy */
  lua_createtable(L, ANCHORS_USUAL, 0);
  state->anchors = luaL_ref(L, LUA_REGISTRYINDEX);
  waiting_init(L);
  new_queue(state, L);
}

/* False when memory is short. */
static bool anchor(State *state, lua_State *task) {
  lua_State *L = state->L;
  uint32_t place = numbers_take(&state->anchor_places, UINT16_MAX);
  if (place == 0) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, state->anchors);
  lua_pushthread(task);
  lua_xmove(task, L, 1);
  lua_rawseti(L, -2, place);
  lua_pop(L, 1);
  thread_mark(task)->anchor = (uint16_t)place;
  return true;
}

static void let_go(State *state, lua_State *task) {
  lua_State *L = state->L;
  ThreadMark *mark = thread_mark(task);
  lua_rawgeti(L, LUA_REGISTRYINDEX, state->anchors);
  lua_pushnil(L);
  lua_rawseti(L, -2, mark->anchor);
  lua_pop(L, 1);
  numbers_put(&state->anchor_places, mark->anchor);
  mark->anchor = 0;
}

/* (state) makes a task and puts it into the pool. Protected, as it allocates. */
static int make_task(lua_State *L) {
  State *state = lua_touserdata(L, 1);
  lua_State *task = lua_newthread(L);
  memset(thread_mark(task), 0, sizeof(ThreadMark));
  thread_mark(task)->pooled = 1;
  if (!anchor(state, task)) return luaL_error(L, "not enough memory");
  state->idle[state->idle_count++] = task;
  return 0;
}

int entry_resume(const State *state, lua_State *thread, lua_State *from, int count, int *results) {
  Brake *brake = state->loop->brake;
  if (!brake) return lua_resume(thread, from, count, results);
  lua_State *before = brake_switch(brake, thread);
  int status = lua_resume(thread, from, count, results);
  brake_switch(brake, before);
  return status;
}

int entry_reset(const State *state, lua_State *thread) {
  Brake *brake = state->loop->brake;
  lua_State *before = brake ? brake_switch(brake, thread) : NULL;
  int status = lua_resetthread(thread);
  if (brake) brake_switch(brake, before);
  return status;
}

/* lua_pcall on state->L. */
static int call_protected(const State *state, int count, int results) {
  Brake *brake = state->loop->brake;
  lua_State *before = brake ? brake_switch(brake, state->L) : NULL;
  int status = lua_pcall(state->L, count, results, 0);
  if (brake) brake_switch(brake, before);
  return status;
}

/* The renderer on this thread is being stopped: nothing is run any more, and its loop ends. */
static bool is_stopped(const State *state) {
  if (!brake_is_pulled(state->loop->brake)) return false;
  loop_stop(state->loop);
  return true;
}

lua_State *entry_begin(State *state) {
  if (is_stopped(state)) return NULL;
  if (state->idle_count == 0) {
    lua_State *L = state->L;
    lua_pushcfunction(L, make_task);
    lua_pushlightuserdata(L, state);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      lua_pop(L, 1);
      log_warn_to(state->log, "not enough memory for another task");
      return NULL;
    }
  }
  return state->idle[--state->idle_count];
}

void entry_abandon(State *state, lua_State *task) {
  lua_settop(task, 0);
  state->idle[state->idle_count++] = task;
}

/* The task ended: back to the pool, or to the collector. */
static void retire(State *state, lua_State *task) {
  ThreadMark *mark = thread_mark(task);
  bool reusable = mark->pooled && !mark->escaped && state->idle_count < TASK_POOL_SIZE;
  if (mark->counted) waiting_done(state, task);
  if (reusable && !mark->anchor) reusable = anchor(state, task);
  if (!reusable) {
    if (mark->anchor) let_go(state, task);
    return;
  }
  if (lua_gettop(task) > 0) lua_settop(task, 0);
  mark->cancelled = 0;
  mark->waiting = 0;
  state->idle[state->idle_count++] = task;
}

/* (thread): the traceback of where its error was raised. Protected, as it allocates. */
static int trace(lua_State *L) {
  luaL_traceback(L, lua_touserdata(L, 1), NULL, 0);
  return 1;
}

/* Pushes on L the error that is on top of `thread` and the traceback of where it was raised, or why
 * there is none. What the thread has to close is closed, which may put another error in its place.
 */
static void take_error(lua_State *L, lua_State *thread) {
  lua_pushvalue(thread, -1);
  lua_xmove(thread, L, 1);
  lua_pushcfunction(L, trace);
  lua_pushlightuserdata(L, thread);
  lua_pcall(L, 1, 1, 0); /* an error for want of memory is a text as well */
  if (entry_reset(state_from(L), thread) == LUA_OK) return; /* it had not even begun to run */
  lua_xmove(thread, L, 1);
  lua_replace(L, -3);
}

static void report(State *state, lua_State *task) {
  take_error(state->L, task);
  entry_hook(state, HOOK_UNCAUGHT, 2);
}

/* A task is anchored until it suspends for the first time. */
static TaskStatus settle(State *state, lua_State *task, int status, int results) {
  if (status == LUA_YIELD) {
    bool is_first = thread_mark(task)->anchor != 0;
    lua_pop(task, results);
    if (is_first && state->receiving) waiting_add(state, state->receiving, task);
    if (is_first) let_go(state, task);
    return TASK_SUSPENDED;
  }
  if (status != LUA_OK && is_stopped(state)) return TASK_FAILED;
  if (status != LUA_OK) report(state, task);
  retire(state, task);
  return status == LUA_OK ? TASK_DONE : TASK_FAILED;
}

TaskStatus entry_run(State *state, lua_State *task, lua_State *from, int count) {
  int results = 0;
  int status = entry_resume(state, task, from, count, &results);
  return settle(state, task, status, results);
}

/* Under BUILD=stress whatever the collector may take is gone before anything runs. A state that has
 * been entered thousands of times does the same thing again and again: then not every time, and
 * the less often the larger the heap. */
static void stress_collector(const State *state) {
#ifdef LUNETTE_STRESS
  uint64_t every = 50 + state->memory->used / 16384;
  if (state->entries < 1000 || state->entries % every == 0) lua_gc(state->L, LUA_GCCOLLECT);
#else
  (void)state;
#endif
}

void entry_enter(State *state) {
  state->depth++;
  state->entries++;
  stress_collector(state);
}

/* Calls the function of the runtime's own on top of state->L, protected. Its failure is logged. */
static bool protect(State *state, int count) {
  lua_State *L = state->L;
  if (call_protected(state, count, 0) == LUA_OK) return true;
  if (is_stopped(state)) {
    lua_pop(L, 1);
    return false;
  }
  bool is_text = lua_type(L, -1) == LUA_TSTRING; /* to make one of a number takes memory */
  const char *text = is_text ? lua_tostring(L, -1) : "(not a string)";
  log_warn_to(state->log, "error in the runtime: %s", text);
  lua_pop(L, 1);
  return false;
}

void entry_enqueue(State *state, lua_State *L) {
  Microtasks *queue = &state->microtasks;
  lua_rawgeti(L, LUA_REGISTRYINDEX, queue->table);
  lua_insert(L, -SLOTS - 1);
  for (int i = SLOTS; i > 0; i--) lua_rawseti(L, -i - 1, queue->tail + i);
  lua_pop(L, 1);
  queue->tail += SLOTS;
}

void entry_enqueue_slots(State *state, lua_State *L, int table, int first) {
  Microtasks *queue = &state->microtasks;
  lua_rawgeti(L, LUA_REGISTRYINDEX, queue->table);
  for (int i = 0; i < SLOTS; i++) {
    lua_rawgeti(L, table, first + i);
    lua_rawseti(L, -2, queue->tail + 1 + i);
  }
  lua_pop(L, 1);
  queue->tail += SLOTS;
}

/* Room for the number of the wait that the next slots are for; those before it may be functions'.
 */
static void reserve_wait(Microtasks *queue, lua_State *L) {
  int place = queue->tail / SLOTS, capacity = queue->capacity ? queue->capacity : WAITS_USUAL;
  if (place < queue->capacity) return;
  while (capacity <= place) capacity *= 2;
  uint32_t *waits = realloc(queue->waits, (size_t)capacity * sizeof *waits);
  if (!waits) luaL_error(L, "not enough memory");
  queue->waits = waits;
  queue->capacity = capacity;
}

void entry_enqueue_wake(State *state, lua_State *L, uint32_t wait) {
  Microtasks *queue = &state->microtasks;
  reserve_wait(queue, L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, queue->table);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, queue->tail + 1);
  lua_pop(L, 2);
  queue->waits[queue->tail / SLOTS] = wait;
  queue->tail += SLOTS;
}

void entry_tell_empty(State *state) { state->microtasks.tell_empty = true; }

int entry_wake_function(lua_State *L) {
  lua_State *thread = lua_tothread(L, 1);
  luaL_argexpected(L, thread, 1, "coroutine");
  uint32_t wait = (uint32_t)luaL_checkinteger(L, 2);
  lua_pushboolean(L, entry_wake(state_from(L), thread, wait, L));
  return 1;
}

enum { QUEUE = 2 }; /* where its table is, while it is run */

/* Pushes slots of the queue and frees them. */
static void take_slots(lua_State *L, int first, int count) {
  for (int slot = first; slot < first + count; slot++) {
    lua_rawgeti(L, QUEUE, slot);
    lua_pushnil(L);
    lua_rawseti(L, QUEUE, slot);
  }
}

/* Runs the first microtask of the queue. An emptied queue begins anew before that: so it stays
 * short when each microtask queues another. */
static void run_microtask(State *state, lua_State *L) {
  Microtasks *queue = &state->microtasks;
  int place = queue->head;
  queue->head += SLOTS;
  if (queue->head == queue->tail) queue->head = queue->tail = 0;
  take_slots(L, place + 1, 1);
  lua_State *thread = lua_tothread(L, -1);
  if (thread) {
    entry_wake(state, thread, queue->waits[place / SLOTS], L);
    lua_pop(L, 1);
  } else {
    take_slots(L, place + 2, SLOTS - 1);
    lua_call(L, SLOTS - 1, 0);
  }
}

/* (state) runs what the queue holds, and what that adds. Protected; also because a coroutine that
 * looks at the state's main thread must find a function running there, not one that can be resumed.
 */
static int run_queue(lua_State *L) {
  State *state = lua_touserdata(L, 1);
  Microtasks *queue = &state->microtasks;
  bool was_long = false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, queue->table);
  while (queue->tail > 0) {
    was_long = was_long || queue->tail > KEPT_SLOTS;
    run_microtask(state, L);
  }
  if (was_long) new_queue(state, L); /* one busy turn is not for ever */
  return 0;
}

static bool has_microtasks(const State *state) {
  return state->microtasks.tail > 0 || state->microtasks.tell_empty;
}

/* Should one fail, the rest has its turn again. */
static void drain_queue(State *state) {
  lua_State *L = state->L;
  lua_pushcfunction(L, run_queue);
  lua_pushlightuserdata(L, state);
  if (!protect(state, 1) || !state->microtasks.tell_empty) return;
  state->microtasks.tell_empty = false;
  entry_hook(state, HOOK_EMPTY, 0);
}

/* Runs the microtasks of one world. Returns whether there were any. */
static bool drain(State *world) {
  if (!has_microtasks(world)) return false;
  world->depth++;
  while (has_microtasks(world) && !is_stopped(world)) drain_queue(world);
  world->depth--;
  return true;
}

static void drain_worlds(State *state) {
  bool again = true;
  while (again && !is_stopped(state)) {
    again = false;
    State *world = state;
    do {
      if (drain(world)) again = true;
      world = world->worlds;
    } while (world != state);
  }
}

/* True while any world of the ring is being run: the turn is not over then. */
static bool inside_turn(const State *state) {
  const State *world = state;
  do {
    if (world->depth > 0) return true;
    world = world->worlds;
  } while (world != state);
  return false;
}

void entry_leave(State *state) {
  state->depth--;
  if (!inside_turn(state)) drain_worlds(state);
}

TaskStatus entry_call(State *state, int count) {
  lua_State *L = state->L, *task = state->loop->closing ? NULL : entry_begin(state);
  bool fits = task && lua_checkstack(task, count + 1);
  if (task && !fits) entry_abandon(state, task);
  if (!fits) {
    lua_pop(L, count + 1);
    return TASK_FAILED;
  }
  entry_enter(state);
  lua_xmove(L, task, count + 1);
  TaskStatus status = entry_run(state, task, L, count);
  entry_leave(state);
  return status;
}

bool entry_hook(State *state, StateHook hook, int count) {
  lua_State *L = state->L;
  if (is_stopped(state)) {
    lua_pop(L, count);
    return false;
  }
  if (lua_rawgeti(L, LUA_REGISTRYINDEX, state->hooks[hook]) != LUA_TFUNCTION) {
    lua_pop(L, count + 1);
    return true;
  }
  lua_insert(L, -count - 1);
  return protect(state, count);
}

/* (): what stands in a traceback's place. Protected, as it allocates. */
static int name_callback(lua_State *L) {
  lua_pushliteral(L, "(in a callback whose results libuv uses)");
  return 1;
}

/* luv wants what the callback returns, so it cannot suspend. */
static int call_for_results(State *state, lua_State *to, int count) {
  lua_State *L = state->L;
  int base = lua_gettop(L) - count - 1;
  entry_enter(state);
  int status = call_protected(state, count, LUA_MULTRET);
  int got = lua_gettop(L) - base;
  if (status != LUA_OK) {
    lua_pushcfunction(L, name_callback);
    lua_pcall(L, 0, 1, 0);
    entry_hook(state, HOOK_UNCAUGHT, 2);
  } else if (to != L) {
    lua_xmove(L, to, got);
  }
  entry_leave(state);
  return status == LUA_OK ? got : -status;
}

/* A coroutine that is no task yielded by itself, ended or failed: Lua decides what it was for. */
static void tell_foreign(State *state, lua_State *thread, int status, int results) {
  lua_State *L = state->L;
  bool ok = status == LUA_OK || status == LUA_YIELD;
  if (!lua_checkstack(L, results + LUA_MINSTACK)) return;
  lua_pushthread(thread);
  lua_xmove(thread, L, 1);
  lua_pushboolean(L, ok);
  if (ok) {
    lua_xmove(thread, L, results);
    entry_hook(state, HOOK_FOREIGN, 2 + results);
  } else {
    take_error(L, thread);
    entry_hook(state, HOOK_FOREIGN, 4);
  }
}

bool entry_wake(State *state, lua_State *thread, uint32_t wait, lua_State *from) {
  ThreadMark *mark = thread_mark(thread);
  if (!mark->waiting || mark->wait != wait) return false;
  if (lua_status(thread) != LUA_YIELD) return false; /* about to wait: it runs still */
  mark->waiting = 0;
  int results = 0;
  int status = entry_resume(state, thread, from, 0, &results);
  if (mark->pooled) {
    settle(state, thread, status, results);
  } else if (status == LUA_YIELD && mark->waiting) {
    lua_pop(thread, results);
  } else {
    tell_foreign(state, thread, status, results);
  }
  return true;
}

int entry_luv_call(lua_State *L, int count, int results, int flags) {
  (void)flags; /* how to report is decided by HOOK_UNCAUGHT, and nothing here exits */
  State *state = state_from(L);
  if (L != state->L) lua_xmove(L, state->L, count + 1);
  if (results == 0 || state->loop->closing)
    return entry_call(state, count) == TASK_FAILED ? -LUA_ERRRUN : 0;
  return call_for_results(state, L, count);
}
