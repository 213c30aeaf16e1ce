/* SPDX-License-Identifier: MIT
 * The sandbox of a renderer with the language's walls taken away: each attempt is a system call in
 * a process of its own that has entered the sandbox as a renderer does. */
#include "host/sandbox.h"

#include "host.h"
#include "lacking.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* What became of an attempt, as a child's exit status. */
enum { ALLOWED = 10, REFUSED = 11, OTHER_ERROR = 12, NOT_CONTAINED = 13 };

enum { PAGE = 4096 };

/* The filter of a build with a sanitizer contains nobody. */
#ifdef SANITIZED
enum { CONTAINS = false };
#else
enum { CONTAINS = true };
#endif

/* What an attempt may use: made before the sandbox. */
static char *memory;  /* a page of ours */
static pid_t outside; /* the test itself */

static int outcome(long result) {
  if (result >= 0) return ALLOWED;
  return errno == EPERM || errno == EACCES ? REFUSED : OTHER_ERROR;
}

/* Attempts in vain */

static long try_openat(void) { return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }
static long try_open_write(void) {
  return syscall(SYS_openat, AT_FDCWD, "/tmp/lunette-escaped", O_WRONLY | O_CREAT, 0600);
}
static long try_open_memory(void) {
  return syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR);
}
static long try_open_parent(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/environ", outside);
  return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
}
static long try_openat2(void) {
  uint64_t how[3] = {O_RDONLY};
  return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof how);
}
static long try_stat(void) {
  struct stat status;
  return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &status, 0);
}
static long try_statx(void) {
  char buffer[512];
  return syscall(SYS_statx, AT_FDCWD, "/etc/passwd", 0, 0x7ff, buffer);
}
static long try_readlink(void) {
  char buffer[64];
  return syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buffer, sizeof buffer);
}
static long try_unlink(void) { return syscall(SYS_unlinkat, AT_FDCWD, "/tmp/lunette-none", 0); }
static long try_rename(void) {
  return syscall(SYS_renameat2, AT_FDCWD, "/tmp/a", AT_FDCWD, "/tmp/b", 0);
}
static long try_mkdir(void) { return syscall(SYS_mkdirat, AT_FDCWD, "/tmp/lunette-dir", 0700); }
static long try_chmod(void) { return syscall(SYS_fchmodat, AT_FDCWD, "/tmp", 0777); }
static long try_chdir(void) { return syscall(SYS_chdir, "/"); }
static long try_getcwd(void) { return syscall(SYS_getcwd, memory, PAGE); }
static long try_inotify(void) { return syscall(SYS_inotify_init1, 0); }
static long try_socket(void) { return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }
static long try_unix_socket(void) { return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }
static long try_netlink(void) { return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0); }
static long try_socketpair(void) {
  int pair[2];
  return syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
}
static long try_connect(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/tmp/lunette-none"};
  return syscall(SYS_connect, CHILD_LINK_FD, &address, sizeof address);
}
static long try_bind(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  return syscall(SYS_bind, CHILD_LINK_FD, &address, sizeof(sa_family_t));
}
static long try_setsockopt(void) {
  int one = 1;
  return syscall(SYS_setsockopt, CHILD_LINK_FD, SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
}
static long try_clone(void) { return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL); }
static long try_clone_for_parent(void) {
  return syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}
