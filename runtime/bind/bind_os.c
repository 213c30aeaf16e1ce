/* SPDX-License-Identifier: MIT
 * core.os: this process, its environment, files, and the single instance lock. */
#include "base/buf.h"
#include "bind/bind.h"
#include "host/child.h"
#include "host/environment.h"
#include "host/file.h"
#include "host/instance.h"
#include "vm/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char BUFFER[] = "lunette.Buffer";
static const char INSTANCE[] = "lunette.Instance";

/* nil, "ENOENT: no such file or directory: PATH", "ENOENT"; `path` may be NULL. */
static int push_failure(lua_State *L, int error, const char *path) {
  const char *name = uv_err_name(error), *text = uv_strerror(error);
  lua_pushnil(L);
  if (path) {
    lua_pushfstring(L, "%s: %s: %s", name, text, path);
  } else {
    lua_pushfstring(L, "%s: %s", name, text);
  }
  lua_pushstring(L, name);
  return 3;
}

/* true; or nil, message, name when `error` is negative. */
static int push_result(lua_State *L, int error, const char *path) {
  if (error < 0) return push_failure(L, error, path);
  lua_pushboolean(L, 1);
  return 1;
}

/* A string argument that C sees whole. */
static const char *check_text(lua_State *L, int arg) {
  size_t size;
  const char *text = luaL_checklstring(L, arg, &size);
  luaL_argcheck(L, strlen(text) == size, arg, "string without zero bytes expected");
  return text;
}

/* Files */

static int l_buffer_gc(lua_State *L) {
  buf_clear(luaL_checkudata(L, 1, BUFFER));
  return 0;
}

/* Pushes an empty buffer, which the collector clears should an error be raised. */
static Buf *push_buffer(lua_State *L) {
  Buf *buf = lua_newuserdatauv(L, sizeof *buf, 0);
  *buf = (Buf){0};
  luaL_setmetatable(L, BUFFER);
  return buf;
}

/* read_file(path [, limit]): the contents of a regular file of at most `limit` bytes; or nil,
 * message, name. */
static int l_read_file(lua_State *L) {
  const char *path = check_text(L, 1);
  lua_Integer limit = luaL_optinteger(L, 2, PTRDIFF_MAX);
  luaL_argcheck(L, limit >= 0, 2, "number of bytes expected");
  Buf *buf = push_buffer(L);
  int error = file_read(path, (size_t)limit, buf);
  if (error < 0) return push_failure(L, error, path);
  lua_pushlstring(L, (const char *)buf_front(buf), buf_size(buf));
  buf_clear(buf);
  return 1;
}

/* real_path(path): absolute and without symbolic links; or nil, message, name. */
static int l_real_path(lua_State *L) {
  const char *path = check_text(L, 1);
  char resolved[PATH_MAX];
  if (!realpath(path, resolved)) return push_failure(L, -errno, path);
  lua_pushstring(L, resolved);
  return 1;
}

/* stat(path): "file", "directory" or "other"; or nil, message, name. */
static int l_stat(lua_State *L) {
  const char *path = check_text(L, 1);
  struct stat status;
  if (stat(path, &status) != 0) return push_failure(L, -errno, path);
  bool is_file = S_ISREG(status.st_mode), is_directory = S_ISDIR(status.st_mode);
  lua_pushstring(L, is_file ? "file" : is_directory ? "directory" : "other");
  return 1;
}

/* Waits for a descriptor that somebody has made non-blocking. */
static void await_writable(int fd) {
  struct pollfd entry = {.fd = fd, .events = POLLOUT};
  poll(&entry, 1, -1);
}

static int write_all(int fd, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, bytes, size);
    if (written >= 0) {
      bytes += written;
      size -= (size_t)written;
    } else if (errno == EAGAIN) {
      await_writable(fd);
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return 0;
}

/* write(fd, text): writes all of it to standard output (1) or error (2), blocking. Returns true; or
 * nil, message, name. */
static int l_write(lua_State *L) {
  lua_Integer fd = luaL_checkinteger(L, 1);
  luaL_argcheck(L, fd == STDOUT_FILENO || fd == STDERR_FILENO, 1, "1 or 2 expected");
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  return push_result(L, write_all((int)fd, text, size), NULL);
}

/* Makes the standard stream append to the file at `path` from now on. Returns a descriptor of that
 * file which programs do not inherit, or a negative code. */
static int redirect(int stream, const char *path) {
  enum { FIRST = 64 }; /* specs may count on the low numbers, and close what they find there */
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  int kept = fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
  if (kept < 0 || dup2(fd, stream) < 0) kept = -errno;
  close(fd);
  return kept;
}

/* capture(fd, path): what goes to standard output (1) or error (2) is appended to the file from now
 * on. Returns a descriptor of the file for captured(); or nil, message, name. */
static int l_capture(lua_State *L) {
  lua_Integer stream = luaL_checkinteger(L, 1);
  luaL_argcheck(L, stream == STDOUT_FILENO || stream == STDERR_FILENO, 1, "1 or 2 expected");
  const char *path = check_text(L, 2);
  fflush(stream == STDOUT_FILENO ? stdout : stderr);
  int fd = redirect((int)stream, path);
  if (fd < 0) return push_failure(L, fd, path);
  lua_pushinteger(L, fd);
  return 1;
}

