/* SPDX-License-Identifier: MIT
 * The public C API: opening a host, running it to its end, closing it. */
#include "lunette.h"

#include "base/log.h"
#include "embed/host.h"
#include "host/child.h"
#include "vm/entry.h"
#include "vm/loader.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- options ---- */

static void set_string(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static void push_argv(lua_State *L, const LunetteOptions *options) {
  lua_newtable(L);
  for (int i = 0; i < options->argc; i++) {
    lua_pushstring(L, options->argv[i]);
    lua_rawseti(L, -2, i);
  }
}

/* A table of the files in memory, by path; nil without any. */
static void push_files(lua_State *L, const LunetteOptions *options) {
  if (options->file_count == 0) {
    lua_pushnil(L);
    return;
  }
  lua_newtable(L);
  for (size_t i = 0; i < options->file_count; i++) {
    const LunetteFile *file = &options->files[i];
    lua_pushlstring(L, file->size > 0 ? file->data : "", file->size);
    lua_setfield(L, -2, file->path);
  }
}

/* {app=, code=, files=, argv=, embedded=, executable=, stop_signal=} */
static void push_options(lua_State *L, const LunetteHost *host, const LunetteOptions *options) {
  lua_newtable(L);
  set_string(L, "app", options->app);
  set_string(L, "code", options->code);
  set_string(L, "executable", host->executable);
  lua_pushboolean(L, !(options->flags & LUNETTE_STANDALONE));
  lua_setfield(L, -2, "embedded");
  lua_pushinteger(L, options->stop_signal);
  lua_setfield(L, -2, "stop_signal");
  push_argv(L, options);
  lua_setfield(L, -2, "argv");
  push_files(L, options);
  lua_setfield(L, -2, "files");
}

static bool are_files(const LunetteOptions *options) {
  bool all = options->file_count == 0 || options->files;
  for (size_t i = 0; all && i < options->file_count; i++) {
    const LunetteFile *file = &options->files[i];
    all = file->path && (file->data || file->size == 0);
  }
  return all;
}

/* One that can be handled, or 0. */
static bool is_signal(int number) {
  return number >= 0 && number < NSIG && number != SIGKILL && number != SIGSTOP;
}

/* Those fields of the caller's that there are; the rest is zero. */
static bool read_options(const LunetteOptions *given, LunetteOptions *options) {
  *options = (LunetteOptions){0};
  if (!given || given->size < offsetof(LunetteOptions, files)) return false;
  memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
  bool has_arguments = options->argc == 0 || (options->argc > 0 && options->argv);
  return has_arguments && are_files(options) && is_signal(options->stop_signal);
}

/* ---- opening ---- */

/* What boot is called with. */
typedef struct Boot {
  const LunetteHost *host;
  const LunetteOptions *options;
} Boot;

/* (boot): runs the boot module of main; returns nothing, or nil and a message. Protected. */
static int boot(lua_State *L) {
  const Boot *given = lua_touserdata(L, 1);
  loader_import(L, "main.boot");
  lua_getfield(L, -1, "run");
  push_options(L, given->host, given->options);
  lua_call(L, 1, 2);
  return 2;
}

static int run_boot(LunetteHost *host, const LunetteOptions *options) {
  lua_State *L = host->state->L;
  Boot given = {.host = host, .options = options};
  lua_pushcfunction(L, boot);
  lua_pushlightuserdata(L, &given);
  entry_enter(host->state);
  int status = lua_pcall(L, 1, 2, 0);
  entry_leave(host->state);
  if (status == LUA_OK && lua_toboolean(L, -2)) {
    lua_pop(L, 2);
    return LUNETTE_OK;
  }
  host_keep_error(host);
  lua_settop(L, 0);
  return LUNETTE_NO_APP;
}

/* A sink of the log: the program's hook, or the queue of events. */
static void write_log(void *data, LogLevel level, int page, const char *text, size_t size) {
  LunetteHost *host = data;
  if (host->log) {
    host->log(host->data, (int)level, page, text, size);
    return;
  }
  LunetteEvent event = {.type = LUNETTE_EVENT_LOG,
                        .page = page,
                        .status = (int)level,
                        .channel = "",
                        .text = text,
                        .text_size = size};
  events_add(&host->events, &event);
}

static void on_post(void *data, const Post *post) {
  LunetteHost *host = data;
  int status = host_send(host, post->page, post->channel, post->json, post->size);
  if (status >= 0) return;
  log_warn_to(host->state->log, "lunette_post on '%s': %s", post->channel, lunette_error(host));
}

static LunetteHost *new_host(const LunetteOptions *options) {
  LunetteHost *host = calloc(1, sizeof *host);
  if (!host) return NULL;
  host->owner = pthread_self();
  host->flags = options->flags;
  host->log = options->log;
  host->data = options->data;
  host->sink = (LogSink){.write = write_log, .data = host};
  host->posts.fd = -1;
  events_init(&host->events);
  slab_init(&host->slab);
  return host;
}

#ifdef SANITIZED
/* A sanitizer watches malloc. */
static void *allocate(void *data, void *block, size_t old_size, size_t new_size) {
  (void)data, (void)old_size;
  if (new_size > 0) return realloc(block, new_size);
  free(block);
  return NULL;
}
#else
static void *allocate(void *data, void *block, size_t old_size, size_t new_size) {
  return slab_allocate(data, block, old_size, new_size);
}
#endif

static State *new_state(LunetteHost *host, const LunetteOptions *options) {
  if (options->allocate) return state_new_with(host->loop, options->allocate, options->data);
  if (options->flags & LUNETTE_STANDALONE) return state_new(host->loop);
  State *state = state_new_with(host->loop, allocate, &host->slab);
  if (state) state->memory->hook_lends = true;
  return state;
}

/* libuv aborts when it is to close a descriptor with the number of a standard stream. */
static bool fill_standard_streams(void) {
  bool filled = true;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && filled; fd++) {
    if (fcntl(fd, F_GETFD) < 0) filled = open("/dev/null", O_RDWR) >= 0;
  }
  return filled;
}

