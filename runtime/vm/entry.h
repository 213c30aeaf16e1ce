/* SPDX-License-Identifier: MIT
 * The one way from the loop into Lua: tasks on pooled coroutines, microtasks, uncaught errors. */
#pragma once

#include "vm/state.h"

/* How a run of a task came out. */
typedef enum TaskStatus {
  TASK_DONE,
  TASK_SUSPENDED, /* it awaits, or yielded; somebody holds it or it is garbage */
  TASK_FAILED,    /* the error was reported */
} TaskStatus;

/* Prepares the state for the functions below. [-0, +0, may raise for memory] */
void entry_init(State *state);

/* Runs the function and its `count` arguments on top of state->L as a task, and pops them. An
 * error is reported as uncaught. When this is the outermost entry, the turn ends here: the
 * microtasks of all worlds are drained. Never raises. [-(count+1), +0] */
TaskStatus entry_call(State *state, int count);

/* The same in two steps, for callers that build the arguments in place: a coroutine on which to
 * push a function and its arguments; NULL when memory is short. entry_run must follow. */
lua_State *entry_begin(State *state);

/* The task from entry_begin is not run after all. */
void entry_abandon(State *state, lua_State *task);

/* Runs what was pushed on `task`, a function and `count` arguments, as entry_call does. `from` is
 * the thread that is running, or state->L when the loop calls. Does not end the turn. */
TaskStatus entry_run(State *state, lua_State *task, lua_State *from, int count);

/* lua_resume of `thread` by the code of `from`. In a renderer on a thread that is being stopped
 * `from` ends at its next instruction. */
int entry_resume(const State *state, lua_State *thread, lua_State *from, int count, int *results);

/* lua_resetthread, likewise. */
int entry_reset(const State *state, lua_State *thread);

/* Begins an entry, outermost or nested, for those who use entry_run; entry_leave must follow. */
void entry_enter(State *state);

/* Ends an entry; the end of the outermost one is the end of the turn, and drains the microtasks. */
void entry_leave(State *state);

/* Puts the function on top of L, below its two arguments, into the queue of microtasks: fn(a, b) is
 * called at the end of the turn, after what was queued before. It must not raise. [-3, +0, m] */
void entry_enqueue(State *state, lua_State *L);

/* The same for what the slots `first` to `first + 2` of the table at absolute index `table` hold.
 * [-0, +0, m] */
void entry_enqueue_slots(State *state, lua_State *L, int table, int first);

/* Queues the wake-up of the coroutine on top of L from its wait. [-1, +0, m] */
void entry_enqueue_wake(State *state, lua_State *L, uint32_t wait);

/* Wants HOOK_EMPTY called once the queue has run empty. */
void entry_tell_empty(State *state);

/* The function (thread, number) that wakes a coroutine from a wait. */
int entry_wake_function(lua_State *L);

/* Calls a hook with the `count` arguments on top of state->L, protected, and pops them. Without the
 * hook they are only popped. False when it failed, which is logged. [-count, +0, never raises] */
bool entry_hook(State *state, StateHook hook, int count);

/* luv's protected call: runs the function and its arguments as a task, so that a callback of luv
 * may await; with results wanted, or outside any loop, as a plain protected call. */
int entry_luv_call(lua_State *L, int count, int results, int flags);

/* What the running coroutine is known for. Kept beside each Lua thread (lua_getextraspace), so that
 * no table has to hold coroutines that nobody else does. */
typedef struct ThreadMark {
  uint32_t wait;   /* number of its current or last wait: a wake-up for another number is stale */
  uint16_t anchor; /* its place among the state's anchors, or 0 */
  uint8_t waiting;
  uint8_t pooled : 1;    /* made by the pool */
  uint8_t escaped : 1;   /* the program has seen it: it must never be reused */
  uint8_t cancelled : 1; /* every await raises AbortError */
  uint8_t counted : 1;   /* by vm/waiting.h */
} ThreadMark;

/* The mark of the thread L. [-0, +0, never raises] */
ThreadMark *thread_mark(lua_State *L);

/* Wakes `thread` from its wait number `wait`. False, with nothing done, when it does not wait for
 * that any more. `from` as for entry_run. */
bool entry_wake(State *state, lua_State *thread, uint32_t wait, lua_State *from);
