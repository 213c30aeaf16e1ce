/* SPDX-License-Identifier: MIT
 * Child processes: starting one with a link to it, watching it, naming the reason of its end.
 *
 * posix_spawn shares our memory with the child until it has its own program; uv_spawn of libuv
 * 1.44 copies the page tables, which stops a host of 512 MB for 20 ms. A pidfd tells the end
 * without a SIGCHLD handler, which belongs to the program that hosts us: it may ignore the signal
 * or reap every child. The exit status is lost to waitid then; kernels from 6.15 on tell it still.
 * Where there are no pidfds, as before Linux 5.3, a timer asks for each child every few
 * milliseconds; a signal could then reach another process, should the host reap children by itself.
 *
 * A Child lives until the close callback of its watcher, which is closed right before the one call
 * of on_exit, or by child_close. */
#include "host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  KILL_PATIENCE = 1000, /* milliseconds that child_close waits for the kernel */
  ASK_EVERY = 10,       /* milliseconds, without a pidfd */
};

struct Child {
  union {
    uv_handle_t handle;
    uv_poll_t poll;   /* of the pidfd */
    uv_timer_t timer; /* where there are none */
  } watcher;
  bool watched; /* false before the start was told and after the end */
  int fd;       /* owned; a pidfd, or -1 */
  pid_t pid;
  int early_signal;     /* for a child that is only expected: what to send it when it is there */
  unsigned descriptors; /* as in the options */
  void (*on_exit)(Child *child, ChildExit how); /* NULL once closed by the owner */
  void *data;                                   /* borrowed */
};

/* Starting */

static size_t name_size(const char *entry) { return strcspn(entry, "="); }

static bool has_name(char *const *env, const char *entry) {
  size_t size = name_size(entry);
  for (; *env; env++) {
    if (name_size(*env) == size && memcmp(*env, entry, size) == 0) return true;
  }
  return false;
}

static size_t count_entries(char *const *env) {
  size_t count = 0;
  while (env[count]) count++;
  return count;
}

/* Our environment with `extra` instead of its entries of the same names. The array is the caller's
 * to free, the strings are not; NULL when memory is short. */
static char **merge_env(char *const *extra) {
  char **merged = calloc(count_entries(environ) + count_entries(extra) + 1, sizeof *merged);
  if (!merged) return NULL;
  size_t count = 0;
  for (char **entry = environ; *entry; entry++) {
    if (!has_name(extra, *entry)) merged[count++] = *entry;
  }
  for (; *extra; extra++) merged[count++] = *extra;
  return merged;
}

/* Our own ignored signals and blocked ones would go on in the new program. */
static int init_attributes(posix_spawnattr_t *attributes, int flags) {
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGCHLD);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGTERM);
  int error = posix_spawnattr_init(attributes);
  if (error != 0) return error;
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &defaults);
  flags |= POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  return posix_spawnattr_setflags(attributes, (short)flags);
}

/* posix_spawn with our attributes. Returns 0 or an errno. */
static int start(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, int flags,
                 char *const *argv, char *const *env) {
  posix_spawnattr_t attributes;
  int error = init_attributes(&attributes, flags);
  if (error != 0) return error;
  error = posix_spawn(pid, path, actions, &attributes, argv, env);
  posix_spawnattr_destroy(&attributes);
  return error;
}

/* Copying comes first, as a host without standard streams can get a link with a small number. A
 * host's descriptors that lack close-on-exec end here. */
static int add_child_actions(posix_spawn_file_actions_t *actions, int link_fd) {
  int error = posix_spawn_file_actions_adddup2(actions, link_fd, CHILD_LINK_FD);
  if (error != 0) return error;
  error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (error != 0) return error;
  return posix_spawn_file_actions_addclosefrom_np(actions, CHILD_LINK_FD + 1);
}