/* captured(out, err): how many bytes are in the files of these descriptors, all that was printed so
 * far included. */
static int l_captured(lua_State *L) {
  fflush(stdout);
  fflush(stderr);
  for (int i = 1; i <= 2; i++) {
    struct stat status = {0};
    fstat((int)luaL_checkinteger(L, i), &status);
    lua_pushinteger(L, (lua_Integer)status.st_size);
  }
  return 2;
}

/* is_terminal(fd) */
static int l_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* The process and the machine */

/* pid() */
static int l_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/* uid(): of the user on whose behalf we run. */
static int l_uid(lua_State *L) {
  lua_pushinteger(L, getuid());
  return 1;
}

/* hrtime(): nanoseconds of a monotonic clock. */
static int l_hrtime(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)uv_hrtime());
  return 1;
}

/* cpus(): how many processors we may use. */
static int l_cpus(lua_State *L) {
  lua_pushinteger(L, uv_available_parallelism());
  return 1;
}

/* memory(): bytes of ours in main memory; or nil, message, name. */
static int l_memory(lua_State *L) {
  size_t bytes;
  int error = uv_resident_set_memory(&bytes);
  if (error < 0) return push_failure(L, error, NULL);
  lua_pushinteger(L, (lua_Integer)bytes);
  return 1;
}

/* Pushes the text that a function of libuv gives; or nil, message, name. */
static int push_text(lua_State *L, int (*get)(char *text, size_t *size)) {
  char text[PATH_MAX];
  size_t size = sizeof text;
  int error = get(text, &size);
  if (error < 0) return push_failure(L, error, NULL);
  lua_pushlstring(L, text, size);
  return 1;
}

/* cwd() */
static int l_cwd(lua_State *L) { return push_text(L, uv_cwd); }

/* exec_path(): of the executable that runs. */
static int l_exec_path(lua_State *L) { return push_text(L, uv_exepath); }

/* home(): the user's folder. */
static int l_home(lua_State *L) { return push_text(L, uv_os_homedir); }

/* tmpdir(): the folder for files of short life. */
static int l_tmpdir(lua_State *L) { return push_text(L, uv_os_tmpdir); }

/* hostname() */
static int l_hostname(lua_State *L) { return push_text(L, uv_os_gethostname); }

/* chdir(path): returns true; or nil, message, name. */
static int l_chdir(lua_State *L) {
  const char *path = check_text(L, 1);
  return push_result(L, uv_chdir(path), path);
}

static int check_signal(lua_State *L, int arg) {
  int number = 0;
  if (lua_type(L, arg) == LUA_TSTRING) {
    number = child_signal_number(lua_tostring(L, arg));
    luaL_argcheck(L, number != 0, arg, "unknown signal");
    return number;
  }
  lua_Integer given = luaL_checkinteger(L, arg);
  luaL_argcheck(L, given >= 0 && given < NSIG, arg, "unknown signal");
  return (int)given;
}

/* kill(pid, signal): a number or a name like "SIGTERM". Returns true; or nil, message, name. */
static int l_kill(lua_State *L) {
  lua_Integer pid = luaL_checkinteger(L, 1);
  luaL_argcheck(L, pid >= INT_MIN && pid <= INT_MAX, 1, "process id expected");
  int number = check_signal(L, 2);
  return push_result(L, uv_kill((int)pid, number), NULL);
}

/* The environment */

/* getenv(name): its value, or nil. */
static int l_getenv(lua_State *L) {
  lua_pushstring(L, getenv(check_text(L, 1)));
  return 1;
}

/* setenv(name, value): nil removes it. Returns true; or nil, message, name. Its upvalue is an
 * Environment. */
static int l_setenv(lua_State *L) {
  Environment *own = lua_touserdata(L, lua_upvalueindex(1));
  const char *name = check_text(L, 1);
  luaL_argcheck(L, *name && !strchr(name, '='), 1, "name of a variable expected");
  const char *value = lua_isnoneornil(L, 2) ? NULL : check_text(L, 2);
  return push_result(L, environment_set(own, name, value), name);
}

/* environ(): a table of all variables. Of a name that is there twice the first one counts, as for
 * getenv, so it is set last. */
static int l_environ(lua_State *L) {
  size_t count = 0;
  while (environ && environ[count]) count++;
  lua_newtable(L);
  while (count > 0) {
    const char *entry = environ[--count], *equals = strchr(entry, '=');
    if (!equals) continue;
    lua_pushlstring(L, entry, (size_t)(equals - entry));
    lua_pushstring(L, equals + 1);
    lua_rawset(L, -3);
  }
  return 1;
}

/* The single instance lock */

/* The userdata; its user value is on_message. While the lock is held, the registry keeps it. */
typedef struct InstanceBox {
  Instance *instance; /* owned; NULL when the lock is not held */
  State *state;
  int self; /* reference; LUA_NOREF when the lock is not held */
} InstanceBox;

