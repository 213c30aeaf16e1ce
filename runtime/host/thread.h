/* SPDX-License-Identifier: MIT
 * Threads that are watched like child processes: starting one, stopping it, being told of its end.
 */
#pragma once

#include "base/log.h"
#include "host/child.h"

#include <pthread.h>

typedef struct Thread Thread;

/* What a thread runs and who hears of it. */
typedef struct ThreadOptions {
  ChildExit (*run)(Thread *thread, void *body); /* on the new thread: all that it does */
  void (*stop)(void *body, pthread_t thread);   /* makes `run` end soon; from another thread, maybe
                                                 * several times, as long as `run` may be running */
  void (*release)(void *body);                  /* neither side uses it any more; on any thread */
  void *body;
  int signal;                                     /* that is not blocked on the thread, or 0 */
  void (*on_over)(Thread *thread, ChildExit how); /* called at most once, before on_exit, where the
                                                   * thread has told thread_over */
  void (*on_exit)(Thread *thread, ChildExit how); /* called once; `thread` is void afterwards */
  void *owner;                                    /* borrowed: thread_owner */
  const LogSink *log;                             /* borrowed: of the owner; or NULL */
} ThreadOptions;

/* Starts a thread and watches it. All signals are blocked on it but faults and `signal`. `body` is
 * the thread's from now on, also on failure. Returns 0 or a negative libuv code. */
int thread_start(uv_loop_t *loop, const ThreadOptions *options, Thread **out);

/* Has the thread stopped: on_exit follows with SIGKILL as what has ended it. One that cannot be
 * stopped is given up after a second, and its end told; it is freed if it ever ends. */
void thread_kill(Thread *thread);

/* The processor's time that the thread has used so far, in nanoseconds. */
uint64_t thread_cpu_time(const Thread *thread);

/* Whether the thread waits for work that may never come: then it does not keep the loop running,
 * and as a batch job it does not push anybody off a core. At first it does not wait. */
void thread_set_aside(Thread *thread, bool aside);

/* The `owner` of the options. */
void *thread_owner(const Thread *thread);

/* Stops the thread and waits for its end, for a second at most, or three while it frees what it
 * has; on_exit does not come any more, and `thread` is void. */
void thread_close(Thread *thread);

/* For the thread itself: its memory is used up. It has a moment to tell, then it is stopped. */
void thread_out_of_memory(Thread *thread);

/* For the thread itself: it has ended as `how` says, but for freeing what it has, which may take up
 * to three seconds. It is not stopped any more. */
void thread_over(Thread *thread, ChildExit how);

/* For the thread itself: a line for the log of the options, which is not NULL. */
void thread_log(Thread *thread, LogLevel level, int page, const char *text, size_t size);

/* For the thread itself: ends it where it stands. What it has allocated is lost. */
_Noreturn void thread_abandon(Thread *thread, ChildExit how);
