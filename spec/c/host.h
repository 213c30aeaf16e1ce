/* SPDX-License-Identifier: MIT
 * What the tests of runtime/host share: counted checks, and waiting for events under a deadline. */
#pragma once

#include "host/child.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* How long an event may take, in milliseconds; slow machines raise it, as for the specs. */
static inline int patience(void) {
  const char *given = getenv("LUNETTE_SPEC_DEADLINE");
  long wanted = given ? strtol(given, NULL, 10) : 0;
  return wanted > 0 ? (int)wanted : 20000;
}

static atomic_int passed, failed; /* checks may be on any thread */

/* Counts a check; tells of one that failed. Returns `ok`. */
static inline bool check(bool ok, const char *what, const char *file, int line) {
  ok ? passed++ : failed++;
  if (!ok) printf("%s:%d: not so: %s\n", file, line, what);
  return ok;
}

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

/* A loop, and what a test waits for on it. */
typedef struct Wait {
  uv_loop_t loop;
  uv_timer_t deadline;
  int left;  /* events that are yet to come */
  int calls; /* events that came */
  ChildExit how;
  char *text; /* owned; the last message */
  size_t size;
} Wait;

/* Gives up. */
static inline void on_deadline(uv_timer_t *timer) {
  (void)timer;
  check(false, "an event came in time", __FILE__, __LINE__);
}

/* Starts the deadline, which is for the next event. */
static inline void wait_anew(Wait *wait) {
  uv_update_time(&wait->loop);
  uv_timer_start(&wait->deadline, on_deadline, (uint64_t)patience(), 0);
}

/* Makes the loop and starts the deadline. */
static inline void wait_init(Wait *wait) {
  memset(wait, 0, sizeof *wait);
  uv_loop_init(&wait->loop);
  uv_timer_init(&wait->loop, &wait->deadline);
  wait_anew(wait);
}

/* True until the deadline has passed. */
static inline bool wait_may_last(const Wait *wait) {
  return uv_is_active((const uv_handle_t *)&wait->deadline);
}

/* Runs the loop until that many more events came. */
static inline void wait_for(Wait *wait, int events) {
  int calls = wait->calls - 1;
  wait->left += events;
  while (wait->left > 0 && wait_may_last(wait)) {
    if (wait->calls != calls) wait_anew(wait);
    calls = wait->calls;
    uv_run(&wait->loop, UV_RUN_ONCE);
  }
}

/* Closes the loop, on which nothing but the deadline may be left. */
static inline void wait_clear(Wait *wait) {
  uv_close((uv_handle_t *)&wait->deadline, NULL);
  uv_run(&wait->loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&wait->loop) == 0);
  free(wait->text);
}

/* How many descriptors this process has, to be compared. */
static inline int count_fds(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

/* True while there is a process, or a zombie, of ours. */
static inline bool has_children(void) {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Runs the test, which must leave no descriptor and no child, and tells the counts. Returns the
 * exit status. */
static inline int run_test(void (*test)(void)) {
  Wait first;
  setvbuf(stdout, NULL, _IOLBF, 0);
  wait_init(&first); /* a process's first loop opens descriptors that stay */
  wait_clear(&first);
  int before = count_fds();
  test();
  CHECK(count_fds() == before);
  CHECK(!has_children());
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
