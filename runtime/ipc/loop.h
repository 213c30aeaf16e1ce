/* SPDX-License-Identifier: MIT
 * A libuv loop and the turn of its links: read, dispatch under a budget, write once. */
#pragma once

#include "base/list.h"

#include <uv.h>

/* One thread's loop. A turn of it goes: timers, then flush, sleep in poll (links append what
 * arrives to their buffers), then dispatch round-robin until the budget is used, then flush. So a
 * thousand messages cost one write, and a lone one is not delayed. Lives on the heap: a thread of
 * libuv's pool may still touch it while it closes. */
typedef struct Loop {
  uv_loop_t uv;
  List ready;      /* links with packets, or an end, to dispatch: in the order of their next turn */
  List grown;      /* links whose store is to be tended */
  List dirty;      /* links with bytes that no write has been tried for */
  int open_links;  /* counted by link.c */
  uint64_t budget; /* nanoseconds of dispatching in one turn, at most; settable at any time */
  uint64_t
      spin;   /* nanoseconds of polling before the loop sleeps; 0, or it costs a core; settable */
  bool alone; /* nothing but timers and one link is ever on it; settable before loop_run */
  struct Brake *brake; /* borrowed: of a renderer on a thread (vm/brake.h), else NULL; settable */
  struct Link *link;   /* borrowed: the link that was opened last, NULL once it is closed */
  bool stopped;        /* loop_stop was called */
  uint64_t deadline;   /* of the pump that runs, in nanoseconds; 0 while none does */
  int owed;    /* packets that this pump dispatches whatever the time; -1 until it knows how many */
  bool sated;  /* settable: this pump dispatches no more */
  bool unread; /* set by a link that has left something in its socket for the next turn */
  uv_prepare_t prepare;
  uv_check_t check;
  uv_timer_t tender; /* runs while there are such */
  uv_idle_t idle;    /* active while something waits for the next turn: poll does not sleep on it */
  int hurries;       /* calls of loop_hurry that wait for their loop_calm */
  bool started;
  bool closing; /* nothing is dispatched any more */
} Loop;

/* Makes a loop that is not started: it may be named, but nothing may run on it. NULL when memory is
 * short. Free with loop_free. */
Loop *loop_new(void);

/* Opens the loop's descriptors, once. A zygote does it after the fork, so that no process shares
 * them. Returns 0 or a negative libuv code. */
int loop_start(Loop *loop);

/* Runs the loop until nothing is left to wait for or loop_stop was called. A loop that is `alone`
 * waits for its link, while no timer runs, by one system call that reads it, where libuv's turn
 * takes two. */
void loop_run(Loop *loop);

/* Takes turns that never sleep, until `deadline` (as uv_hrtime) has passed or nothing is left to do
 * at once: one turn at least. For hosts with a loop of their own. */
void loop_pump(Loop *loop, uint64_t deadline);

/* For how many milliseconds a host may sleep on the loop's descriptor before it pumps again: 0 when
 * something is to be done that the descriptor does not tell, -1 for without end. */
int loop_timeout(Loop *loop);

/* Whether a turn would do nothing: nothing is due, and no descriptor is ready. A single system
 * call, where a turn takes several. */
bool loop_is_idle(Loop *loop);

/* Ends loop_run after the turn under way. */
void loop_stop(Loop *loop);

/* Nothing is dispatched from now on; waits for the requests that libuv's threads still work on, as
 * their memory may be a Lua state's. False when they are not done after a second: a file system may
 * hang for ever. Harmless before loop_start. */
bool loop_settle(Loop *loop);

/* Something waits for the next turn: no poll sleeps until loop_calm was called as often. */
void loop_hurry(Loop *loop);

/* What called loop_hurry was done, or waits no more. */
void loop_calm(Loop *loop);

/* Puts a link's `ready_node` at the end of `ready`: it has its turn after the next poll. For
 * link.c. */
void loop_add_ready(Loop *loop, List *node);

/* Has link_tend called for the link of `grown_node` now and then, until that says false. For
 * link.c. */
void loop_tend(Loop *loop, List *node);

/* Runs the close callbacks of the handles that are being closed, when nothing is dispatched any
 * more. Harmless before loop_start. */
void loop_finish_closing(Loop *loop);

/* Closes every handle that is still open on the loop, waits for their close callbacks, and frees
 * it. NULL is allowed. All links must have been closed. */
void loop_free(Loop *loop);
