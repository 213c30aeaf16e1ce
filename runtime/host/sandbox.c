/* SPDX-License-Identifier: MIT
 * The operating system's sandbox around a renderer.
 *
 * In layers, so that a gap in one is not the end: the filter of system calls is what holds, and
 * stands by itself; Landlock, no privileges, no capabilities, the limits and the closed descriptors
 * are behind it. docs/security.md says what it promises. */
#include "host/sandbox.h"

#include "host/child.h"
#include "host/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  SECOND_FILTER_MAX = 256, /* instructions */
};

/* A sanitizer reads the process's own maps, and starts threads. */
#ifdef SANITIZED
enum { FOR_SANITIZER = true };
#else
enum { FOR_SANITIZER = false };
#endif

_Static_assert((int)FILTER_LINK_FD == (int)CHILD_LINK_FD,
               "the filter knows which descriptor is the link");

/* Before */

/* What main's environment held, tokens and passwords perhaps, is not the page's to find. The time
 * zone stays, as the C library looks at it again and again; libuv is told to do without io_uring,
 * which the filter does not know how to judge. */
static void forget_environment(void) {
  char *zone = getenv("TZ");
  zone = zone ? strdup(zone) : NULL;
  for (char **entry = environ; entry && *entry; entry++) explicit_bzero(*entry, strlen(*entry));
  clearenv();
  if (zone) setenv("TZ", zone, 1);
  setenv("UV_USE_IO_URING", "0", 1);
  free(zone);
}

static void move_to(int fd, int target) {
  if (fd < 0 || fd == target) return;
  dup2(fd, target);
  close(fd);
}

/* Standard error stays, for the last words of a crash. But a terminal could be read through it, and
 * its modes are main's: so it is opened anew, for writing. */
static void reopen_terminal(void) {
  struct stat status;
  if (fstat(STDERR_FILENO, &status) == 0 && !S_ISCHR(status.st_mode)) return;
  int fd = open("/proc/self/fd/2", O_WRONLY | O_NOCTTY);
  if (fd < 0) fd = open("/dev/null", O_WRONLY);
  move_to(fd, STDERR_FILENO);
}

static void close_streams(void) {
  int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDOUT_FILENO);
  move_to(nothing, STDIN_FILENO);
  reopen_terminal();
}

void sandbox_close_others(int link_fd) {
  move_to(link_fd, CHILD_LINK_FD);
  closefrom(CHILD_LINK_FD + 1);
}

/* The layers */

/* Lowers a limit: main may have set a lower one. */
static void set_limit(__rlimit_resource_t resource, rlim_t value) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) == 0 && limit.rlim_max < value) value = limit.rlim_max;
  limit = (struct rlimit){.rlim_cur = value, .rlim_max = value};
  setrlimit(resource, &limit);
}

/* No limit of a file's size: shared memory counts as a file. */
static void set_limits(void) {
  set_limit(RLIMIT_CORE, 0);
  set_limit(RLIMIT_NOFILE, FILTER_FD_LIMIT);
  set_limit(RLIMIT_MEMLOCK, 0);
  set_limit(RLIMIT_MSGQUEUE, 0);
}

/* An app that root runs would have its pages run with all that root may. */
static void drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  syscall(SYS_capset, &header, none);
}

/* Landlock's own header may be older than the kernel. */
typedef struct Ruleset {
  uint64_t files, network, scoped;
} Ruleset;

enum { LANDLOCK_VERSION = 1, LANDLOCK_NETWORK_SINCE = 4, LANDLOCK_SCOPE_SINCE = 6 };

/* All accesses to files that a version of Landlock knows: one bit each. */
static uint64_t file_accesses(long version) {
  int bits = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
  return (UINT64_C(1) << bits) - 1;
}

/* Landlock with all that it can restrict, and no exception. False where the kernel has none. */
static bool restrict_files(void) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
  if (version < 1) return false;
  Ruleset all = {.files = file_accesses(version), .network = 3, .scoped = 3};
  size_t size = version >= LANDLOCK_SCOPE_SINCE     ? sizeof all
                : version >= LANDLOCK_NETWORK_SINCE ? offsetof(Ruleset, scoped)
                                                    : offsetof(Ruleset, network);
  int fd = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
  if (fd < 0) return false;
  bool done = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
  close(fd);
  return done;
}

static bool load(const struct sock_filter *program, unsigned short size) {
  struct sock_fprog whole = {.len = size, .filter = (struct sock_filter *)program};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole) == 0;
}

/* The second filter, with our own number where that belongs. */
static bool load_second(void) {
  struct sock_filter program[SECOND_FILTER_MAX];
  if (second_filter_size > SECOND_FILTER_MAX) return false;
  memcpy(program, second_filter, second_filter_size * sizeof *program);
  for (unsigned i = 0; i < second_filter_size; i++) {
    if (program[i].k == FILTER_SELF) program[i].k = (uint32_t)getpid();
  }
  return load(program, second_filter_size);
}

unsigned sandbox_prepare(void) {
  close_streams();
  tzset();
  forget_environment();
  set_limits();
  drop_capabilities();
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return load(first_filter, first_filter_size) ? 0 : SANDBOX_FILTER;
}

unsigned sandbox_enter(void) {
  unsigned missing = 0;
  if (!FOR_SANITIZER) set_limit(RLIMIT_NPROC, 0);
  if (!FOR_SANITIZER && !restrict_files()) missing |= SANDBOX_LANDLOCK;
  if (!load_second()) missing |= SANDBOX_FILTER;
  return missing;
}