/* The first loop of a process for which libuv finds too few aborts it. */
static bool has_descriptors(void) {
  enum { NEEDED = 8 };
  int fds[NEEDED], count = 0;
  while (count < NEEDED && (fds[count] = eventfd(0, EFD_CLOEXEC)) >= 0) count++;
  bool has = count == NEEDED;
  while (count > 0) close(fds[--count]);
  return has;
}

/* The parts of a host, which host_free frees, also when it did not come to all of them. */
static bool make_parts(LunetteHost *host, const LunetteOptions *options) {
  if (!fill_standard_streams() || !has_descriptors()) return false;
  if (helper_find(options, &host->executable) != LUNETTE_OK) return false;
  host->loop = loop_new();
  if (!host->loop || loop_start(host->loop) < 0) return false;
  host->state = new_state(host, options);
  if (!host->state) return false;
  host->state->data = host;
  if (!(host->flags & LUNETTE_STANDALONE)) host->state->log = &host->sink;
  return posts_open(&host->posts, &host->loop->uv, on_post, host) == 0;
}

int lunette_open(const LunetteOptions *given, LunetteHost **out) {
  LunetteOptions options;
  *out = NULL;
  if (!read_options(given, &options)) return LUNETTE_INVALID;
  LunetteHost *host = new_host(&options);
  if (!host) return LUNETTE_NO_MEMORY;
  host_enter(host);
  host->running = true;
  int status = make_parts(host, &options) ? run_boot(host, &options) : LUNETTE_NO_MEMORY;
  if (status == LUNETTE_OK && !(host->flags & LUNETTE_STANDALONE)) host_start_collector(host);
  if (status == LUNETTE_NO_MEMORY) host->close_wanted = true;
  if (host_leave(host, status) == LUNETTE_ENDED) return status;
  *out = host;
  return status;
}