static long try_clone3(void) {
  uint64_t arguments[11] = {0};
  arguments[4] = SIGCHLD;
  return syscall(SYS_clone3, arguments, sizeof arguments);
}
static long try_kill_parent(void) { return syscall(SYS_kill, outside, 0); }
static long try_kill_all(void) { return syscall(SYS_kill, -1, 0); }
static long try_tgkill_other(void) { return syscall(SYS_tgkill, outside, outside, 0); }
static long try_tgkill_high(void) { return syscall(SYS_tgkill, (1L << 32) | outside, outside, 0); }
static long try_tkill(void) { return syscall(SYS_tkill, outside, 0); }
static long try_sigqueue(void) {
  siginfo_t info = {.si_code = SI_QUEUE};
  return syscall(SYS_rt_sigqueueinfo, outside, SIGCONT, &info);
}
static long try_pidfd_open(void) { return syscall(SYS_pidfd_open, outside, 0); }
static long try_prlimit_other(void) {
  struct rlimit limit;
  return syscall(SYS_prlimit64, outside, RLIMIT_NOFILE, NULL, &limit);
}
static long try_raise_limit(void) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
}
static long try_priority(void) { return syscall(SYS_setpriority, 0, 0, 10); }
static long try_scheduler(void) {
  struct sched_param none = {0};
  return syscall(SYS_sched_setscheduler, outside, SCHED_BATCH, &none);
}
static long try_dumpable(void) { return syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0); }
static long try_death_signal(void) { return syscall(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0); }
static long try_ptracer(void) { return syscall(SYS_prctl, PR_SET_PTRACER, outside, 0, 0, 0); }
static long try_capset(void) {
  uint32_t header[2] = {0x20080522, 0}, data[6] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
  return syscall(SYS_capset, header, data);
}
static long try_setuid(void) { return syscall(SYS_setuid, 0); }
static long try_another_filter(void) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &allow};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
static long try_mmap_code(void) {
  return syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long try_mprotect_code(void) {
  return syscall(SYS_mprotect, memory, PAGE, PROT_READ | PROT_EXEC);
}
static long try_pkey_mprotect_code(void) {
  return syscall(SYS_pkey_mprotect, memory, PAGE, PROT_READ | PROT_EXEC, -1);
}
static long try_shared_code(void) {
  int fd = (int)syscall(SYS_memfd_create, "code", 0);
  if (fd < 0 || ftruncate(fd, PAGE) != 0) return 0;
  return syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
}
static long try_shmget(void) { return syscall(SYS_shmget, 0, PAGE, 0600); }
static long try_mlock(void) { return syscall(SYS_mlock, memory, PAGE); }
static long try_dup(void) { return syscall(SYS_dup, CHILD_LINK_FD); }
static long try_fcntl_dup(void) { return syscall(SYS_fcntl, CHILD_LINK_FD, F_DUPFD, 10); }
static long try_fcntl_owner(void) { return syscall(SYS_fcntl, CHILD_LINK_FD, F_SETOWN, outside); }
static long try_terminal_input(void) { return syscall(SYS_ioctl, STDERR_FILENO, TIOCSTI, "x"); }
static long try_truncate_log(void) { return syscall(SYS_ftruncate, STDERR_FILENO, 0); }
static long try_rewind_log(void) { return syscall(SYS_lseek, STDERR_FILENO, 0, SEEK_SET); }
static long try_unblock_log(void) { return syscall(SYS_fcntl, STDERR_FILENO, F_SETFL, O_NONBLOCK); }
static long try_log_by_high_bits(void) {
  return syscall(SYS_ftruncate, (1L << 32) | STDERR_FILENO, 0);
}
static long try_sendfile(void) { return syscall(SYS_sendfile, CHILD_LINK_FD, 0, NULL, 1); }
static long try_splice(void) { return syscall(SYS_splice, 0, NULL, CHILD_LINK_FD, NULL, 1, 0); }
static long try_timer(void) {
  timer_t timer;
  return syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer);
}
static long try_set_clock(void) {
  struct timespec time = {0};
  return syscall(SYS_clock_settime, CLOCK_REALTIME, &time);
}
static long try_hostname(void) { return syscall(SYS_sethostname, "x", 1); }
static long try_unknown(void) { return syscall(1023); }

/* Deadly ones */

