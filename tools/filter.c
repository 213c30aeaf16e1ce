/* SPDX-License-Identifier: MIT
 * Build-time helper: prints the arrays that runtime/host/filter.h declares, the system calls that a
 * sandboxed renderer may make, compiled by libseccomp for the machine that builds.
 *
 * What a renderer does once it is sealed: it waits for its link and its timers, reads and writes
 * the link, takes memory, tells the time, ends. All else is refused with EPERM, as an honest page
 * may meet it through a library, and nothing is harmed; what no renderer has a reason to try ends
 * the process. Files need no rule: what a page requires reaches it through main.
 *
 * Two filters, as loading a large one takes the kernel half as long as forking a renderer: the
 * first is the zygote's too and allows what starting needs; the second, a short one, takes that
 * away. */
#include "host/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Allowed whatever their arguments are, which lets the kernel (5.11 and later) answer from a bitmap
 * without running the filter: all that a message costs is among these. */
static const char *const allowed[] = {
    /* the loop and the link; the other forms are what other machines have instead */
    "epoll_wait", "epoll_pwait", "epoll_ctl", "poll", "ppoll", "recvmsg", "recvfrom", "sendmsg",
    "sendto", "read", "write", "writev", "close", "pread64",
    /* memory; what may be mapped how is below */
    "brk", "munmap", "mremap", "madvise", "memfd_create", "fstat",
    /* time, where the kernel has no page for it; the collector and locks of the C library */
    "clock_gettime", "clock_getres", "gettimeofday", "time", "futex", "getpid", "gettid",
    "getrandom",
    /* limits, which the second filter lets be read */
    "prlimit64",
    /* signals to itself, being stopped and continued, the end, which a timer sees to that it comes
     */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "restart_syscall", "tgkill", "setitimer",
    "exit", "exit_group"};

/* Allowed until the second filter: forking, the loop's descriptors, and entering the sandbox. */
static const char *const starting[] = {
    /* the zygote's, and being main's child */
    "clone", "getppid", "prctl", "sched_getscheduler", "sched_setscheduler",
    /* the loop's descriptors */
    "epoll_create1", "eventfd2", "pipe2", "dup2", "dup3", "close_range",
    /* the second half of the sandbox */
    "setrlimit", "landlock_create_ruleset", "landlock_restrict_self", "seccomp"};

/* Allowed with these arguments alone, and descriptors from `first_fd` on. A mask names the bits
 * that count: the kernel ignores the upper half of a 32-bit argument, so a comparison that did not
 * would be no wall. */
typedef struct Rule {
  const char *name;
  unsigned first_fd; /* 0 where the first argument is no descriptor, or does not matter */
  unsigned argument;
  uint64_t mask, value;
} Rule;

enum { ANY_MASK = 0 };

static const Rule rules[] = {
    /* no memory that can be written and run, nor one that becomes so */
    {"mmap", 0, 2, PROT_EXEC, 0},
    {"mprotect", 0, 2, PROT_EXEC, 0},
    /* flags and seals of its own descriptors; no copies, locks or signals */
    {"fcntl", 0, 1, UINT32_MAX, F_GETFD},
    {"fcntl", 0, 1, UINT32_MAX, F_SETFD},
    {"fcntl", 0, 1, UINT32_MAX, F_GETFL},
    {"fcntl", 0, 1, UINT32_MAX, F_ADD_SEALS},
    {"fcntl", 0, 1, UINT32_MAX, F_GET_SEALS},
    /* non-blocking ones, but not standard error, which is main's too; the second is libuv's way */
    {"fcntl", FILTER_LINK_FD, 1, UINT32_MAX, F_SETFL},
    {"ioctl", FILTER_LINK_FD, 1, UINT32_MAX, FIONBIO},
    /* shared memory, but not a log that standard error may be */
    {"ftruncate", FILTER_LINK_FD + 1, 1, ANY_MASK, 0},
    {"lseek", FILTER_LINK_FD + 1, 1, ANY_MASK, 0}};

