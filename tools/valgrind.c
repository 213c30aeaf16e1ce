/* SPDX-License-Identifier: MIT
 * For LD_PRELOAD under valgrind 3.19, which refuses the system calls of a sandbox: they seem to
 * succeed, and no wall stands, so what attacks the walls must not run under it. Valgrind's vfork is
 * a fork, so that posix_spawn would not learn of a program that is not there. Pidfds, which
 * valgrind refuses too, the runtime can do without. */
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC visibility push(default)

/* In the place of libc's: what a sandbox asks for is granted, and not done. */
long syscall(long number, ...) {
  if (number == SYS_seccomp || number == SYS_landlock_restrict_self) return 0;
  if (number == SYS_landlock_create_ruleset) return dup(STDIN_FILENO);
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  long (*next)(long, ...);
  *(void **)&next = dlsym(RTLD_NEXT, "syscall");
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* In the place of libc's: looks first whether the program is there. */
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const env[]) {
  int (*next)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
              char *const[], char *const[]);
  if (access(path, X_OK) != 0) return errno;
  *(void **)&next = dlsym(RTLD_NEXT, "posix_spawn");
  return next(pid, path, actions, attributes, argv, env);
}

#pragma GCC visibility pop