static long try_execve(void) {
  const char *arguments[] = {"true", NULL};
  return syscall(SYS_execve, "/bin/true", arguments, NULL);
}
static long try_execveat(void) {
  const char *arguments[] = {"true", NULL};
  return syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, NULL, 0);
}
static long try_memfd_exec(void) {
  const char *arguments[] = {"code", NULL};
  int fd = (int)syscall(SYS_memfd_create, "code", 0);
  return syscall(SYS_execveat, fd, "", arguments, NULL, AT_EMPTY_PATH);
}
static long try_ptrace(void) { return syscall(SYS_ptrace, 16 /* ATTACH */, outside, NULL, NULL); }
static long try_read_parent(void) {
  struct iovec here = {memory, 8}, there = {memory, 8};
  return syscall(SYS_process_vm_readv, outside, &here, 1, &there, 1, 0);
}
static long try_write_parent(void) {
  struct iovec here = {memory, 8}, there = {memory, 8};
  return syscall(SYS_process_vm_writev, outside, &here, 1, &there, 1, 0);
}
static long try_pidfd_getfd(void) { return syscall(SYS_pidfd_getfd, CHILD_LINK_FD, 0, 0); }
static long try_bpf(void) { return syscall(SYS_bpf, 0, memory, 64); }
static long try_io_uring(void) { return syscall(SYS_io_uring_setup, 1, memory); }
static long try_userfaultfd(void) { return syscall(SYS_userfaultfd, 0); }
static long try_perf(void) { return syscall(SYS_perf_event_open, memory, 0, -1, -1, 0); }
static long try_unshare(void) { return syscall(SYS_unshare, CLONE_NEWUSER); }
static long try_setns(void) { return syscall(SYS_setns, CHILD_LINK_FD, 0); }
static long try_mount(void) { return syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL); }
static long try_chroot(void) { return syscall(SYS_chroot, "/"); }
static long try_module(void) { return syscall(SYS_init_module, memory, PAGE, ""); }
static long try_keyctl(void) { return syscall(SYS_keyctl, 0, -3, 0); }
static long try_personality(void) { return syscall(SYS_personality, 0x0400000); }

#ifdef __x86_64__
static long try_x32(void) { return syscall(0x40000000 + SYS_getpid); }

/* getpid by the door for programs of 32 bits. */
static long try_32_bit(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
  return result;
}
static long try_old_open(void) { return syscall(SYS_open, "/etc/passwd", O_RDONLY); }
static long try_fork(void) { return syscall(SYS_fork); }
static long try_vfork(void) { return syscall(SYS_vfork); }
static long try_iopl(void) { return syscall(SYS_iopl, 3); }
#endif

/* What is needed must work */

static long use_shared_memory(void) {
  int fd = (int)syscall(SYS_memfd_create, "large", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, PAGE) != 0) return -1;
  char *bytes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) return -1;
  bytes[0] = 'x';
  munmap(bytes, PAGE);
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE) != 0) return -1;
  if (fcntl(fd, F_GET_SEALS) < 0) return -1;
  struct stat status;
  if (syscall(SYS_fstat, fd, &status) != 0 || status.st_size != PAGE) return -1;
  if (lseek(fd, 0, SEEK_END) != PAGE) return -1;
  return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : close(fd);
}

static long use_heap(void) {
  enum { LARGE = 64 << 20 };
  char *bytes = malloc(LARGE);
  memset(bytes, 1, LARGE);
  bytes = realloc(bytes, 2 * LARGE);
  bool ok = bytes && bytes[LARGE - 1] == 1;
  free(bytes);
  return ok ? 0 : -1;
}

static long use_time(void) {
  time_t now = time(NULL);
  struct tm local;
  return localtime_r(&now, &local) && mktime(&local) == now && clock() >= 0 ? 0 : -1;
}

static long use_random(void) {
  uint64_t number;
  return uv_random(NULL, NULL, &number, sizeof number, 0, NULL);
}

static long use_limits(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit);
}

static long use_own_signal(void) {
  signal(SIGUSR1, SIG_IGN);
  return raise(SIGUSR1);
}

/* Running one */

typedef long (*Attempt)(void);

/* In the child: a renderer's way into the sandbox, then the attempt. */
static void be_renderer(Attempt attempt) {
  int link[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, link) != 0) _exit(OTHER_ERROR);
  int log = open("/dev/null", O_RDWR);
  dup2(log, STDERR_FILENO);
  unsigned missing = sandbox_prepare();
  sandbox_close_others(link[1]);
  missing |= sandbox_enter();
  bool has_none = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0; /* which the filter refuses */
  if (has_none || (missing & SANDBOX_FILTER)) _exit(NOT_CONTAINED);
  long result = attempt();
  _exit(outcome(result));
}