/* What ends the process: ways into other processes, the kernel, or another program. */
static const char *const deadly[] = {"execve",
                                     "execveat",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "process_madvise",
                                     "pidfd_getfd",
                                     "kcmp",
                                     "bpf",
                                     "perf_event_open",
                                     "userfaultfd",
                                     "io_uring_setup",
                                     "io_uring_enter",
                                     "io_uring_register",
                                     "unshare",
                                     "setns",
                                     "mount",
                                     "umount2",
                                     "pivot_root",
                                     "chroot",
                                     "move_mount",
                                     "open_tree",
                                     "fsopen",
                                     "fsmount",
                                     "mount_setattr",
                                     "init_module",
                                     "finit_module",
                                     "delete_module",
                                     "kexec_load",
                                     "kexec_file_load",
                                     "reboot",
                                     "swapon",
                                     "iopl",
                                     "ioperm",
                                     "modify_ldt",
                                     "personality",
                                     "keyctl",
                                     "add_key",
                                     "request_key",
                                     "acct",
                                     "open_by_handle_at",
                                     "quotactl",
                                     "syslog",
                                     "vhangup"};

/* The sanitizers' own needs, in builds with them only: they look at the process's maps, print with
 * the help of other programs, and stop all threads in order to find leaks. Such a build is for
 * testing; its filter contains nobody. */
static const char *const sanitizer[] = {"open",
                                        "openat",
                                        "readlink",
                                        "readlinkat",
                                        "stat",
                                        "newfstatat",
                                        "lstat",
                                        "access",
                                        "getdents64",
                                        "dup",
                                        "dup2",
                                        "pipe",
                                        "pipe2",
                                        "clone",
                                        "clone3",
                                        "fork",
                                        "vfork",
                                        "execve",
                                        "wait4",
                                        "ptrace",
                                        "prctl",
                                        "arch_prctl",
                                        "set_robust_list",
                                        "rseq",
                                        "set_tid_address",
                                        "sigaltstack",
                                        "sched_yield",
                                        "sched_getaffinity",
                                        "getrlimit",
                                        "setrlimit",
                                        "prlimit64",
                                        "getppid",
                                        "kill",
                                        "tgkill",
                                        "tkill",
                                        "readv",
                                        "uname",
                                        "getuid",
                                        "geteuid",
                                        "getgid",
                                        "getegid",
                                        "nanosleep",
                                        "clock_nanosleep",
                                        "lseek",
                                        "ftruncate",
                                        "unlink",
                                        "rename",
                                        "sysinfo",
                                        "membarrier",
                                        "process_vm_readv",
                                        "personality"};

#ifdef SANITIZED
enum { SANITIZERS = true };
#else
enum { SANITIZERS = false };
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The number of a system call of this machine; negative where the machine has none of that name.
 * Ends the build for a name that libseccomp does not know, which would be a hole or a rule lost. */
static int number_of(const char *name) {
  int number = seccomp_syscall_resolve_name(name);
  if (number != __NR_SCMP_ERROR) return number;
  fprintf(stderr, "filter: libseccomp does not know %s\n", name);
  exit(EXIT_FAILURE);
}

static bool is_listed(const char *name, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (number_of(names[i]) == number_of(name)) return true;
  }
  return false;
}

static bool add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *arguments) {
  int number = number_of(name);
  if (number < 0) return true;
  int error = seccomp_rule_add_array(filter, action, number, count, arguments);
  if (error < 0) fprintf(stderr, "filter: %s: error %d\n", name, -error);
  return error >= 0;
}

static bool add_all(scmp_filter_ctx filter, uint32_t action, const char *const *names,
                    size_t count) {
  for (size_t i = 0; i < count; i++) {
    bool is_needed = SANITIZERS && is_listed(names[i], sanitizer, COUNT(sanitizer));
    if (is_needed && action != SCMP_ACT_ALLOW) continue;
    if (!add(filter, action, names[i], 0, NULL)) return false;
  }
  return true;
}

#define MASKED(argument, mask, value) SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, value)

/* The descriptors from first_fd on, as ranges that one mask can tell each. */
static bool add_for_fds(scmp_filter_ctx filter, const Rule *rule) {
  struct scmp_arg_cmp argument = MASKED(rule->argument, rule->mask, rule->value);
  for (unsigned fd = rule->first_fd; fd < FILTER_FD_LIMIT; fd += fd & -fd) {
    struct scmp_arg_cmp both[] = {MASKED(0, UINT32_MAX & ~((fd & -fd) - 1), fd), argument};
    if (!add(filter, SCMP_ACT_ALLOW, rule->name, rule->mask ? 2 : 1, both)) return false;
  }
  return true;
}