/* A message on its way into a task. */
typedef struct Message {
  const void *bytes;
  size_t size;
} Message;

static int after_told(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 0;
}

/* (function, message): the task, in which memory may run short: function(text). */
static int tell(lua_State *L) {
  const Message *message = lua_touserdata(L, 2);
  lua_pushlstring(L, message->bytes, message->size);
  lua_remove(L, 2);
  lua_callk(L, 1, 0, 0, after_told);
  return 0;
}

static void on_message(void *data, const void *bytes, size_t size) {
  InstanceBox *box = data;
  lua_State *L = box->state->L;
  Message message = {.bytes = bytes, .size = size};
  lua_pushcfunction(L, tell);
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  lua_getiuservalue(L, -1, 1);
  lua_replace(L, -2);
  lua_pushlightuserdata(L, &message);
  entry_call(box->state, 2);
}

/* lock:close(), and the collector's end of it: gives the lock up. Idempotent. */
static int l_instance_close(lua_State *L) {
  InstanceBox *box = luaL_checkudata(L, 1, INSTANCE);
  if (box->instance) instance_close(box->instance);
  box->instance = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, box->self);
  box->self = LUA_NOREF;
  return 0;
}

/* Pushes a box that holds no lock yet and is referenced. */
static InstanceBox *push_instance(lua_State *L, int function_index) {
  InstanceBox *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (InstanceBox){.state = state_from(L), .self = LUA_NOREF};
  luaL_setmetatable(L, INSTANCE);
  lua_pushvalue(L, function_index);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  box->self = luaL_ref(L, LUA_REGISTRYINDEX);
  return box;
}

/* 1: the box holds the lock; 0: somebody else does, and got the message; or a negative code. */
static int acquire(InstanceBox *box, const char *id, const char *message, size_t size) {
  int fd;
  int result = instance_acquire(id, message, size, &fd);
  if (result <= 0) return result;
  result = instance_listen(&box->state->loop->uv, fd, on_message, box, &box->instance);
  if (result == 0) return 1;
  close(fd);
  return result;
}

/* instance_acquire(id, message, on_message): returns true and the lock, held until its close() or
 * the state's end, when this is the first instance of `id`: on_message(text) is then called with
 * what each later one left. Returns false when there is a first one, which gets the message. Or
 * nil, message, name. Blocks for seconds only when the first one does not react. */
static int l_instance_acquire(lua_State *L) {
  size_t size;
  const char *id = check_text(L, 1), *message = luaL_checklstring(L, 2, &size);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  InstanceBox *box = push_instance(L, 3);
  int result = acquire(box, id, message, size);
  if (result <= 0) {
    luaL_unref(L, LUA_REGISTRYINDEX, box->self);
    box->self = LUA_NOREF;
  }
  if (result < 0) return push_failure(L, result, NULL);
  lua_pushboolean(L, result);
  if (result == 0) return 1;
  lua_insert(L, -2);
  return 2;
}

static const luaL_Reg functions[] = {
    {"capture", l_capture},
    {"captured", l_captured},
    {"chdir", l_chdir},
    {"cpus", l_cpus},
    {"cwd", l_cwd},
    {"environ", l_environ},
    {"exec_path", l_exec_path},
    {"getenv", l_getenv},
    {"home", l_home},
    {"hostname", l_hostname},
    {"hrtime", l_hrtime},
    {"instance_acquire", l_instance_acquire},
    {"is_terminal", l_is_terminal},
    {"kill", l_kill},
    {"memory", l_memory},
    {"pid", l_pid},
    {"read_file", l_read_file},
    {"real_path", l_real_path},
    {"stat", l_stat},
    {"tmpdir", l_tmpdir},
    {"uid", l_uid},
    {"write", l_write},
    {NULL, NULL},
};

#if defined(__x86_64__)
static const char ARCH[] = "x64";
#elif defined(__aarch64__)
static const char ARCH[] = "arm64";
#elif defined(__i386__)
static const char ARCH[] = "ia32";
#elif defined(__arm__)
static const char ARCH[] = "arm";
#elif defined(__riscv)
static const char ARCH[] = "riscv64";
#else
static const char ARCH[] = "unknown";
#endif

static void new_class(lua_State *L, const char *name, lua_CFunction collect) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
}

int open_os(lua_State *L) {
  new_class(L, BUFFER, l_buffer_gc);
  new_class(L, INSTANCE, l_instance_close);
  lua_newtable(L);
  lua_pushcfunction(L, l_instance_close);
  lua_setfield(L, -2, "close");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
  luaL_newlib(L, functions);
  Environment *own = lua_newuserdatauv(L, sizeof *own, 0);
  *own = (Environment){0};
  lua_pushcclosure(L, l_setenv, 1);
  lua_setfield(L, -2, "setenv");
  lua_pushstring(L, ARCH);
  lua_setfield(L, -2, "arch");
  lua_pushliteral(L, "linux");
  lua_setfield(L, -2, "platform");
  return 1;
}