/* ---- running to the end ---- */

static void free_argv(char **argv) {
  for (char **arg = argv; arg && *arg; arg++) free(*arg);
  free(argv);
}

/* The list of strings on top of the stack as an argv; NULL when memory is short. */
static char **copy_argv(lua_State *L) {
  size_t count = (size_t)lua_rawlen(L, -1);
  char **argv = calloc(count + 1, sizeof *argv);
  for (size_t i = 0; argv && i < count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    const char *text = lua_tostring(L, -1);
    argv[i] = strdup(text ? text : "");
    lua_pop(L, 1);
    if (argv[i]) continue;
    free_argv(argv); /* rather than to start it with a part of its arguments */
    argv = NULL;
  }
  return argv;
}

/* Keeps the list of lists on top of the stack, which app.relaunch has made. */
static void keep_relaunches(LunetteHost *host) {
  lua_State *L = host->state->L;
  size_t count = (size_t)lua_rawlen(L, -1);
  if (count == 0) return;
  host->relaunch = calloc(count + 1, sizeof *host->relaunch);
  bool kept = host->relaunch != NULL;
  for (size_t i = 0; kept && i < count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    host->relaunch[i] = copy_argv(L);
    kept = host->relaunch[i] != NULL;
    lua_pop(L, 1);
  }
  if (!kept) log_warn_to(host->state->log, "app.relaunch: not enough memory");
}

/* (): the exit status and the command lines to start. Protected. */
static int conclude(lua_State *L) {
  loader_import(L, "main.boot");
  lua_getfield(L, -1, "conclude");
  lua_call(L, 0, 2);
  return 2;
}

/* The app has ended: its exit status. */
static int end_app(LunetteHost *host) {
  lua_State *L = host->state->L;
  posts_end(&host->posts);
  lua_pushcfunction(L, conclude);
  entry_enter(host->state);
  int status = lua_pcall(L, 0, 2, 0);
  entry_leave(host->state);
  if (status != LUA_OK) {
    host_keep_error(host);
    log_warn_to(host->state->log, "%s", lunette_error(host));
    return 1;
  }
  keep_relaunches(host);
  int code = (int)lua_tointeger(L, -2) & 0xff;
  lua_pop(L, 2);
  return code;
}

int lunette_run(LunetteHost *host) {
  int status = host_enter_running(host);
  if (status != LUNETTE_OK) return status;
  host_stop_collector(host);
  posts_hold(&host->posts, false);
  if (!host->loop->stopped) loop_run(host->loop);
  host->loop->stopped = true;
  return (int)host_leave(host, end_app(host));
}

/* ---- closing ---- */

static void start_relaunches(char ***relaunch) {
  for (char ***entry = relaunch; entry && *entry; entry++) {
    int status = child_relaunch(*entry);
    if (status < 0) log_warn("app.relaunch: %s: %s", **entry, uv_strerror(status));
    free_argv(*entry);
  }
  free(relaunch);
}

/* What finalisers print goes to the program's hook, which may call functions of lunette.h. */
static void begin_closing(LunetteHost *host) {
  host->depth++;
  host->running = true;
  if (host->loop) host->loop->stopped = true;
}

void host_free(LunetteHost *host) {
  begin_closing(host);
  if (host->posts.fd >= 0) posts_stop(&host->posts);
  state_free(host->state);
  loop_free(host->loop);
  if (host->posts.fd >= 0) posts_close(&host->posts);
  start_relaunches(host->relaunch);
  slab_clear(&host->slab);
  events_clear(&host->events);
  free(host->executable);
  free(host->error);
  free(host);
}

int lunette_close(LunetteHost *host) {
  if (!host) return LUNETTE_OK;
  int status = host_enter(host);
  if (status != LUNETTE_OK) return status;
  host->close_wanted = true;
  if (host->depth > 1) loop_stop(host->loop);
  host_leave(host, LUNETTE_OK);
  return LUNETTE_OK;
}