/* The status of the child as waitpid gives it. */
static int status_of(Attempt attempt) {
  int status = 0;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) be_renderer(attempt);
  waitpid(pid, &status, 0);
  return status;
}

static bool is_outcome(Attempt attempt, int wanted) {
  int status = status_of(attempt);
  return WIFEXITED(status) && WEXITSTATUS(status) == wanted;
}

static bool is_deadly(Attempt attempt) {
  int status = status_of(attempt);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

#define ALLOWS(attempt) CHECK(is_outcome(attempt, ALLOWED))
#define REFUSES(attempt) CHECK(is_outcome(attempt, REFUSED))
#define KILLS(attempt) CHECK(is_deadly(attempt))

static void test_needed(void) {
  ALLOWS(use_shared_memory);
  ALLOWS(use_heap);
  ALLOWS(use_time);
  ALLOWS(use_random);
  ALLOWS(use_limits);
  ALLOWS(use_own_signal);
}

static void test_files(void) {
  REFUSES(try_openat);
  REFUSES(try_open_write);
  REFUSES(try_open_memory);
  REFUSES(try_open_parent);
  REFUSES(try_openat2);
  REFUSES(try_stat);
  REFUSES(try_statx);
  REFUSES(try_readlink);
  REFUSES(try_unlink);
  REFUSES(try_rename);
  REFUSES(try_mkdir);
  REFUSES(try_chmod);
  REFUSES(try_chdir);
  REFUSES(try_getcwd);
  REFUSES(try_inotify);
}

static void test_sockets(void) {
  REFUSES(try_socket);
  REFUSES(try_unix_socket);
  REFUSES(try_netlink);
  REFUSES(try_socketpair);
  REFUSES(try_connect);
  REFUSES(try_bind);
  REFUSES(try_setsockopt);
}

static void test_processes(void) {
  REFUSES(try_clone);
  REFUSES(try_clone_for_parent);
  REFUSES(try_clone3);
  REFUSES(try_kill_parent);
  REFUSES(try_kill_all);
  REFUSES(try_tgkill_other);
  REFUSES(try_tgkill_high);
  REFUSES(try_tkill);
  REFUSES(try_sigqueue);
  REFUSES(try_pidfd_open);
  REFUSES(try_priority);
  REFUSES(try_scheduler);
  KILLS(try_execve);
  KILLS(try_execveat);
  KILLS(try_memfd_exec);
  KILLS(try_ptrace);
  KILLS(try_read_parent);
  KILLS(try_write_parent);
  KILLS(try_pidfd_getfd);
}

static void test_memory(void) {
  REFUSES(try_mmap_code);
  REFUSES(try_mprotect_code);
  REFUSES(try_pkey_mprotect_code);
  REFUSES(try_shared_code);
  REFUSES(try_shmget);
  REFUSES(try_mlock);
}

static void test_undoing(void) {
  REFUSES(try_prlimit_other);
  REFUSES(try_raise_limit);
  REFUSES(try_dumpable);
  REFUSES(try_death_signal);
  REFUSES(try_ptracer);
  REFUSES(try_capset);
  REFUSES(try_setuid);
  REFUSES(try_another_filter);
  KILLS(try_unshare);
  KILLS(try_setns);
  KILLS(try_chroot);
  KILLS(try_personality);
}

static void test_descriptors(void) {
  REFUSES(try_dup);
  REFUSES(try_fcntl_dup);
  REFUSES(try_fcntl_owner);
  REFUSES(try_terminal_input);
  REFUSES(try_truncate_log);
  REFUSES(try_rewind_log);
  REFUSES(try_unblock_log);
  REFUSES(try_log_by_high_bits);
  REFUSES(try_sendfile);
  REFUSES(try_splice);
}

static void test_kernel(void) {
  REFUSES(try_timer);
  REFUSES(try_set_clock);
  REFUSES(try_hostname);
  REFUSES(try_unknown);
  KILLS(try_bpf);
  KILLS(try_io_uring);
  KILLS(try_userfaultfd);
  KILLS(try_perf);
  KILLS(try_mount);
  KILLS(try_module);
  KILLS(try_keyctl);
}

#ifdef __x86_64__
static void test_machine(void) {
  KILLS(try_x32);
  KILLS(try_32_bit);
  REFUSES(try_old_open);
  REFUSES(try_fork);
  REFUSES(try_vfork);
  KILLS(try_iopl);
}
#endif

/* The second walls, each by itself: what the filter would refuse before they are asked. */

/* How many lines of /proc/PID/status are as they should. */
static int count_status(pid_t pid) {
  static const char *const wanted[] = {"CapPrm:\t0000000000000000",
                                       "CapEff:\t0000000000000000",
                                       "CapInh:\t0000000000000000",
                                       "NoNewPrivs:\t1",
                                       "Seccomp:\t2",
                                       "Seccomp_filters:\t2"};
  char path[64], text[8192];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  int fd = open(path, O_RDONLY), count = 0;
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size < 0 ? 0 : size] = '\0';
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    if (strstr(text, wanted[i])) count++;
    else printf("not in %s: %s\n", path, wanted[i]);
  }
  return count;
}

