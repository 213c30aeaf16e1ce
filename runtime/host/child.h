/* SPDX-License-Identifier: MIT
 * Child processes: starting one with a link to it, watching it, naming the reason of its end. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

enum {
  CHILD_LINK_FD = 3,         /* where a child finds its end of the link */
  CHILD_OUT_OF_MEMORY = 125, /* exit code of a child that has used up its memory limit */
  CHILD_LAUNCH_FAILED = 127, /* exit code of a child that could not boot */
};

typedef struct Child Child;

/* How a child ended. `code` and `signal` are 0 unless `known`; at most one of them is not 0. */
typedef struct ChildExit {
  bool known; /* false when somebody else has reaped it, and the kernel (< 6.15) does not tell */
  int code;
  int signal; /* that ended it; 0 when it ended by itself */
} ChildExit;

/* All pointers but `data` are only read during child_spawn. */
typedef struct ChildOptions {
  const char *path;  /* of the executable; not looked up in PATH */
  char *const *argv; /* ends with NULL, begins with the program's name */
  char *const *env;  /* "NAME=value" on top of our own environment, ends with NULL; or NULL */
  void (*on_exit)(Child *child, ChildExit how); /* called once; `child` is void afterwards */
  void *data;                                   /* the owner's: child_data */
  unsigned descriptors; /* one more than the largest that it may open; 0: as the system has it */
} ChildOptions;

/* Starts a process and watches it. Its descriptors are: 0 /dev/null, 1 and 2 ours, CHILD_LINK_FD
 * one end of a stream socketpair, and no other. Its signals are unblocked, and SIGPIPE, SIGCHLD,
 * SIGINT and SIGTERM have their default effect. Returns 0 with *out and *link_fd, our end of the
 * socketpair (owned by the caller, close-on-exec, blocking), or a negative libuv code, UV_ENOENT
 * and the like for the executable's faults included. */
int child_spawn(uv_loop_t *loop, const ChildOptions *options, Child **out, int *link_fd);

/* The same in two steps, for a process that somebody else starts as our child (host/zygote.h): a
 * Child without its process, which child_found or child_lost must follow. Of the options it uses
 * on_exit, data and descriptors. NULL when memory is short. */
Child *child_expect(const ChildOptions *options);

/* The expected child is this process: watches it from now on. */
void child_found(Child *child, uv_loop_t *loop, pid_t pid);

/* There is no process: on_exit is told of a launch that failed, and `child` is void. */
void child_lost(Child *child);

/* Sends a signal; never to a process that got the child's number after it. For a
 * child that is only expected, it waits. Returns 0, or UV_ESRCH when the child has ended, or
 * another negative libuv code. */
int child_kill(Child *child, int signal);

/* The child's process id; 0 for one that is only expected. */
pid_t child_pid(const Child *child);

/* The processor's time that the child has used so far, in nanoseconds; 0 when it is not there. */
uint64_t child_cpu_time(const Child *child);

/* The `data` of the options. */
void *child_data(const Child *child);

/* Lets the child keep the loop alive until its end was reported, as it does at first. */
void child_ref(Child *child);

/* Lets the loop end while the child runs. */
void child_unref(Child *child);

/* Stops watching: on_exit does not come any more, and `child` is void. A child that still runs is
 * killed and reaped here, which takes the kernel well under a millisecond for a small one. To let
 * it end at leisure, child_kill it and wait for on_exit instead. May be called in on_exit. */
void child_close(Child *child);

/* Stops watching a child that was found: `child` is void, its process somebody else's to watch. */
void child_release(Child *child);

/* Electron's word for an end: "clean-exit", "abnormal-exit" (also when it is not known how),
 * "killed", "crashed", "oom" (of a child by itself) or "launch-failed". */
const char *child_exit_reason(ChildExit how);

/* The number of a signal's name such as "SIGTERM"; 0 when there is none of that name. */
int child_signal_number(const char *name);

/* For the child, first thing in main: the kernel kills this process when the thread that spawned
 * it ends. Exits at once when `expected_parent` is gone already. */
void child_die_with_parent(pid_t expected_parent);

/* For the child: its memory is used up. It ends with CHILD_OUT_OF_MEMORY a moment later, whatever
 * it does meanwhile; `again`, or when no timer can be had, at once. */
void child_out_of_memory(bool again);

/* Starts `argv`, whose first element is the executable's path, in a session of its own with our
 * standard streams and no other descriptor. Nobody watches it. Returns 0 or a negative code. */
int child_relaunch(char *const argv[]);
