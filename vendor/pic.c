/* SPDX-License-Identifier: MIT
 * For the library only: what lets Debian's archives of Lua, luv, lua-cjson and libuv, whose code is
 * made for executables, be a part of a shared library.
 *
 * An executable may hold a variable of libc itself, and their code counts on that. In the copies of
 * the archives that the library is made from, the names of those variables are replaced by the ones
 * below, which hold the same values. `environ` changes, when a variable is set; so it is read anew
 * by whoever uses it. */
#include "vm/brake.h"

#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

extern FILE *pic_stdin, *pic_stdout, *pic_stderr;
extern char **pic_environ;
extern const struct in6_addr pic_in6addr_any;

FILE *pic_stdin, *pic_stdout, *pic_stderr;
char **pic_environ;
const struct in6_addr pic_in6addr_any = IN6ADDR_ANY_INIT;

int pic_execvp(const char *file, char *const argv[]);
int pic_uv_os_environ(uv_env_item_t **items, int *count);
int pic_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *options);

/* Before the constructors of others. */
__attribute__((constructor(101))) static void fill(void) {
  pic_stdin = stdin;
  pic_stdout = stdout;
  pic_stderr = stderr;
  pic_environ = environ;
}

/* When the library is unloaded. */
__attribute__((destructor)) static void leave(void) { brake_give_signals_back(); }

/* In the child of uv_spawn, which has set `environ`. */
int pic_execvp(const char *file, char *const argv[]) { return execvpe(file, argv, pic_environ); }

/* For luv. */
int pic_uv_os_environ(uv_env_item_t **items, int *count) {
  pic_environ = environ;
  return uv_os_environ(items, count);
}

/* For luv. */
int pic_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *options) {
  pic_environ = environ;
  return uv_spawn(loop, process, options);
}