static int count_fds_of(pid_t pid) {
  char path[64];
  int count = 0;
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *folder = opendir(path);
  for (struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

static bool has_limit(pid_t pid, __rlimit_resource_t resource, rlim_t wanted) {
  struct rlimit limit;
  return prlimit(pid, resource, NULL, &limit) == 0 && limit.rlim_cur == wanted &&
         limit.rlim_max == wanted;
}

/* Whether the process's own memory holds the text, where its environment was. */
static bool environment_has(pid_t pid, const char *text) {
  char path[64], bytes[1 << 16];
  snprintf(path, sizeof path, "/proc/%d/environ", pid);
  int fd = open(path, O_RDONLY);
  ssize_t size = read(fd, bytes, sizeof bytes);
  close(fd);
  return size > 0 && memmem(bytes, (size_t)size, text, strlen(text)) != NULL;
}

/* Tells that it is inside, and waits for the test to have looked. */
static void be_looked_at(int ready, int done) {
  char byte = 'x';
  int link[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, link) != 0) _exit(OTHER_ERROR);
  dup2(done, STDERR_FILENO); /* of what is open before, the one thing that is kept */
  unsigned missing = sandbox_prepare();
  dup2(link[0], 200); /* something that was forgotten */
  dup2(ready, link[1]);
  sandbox_close_others(link[1]);
  missing |= sandbox_enter();
  if (write(STDOUT_FILENO, &byte, 1) == 1) _exit(ALLOWED);
  byte = (char)missing;
  if (write(CHILD_LINK_FD, &byte, 1) != 1) _exit(OTHER_ERROR);
  _exit(read(STDERR_FILENO, &byte, 1) == 0 ? 0 : OTHER_ERROR);
}

static void look_at(pid_t pid) {
  CHECK(count_status(pid) == 6);
  CHECK(count_fds_of(pid) == 4);
  CHECK(has_limit(pid, RLIMIT_CORE, 0));
  CHECK(has_limit(pid, RLIMIT_NPROC, 0));
  CHECK(has_limit(pid, RLIMIT_NOFILE, 256));
  CHECK(!environment_has(pid, "PATH="));
}

static void test_other_walls(void) {
  int ready[2], done[2], status = 0;
  char byte = 'x';
  CHECK(pipe(ready) == 0 && pipe(done) == 0);
  CHECK(getenv("PATH"));
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    close(done[1]);
    be_looked_at(ready[1], done[0]);
  }
  close(ready[1]);
  close(done[0]);
  CHECK(read(ready[0], &byte, 1) == 1);
  look_at(pid);
  close(done[1]);
  close(ready[0]);
  waitpid(pid, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A system that lacks a part */

/* What a renderer lacks then, and whether it can still open a file: bits and 4. */
static int missing_without(const int *numbers, unsigned count) {
  int status = 0;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    take_away(numbers, count);
    unsigned missing = sandbox_prepare();
    missing |= sandbox_enter();
    if (outcome(try_openat()) == ALLOWED) missing |= 4;
    _exit((int)missing);
  }
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_lacking(void) {
  const int landlock[] = {SYS_landlock_create_ruleset}, filter[] = {SYS_seccomp};
  const int both[] = {SYS_landlock_create_ruleset, SYS_seccomp};
  CHECK(missing_without(landlock, 1) == SANDBOX_LANDLOCK);
  CHECK(missing_without(filter, 1) == SANDBOX_FILTER);
  CHECK(missing_without(both, 2) == (SANDBOX_FILTER | SANDBOX_LANDLOCK | 4));
}

static void write_file(const char *folder, const char *name, const char *text) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  fputs(text, file);
  fclose(file);
}

/* In a child: the program itself, which lies two folders above this test, with an app of two pages,
 * one after the other. Its output goes to `out`. */
static void be_app(const char *folder, int number, int out) {
  char path[256];
  ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
  path[size < 0 ? 0 : size] = '\0';
  for (int up = 0; up < 3 && strrchr(path, '/'); up++) *strrchr(path, '/') = '\0';
  strcat(path, "/lunette");
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  take_away(&number, 1);
  execl(path, path, folder, (char *)NULL);
  _exit(OTHER_ERROR);
}

/* What the app prints where this system call is not to be had; the caller frees it. */
static char *output_without(const char *folder, int number) {
  int out[2];
  size_t size = 0;
  char *text = calloc(1, PAGE);
  CHECK(pipe(out) == 0);
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) be_app(folder, number, out[1]);
  close(out[1]);
  for (ssize_t got = 1; got > 0 && size < PAGE - 1; size += (size_t)got) {
    got = read(out[0], text + size, PAGE - 1 - size);
    if (got < 0) break;
  }
  close(out[0]);
  waitpid(pid, NULL, 0);
  return text;
}

