/* SPDX-License-Identifier: MIT
 * A kernel that lacks something; or one that lacks system calls, played by a filter. */
#pragma once

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Whether the system tells by a pidfd how a process has ended that was not waited for. */
static inline bool tells_of_reaped(void) {
  struct utsname name;
  int major, minor, fd = pidfd_open(getpid(), 0);
  if (fd < 0) return false;
  close(fd);
  uname(&name);
  if (sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 6 || (major == 6 && minor >= 15);
}

/* The exit status where the filter is not to be had. */
enum { LACKING_FAILED = 99 };

/* Makes the system calls with these numbers fail from now on, as a system without them does. */
static inline void take_away(const int *numbers, unsigned count) {
  struct sock_filter program[16];
  unsigned size = 0;
  program[size++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (unsigned i = 0; i < count; i++) {
    program[size++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i], 0, 1);
    program[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
  }
  program[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog whole = {(unsigned short)size, program};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole) != 0) _exit(LACKING_FAILED);
}
