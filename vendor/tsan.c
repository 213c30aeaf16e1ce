/* SPDX-License-Identifier: MIT
 * For BUILD=tsan only: tells the thread sanitizer what Debian's archives of Lua and libuv, which
 * are compiled without it, do by ways that it does not watch.
 *
 * It would take each error and each yield of Lua for calls that never return, until its own stack
 * is full; and the number of a descriptor that libuv closed, given to another thread, for a race.
 * The program is linked with --wrap=syscall, and its own __longjmp_chk comes before libc's. */
#undef _FORTIFY_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

_Noreturn void __longjmp_chk(jmp_buf buffer, int value);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
void __sanitizer_syscall_pre_impl_close(long fd);

/* Lua's, as it is compiled with _FORTIFY_SOURCE. */
void __longjmp_chk(jmp_buf buffer, int value) { longjmp(buffer, value); }

/* Those whose arguments are fewer get registers that nobody reads. */
long __wrap_syscall(long number, ...) {
  long given[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) given[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_close) __sanitizer_syscall_pre_impl_close(given[0]);
  return __real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