static bool add_rule(scmp_filter_ctx filter, const Rule *rule) {
  if (SANITIZERS && is_listed(rule->name, sanitizer, COUNT(sanitizer))) return true;
  if (rule->first_fd > 0) return add_for_fds(filter, rule);
  struct scmp_arg_cmp argument = MASKED(rule->argument, rule->mask, rule->value);
  return add(filter, SCMP_ACT_ALLOW, rule->name, 1, &argument);
}

static bool add_first(scmp_filter_ctx filter) {
  bool ok = add_all(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed)) &&
            add_all(filter, SCMP_ACT_ALLOW, starting, COUNT(starting)) &&
            add_all(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
  for (size_t i = 0; ok && i < COUNT(rules); i++) ok = add_rule(filter, &rules[i]);
  return ok && (!SANITIZERS || add_all(filter, SCMP_ACT_ALLOW, sanitizer, COUNT(sanitizer)));
}

static bool refuse_unless(scmp_filter_ctx filter, const char *name, unsigned argument,
                          uint64_t value) {
  if (SANITIZERS) return true;
  struct scmp_arg_cmp other = SCMP_CMP64(argument, SCMP_CMP_NE, value);
  return add(filter, SCMP_ACT_ERRNO(EPERM), name, 1, &other);
}

/* Of signals, the process may send one to itself: abort() does. Of limits, it may read its own. */
static bool add_second(scmp_filter_ctx filter) {
  return add_all(filter, SCMP_ACT_ERRNO(EPERM), starting, COUNT(starting)) &&
         refuse_unless(filter, "tgkill", 0, FILTER_SELF) &&
         refuse_unless(filter, "prlimit64", 0, 0) && refuse_unless(filter, "prlimit64", 2, 0);
}

/* Other machines' system calls, x32's among them, end the process. A tree of numbers is shorter to
 * walk than a list, when a message is sent and when the kernel makes its bitmap. */
static scmp_filter_ctx new_filter(uint32_t otherwise, bool (*add_rules)(scmp_filter_ctx filter)) {
  scmp_filter_ctx filter = seccomp_init(otherwise);
  bool ok = filter &&
            seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
            seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 && add_rules(filter);
  return ok ? filter : NULL;
}

/* The program's instructions, whose number is *size; NULL when it could not be made. */
static struct sock_filter *compile(scmp_filter_ctx filter, size_t *size) {
  FILE *file = tmpfile();
  if (!file || seccomp_export_bpf(filter, fileno(file)) < 0) return NULL;
  off_t bytes = lseek(fileno(file), 0, SEEK_END);
  rewind(file);
  *size = (size_t)bytes / sizeof(struct sock_filter);
  struct sock_filter *program = malloc((size_t)bytes);
  bool ok = program && fread(program, sizeof *program, *size, file) == *size;
  fclose(file);
  return ok ? program : NULL;
}

/* Whether the process's own number has its place, and just one. */
static bool has_self(const struct sock_filter *program, size_t size) {
  size_t places = 0;
  for (size_t i = 0; i < size; i++) places += program[i].k == FILTER_SELF;
  return places == 1;
}

static void print_array(const char *name, const struct sock_filter *program, size_t size) {
  printf("\nconst struct sock_filter %s[] = {\n", name);
  for (size_t i = 0; i < size; i++) {
    printf("  {0x%02x, %u, %u, 0x%08x},\n", program[i].code, program[i].jt, program[i].jf,
           program[i].k);
  }
  printf("};\n\nconst unsigned short %s_size = %zu;\n", name, size);
}

/* Frees the filter. */
static bool print(const char *name, scmp_filter_ctx filter, bool wants_self) {
  size_t size = 0;
  struct sock_filter *program = filter ? compile(filter, &size) : NULL;
  bool ok = program && has_self(program, size) == wants_self;
  if (ok) print_array(name, program, size);
  else fprintf(stderr, "filter: %s cannot be made\n", name);
  free(program);
  if (filter) seccomp_release(filter);
  return ok;
}

int main(void) {
  printf("/* Made by tools/filter.c. */\n#include \"host/filter.h\"\n");
  bool ok = print("first_filter", new_filter(SCMP_ACT_ERRNO(EPERM), add_first), false) &&
            print("second_filter", new_filter(SCMP_ACT_ALLOW, add_second), !SANITIZERS);
  return ok && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