static void check_output(const char *folder, int number, const char *wanted) {
  char *text = output_without(folder, number);
  if (!CHECK(strcmp(text, wanted) == 0)) printf("%s", text);
  free(text);
}

/* Main says once what is missing, and process.sandboxed tells whether the filter is there. */
static void test_app_lacking(void) {
  char folder[] = "/tmp/lunette-test-XXXXXX", file[128];
  static const char *const names[] = {"main.lua", "page.lua"};
  CHECK(mkdtemp(folder));
  write_file(folder, names[0],
             "local lunette = require 'lunette' lunette.app.whenReady():await() "
             "for i = 1, 2 do lunette.BrowserWindow.new():loadFile('page.lua'):await() end "
             "lunette.app.quit()");
  write_file(folder, names[1], "print(require('lunette').process.sandboxed)");
  check_output(folder, SYS_landlock_create_ruleset,
               "lunette: pages run without Landlock, which this system lacks: the other walls "
               "stand\ntrue\ntrue\n");
  check_output(folder, SYS_seccomp,
               "lunette: pages run without a filter of system calls, which this system refuses: "
               "process.sandboxed is false\nfalse\nfalse\n");
  for (int i = 0; i < 2; i++) {
    snprintf(file, sizeof file, "%s/%s", folder, names[i]);
    unlink(file);
  }
  rmdir(folder);
}

static void test_refused(void) {
  test_files();
  test_sockets();
  test_processes();
  test_memory();
  test_undoing();
  test_descriptors();
  test_kernel();
#ifdef __x86_64__
  test_machine();
#endif
  test_other_walls();
  test_lacking();
  test_app_lacking();
}

static void test_all(void) {
  outside = getpid();
  memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  test_needed();
  if (CONTAINS) test_refused();
  munmap(memory, PAGE);
}

int main(void) { return run_test(test_all); }