static int start_linked(pid_t *pid, const ChildOptions *options, int link_fd) {
  char **merged = options->env ? merge_env(options->env) : NULL;
  if (options->env && !merged) return ENOMEM;
  posix_spawn_file_actions_t actions;
  int error = posix_spawn_file_actions_init(&actions);
  if (error == 0) {
    error = add_child_actions(&actions, link_fd);
    if (error == 0) {
      char *const *env = merged ? merged : environ;
      error = start(pid, options->path, &actions, 0, options->argv, env);
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  free(merged);
  return error;
}

/* Watching */

/* What the kernel tells of a pidfd's process, also after it was reaped. As in linux/pidfd.h of
 * kernel 6.15, which few systems have. */
typedef struct PidfdInfo {
  uint64_t mask;
  uint64_t others[6]; /* of no interest: whose the process was */
  uint32_t other;
  int32_t status; /* as of waitpid */
} PidfdInfo;

/* Asks for it. False when it is not known, or not yet. */
static bool ask_kernel(int fd, ChildExit *how) {
  enum { PIDFD_EXIT = 1 << 3 };
  PidfdInfo info = {.mask = PIDFD_EXIT};
  if (ioctl(fd, _IOWR(0xff, 11, PidfdInfo), &info) != 0 || !(info.mask & PIDFD_EXIT)) return false;
  bool killed = WIFSIGNALED(info.status);
  *how = (ChildExit){.known = true,
                     .code = killed ? 0 : WEXITSTATUS(info.status),
                     .signal = killed ? WTERMSIG(info.status) : 0};
  return true;
}

/* The child was reaped by somebody else, or is being so by the kernel right now, which tells the
 * status, if it does, once that is done: then the descriptor hangs up. */
static void find_status(int fd, ChildExit *how) {
  enum { PATIENCE = 500 }; /* milliseconds */
  struct pollfd reaped = {.fd = fd};
  if (ask_kernel(fd, how) || errno == ENOTTY || errno == EINVAL) return;
  poll(&reaped, 1, PATIENCE);
  ask_kernel(fd, how);
}

static int wait_for(const Child *child, siginfo_t *info, int flags) {
  if (child->fd >= 0) return waitid(P_PIDFD, (id_t)child->fd, info, flags);
  return waitid(P_PID, (id_t)child->pid, info, flags);
}

/* False while the child runs, with `flags` WNOHANG; with 0 it waits for the end. */
static bool reap(Child *child, int flags, ChildExit *how) {
  siginfo_t info = {0};
  int result;
  do {
    result = wait_for(child, &info, WEXITED | flags);
  } while (result != 0 && errno == EINTR);
  *how = (ChildExit){0};
  if (result != 0) { /* ECHILD: somebody was faster */
    if (child->fd >= 0) find_status(child->fd, how);
    return true;
  }
  if (info.si_pid == 0) return false;
  how->known = true;
  *(info.si_code == CLD_EXITED ? &how->code : &how->signal) = info.si_status;
  return true;
}

static void on_close(uv_handle_t *watcher) { free(watcher->data); }

static void close_watcher(Child *child) {
  uv_close(&child->watcher.handle, on_close);
  if (child->fd >= 0) close(child->fd);
  child->fd = -1;
  child->watched = false;
}

/* It has ended, or it is time to ask whether it has. */
static void look_for_end(Child *child) {
  ChildExit how;
  if (!reap(child, WNOHANG, &how)) return;
  close_watcher(child);
  if (child->on_exit) child->on_exit(child, how);
}

static void on_end(uv_poll_t *watcher, int status, int events) {
  (void)status, (void)events;
  look_for_end(watcher->data);
}

static void on_time(uv_timer_t *watcher) { look_for_end(watcher->data); }

/* A pidfd; or, for a child that ended and was reaped by somebody else so soon that it has none any
 * more, a descriptor that is ready at once and cannot be waited for: its end is reported as that
 * of any child whose status is lost. */
static int open_pidfd(pid_t pid) {
  int fd = pidfd_open(pid, 0);
  if (fd < 0 && errno == ESRCH) fd = eventfd(1, EFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/* From outside, as the child's own sandbox may keep it from limiting itself. */
static void limit_descriptors(const Child *child) {
  struct rlimit limit = {.rlim_cur = child->descriptors, .rlim_max = child->descriptors};
  if (child->descriptors > 0) prlimit(child->pid, RLIMIT_NOFILE, &limit, NULL);
}

static int watch_by_pidfd(Child *child, uv_loop_t *loop, int fd) {
  int error = uv_poll_init(loop, &child->watcher.poll, fd);
  if (error < 0) {
    close(fd);
    return error;
  }
  child->fd = fd;
  return uv_poll_start(&child->watcher.poll, UV_READABLE, on_end);
}

static int watch_by_timer(Child *child, uv_loop_t *loop) {
  uv_timer_init(loop, &child->watcher.timer);
  return uv_timer_start(&child->watcher.timer, on_time, ASK_EVERY, ASK_EVERY);
}

static int watch(Child *child, uv_loop_t *loop) {
  limit_descriptors(child);
  int fd = open_pidfd(child->pid);
  bool has_pidfds = fd != -ENOSYS && fd != -EPERM; /* EPERM: a container's filter */
  int error = !has_pidfds ? watch_by_timer(child, loop)
              : fd >= 0   ? watch_by_pidfd(child, loop, fd)
                          : fd;
  if (error < 0) return error;
  child->watched = true;
  child->watcher.handle.data = child;
  return 0;
}

/* A child that cannot be watched must not live. */
static void put_down(pid_t pid) {
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
}

int child_spawn(uv_loop_t *loop, const ChildOptions *options, Child **out, int *link_fd) {
  int pair[2];
  Child *child = calloc(1, sizeof *child);
  if (!child) return UV_ENOMEM;
  int error = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 ? 0 : -errno;
  if (error < 0) {
    free(child);
    return error;
  }
  child->fd = -1;
  child->on_exit = options->on_exit;
  child->data = options->data;
  child->descriptors = options->descriptors;
  error = -start_linked(&child->pid, options, pair[1]);
  close(pair[1]);
  if (error == 0) {
    error = watch(child, loop);
    if (error < 0) put_down(child->pid);
  }
  if (error < 0) {
    close(pair[0]);
    free(child);
    return error;
  }
  *link_fd = pair[0];
  *out = child;
  return 0;
}

/* Children that somebody else starts */

Child *child_expect(const ChildOptions *options) {
  Child *child = calloc(1, sizeof *child);
  if (!child) return NULL;
  child->fd = -1;
  child->on_exit = options->on_exit;
  child->data = options->data;
  child->descriptors = options->descriptors;
  return child;
}

void child_found(Child *child, uv_loop_t *loop, pid_t pid) {
  child->pid = pid;
  if (watch(child, loop) < 0) {
    put_down(pid);
    child_lost(child);
  } else if (!child->on_exit) {
    child_close(child); /* as its owner wanted before it was there */
  } else if (child->early_signal) {
    child_kill(child, child->early_signal);
  }
}

void child_lost(Child *child) {
  ChildExit failed = {.known = true, .code = CHILD_LAUNCH_FAILED};
  if (child->on_exit) child->on_exit(child, failed);
  free(child);
}

/* After the start */

/* The number is the child's own until it is reaped. */
static int signal_by_number(const Child *child, int signal) {
  siginfo_t info;
  if (wait_for(child, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return UV_ESRCH;
  return kill(child->pid, signal) == 0 ? 0 : -errno;
}

int child_kill(Child *child, int signal) {
  if (child->pid == 0) {
    child->early_signal = signal;
    return 0;
  }
  if (!child->watched) return UV_ESRCH;
  if (child->fd < 0) return signal_by_number(child, signal);
  if (pidfd_send_signal(child->fd, signal, NULL, 0) == 0) return 0;
  return errno == EBADF ? UV_ESRCH : -errno; /* EBADF: see open_pidfd */
}

pid_t child_pid(const Child *child) { return child->pid; }

uint64_t child_cpu_time(const Child *child) {
  clockid_t clock;
  struct timespec time;
  if (!child->watched) return 0;
  if (clock_getcpuclockid(child->pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void *child_data(const Child *child) { return child->data; }

void child_ref(Child *child) { uv_ref(&child->watcher.handle); }

void child_unref(Child *child) { uv_unref(&child->watcher.handle); }

/* The same as below, without a pidfd. */
static bool await_end_by_asking(const Child *child) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  siginfo_t info = {0};
  for (int left = KILL_PATIENCE; left > 0 && info.si_pid == 0; left--) {
    if (wait_for(child, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return true;
    if (info.si_pid == 0) nanosleep(&millisecond, NULL);
  }
  return info.si_pid != 0;
}

/* Whether the child's end is there, which a killed one's is soon. */
static bool await_end(const Child *child) {
  if (child->fd < 0) return await_end_by_asking(child);
  struct pollfd ready = {.fd = child->fd, .events = POLLIN};
  int count;
  do {
    count = poll(&ready, 1, KILL_PATIENCE);
  } while (count < 0 && errno == EINTR);
  return count > 0;
}

void child_close(Child *child) {
  ChildExit how;
  child->on_exit = NULL;
  if (child->pid == 0) child->early_signal = SIGKILL; /* it is reaped when it is there */
  if (!child->watched) return;
  child_kill(child, SIGKILL);
  /* The descriptor may be ready an instant before the status is: then waiting cannot last. */
  if (await_end(child)) {
    reap(child, 0, &how);
    close_watcher(child);
  } else {
    child_ref(child); /* stuck in the kernel: it is reaped when it comes out */
  }
}

void child_release(Child *child) {
  child->on_exit = NULL;
  close_watcher(child);
}

const char *child_exit_reason(ChildExit how) {
  switch (how.signal) {
  case 0: break;
  case SIGSEGV:
  case SIGABRT:
  case SIGBUS:
  case SIGILL:
  case SIGFPE:
  case SIGTRAP:
  case SIGSYS: return "crashed";
  default: return "killed";
  }
  if (!how.known) return "abnormal-exit";
  if (how.code == CHILD_LAUNCH_FAILED) return "launch-failed";
  if (how.code == CHILD_OUT_OF_MEMORY) return "oom";
  return how.code == 0 ? "clean-exit" : "abnormal-exit";
}

int child_signal_number(const char *name) {
  if (strncmp(name, "SIG", 3) != 0) return 0;
  for (int number = 1; number < NSIG; number++) {
    const char *known = sigabbrev_np(number);
    if (known && strcmp(known, name + 3) == 0) return number;
  }
  return 0;
}

void child_die_with_parent(pid_t expected_parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  /* The kernel tells nothing of a death before that call. */
  if (getppid() != expected_parent) _exit(CHILD_LAUNCH_FAILED);
}

static void on_grace_over(int signal) {
  (void)signal;
  _exit(CHILD_OUT_OF_MEMORY);
}

void child_out_of_memory(bool again) {
  enum { GRACE = 100000 }; /* microseconds: enough to tell main what has failed */
  struct sigaction action = {.sa_handler = on_grace_over};
  struct itimerval grace = {.it_value.tv_usec = GRACE};
  if (again || sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &grace, NULL) != 0)
    _exit(CHILD_OUT_OF_MEMORY);
}

int child_relaunch(char *const argv[]) {
  posix_spawn_file_actions_t actions;
  int error = posix_spawn_file_actions_init(&actions);
  if (error != 0) return -error;
  error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  pid_t pid;
  if (error == 0) error = start(&pid, argv[0], &actions, POSIX_SPAWN_SETSID, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  return -error;
}
