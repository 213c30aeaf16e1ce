/* SPDX-License-Identifier: MIT
 * What the files behind lunette.h share: the host, and how each of its functions begins and ends.
 */
#pragma once

#include "embed/events.h"
#include "embed/posts.h"
#include "lunette.h"
#include "vm/slab.h"
#include "vm/state.h"

#include <pthread.h>
#include <signal.h>

struct LunetteHost {
  Loop *loop;
  State *state;
  pthread_t owner;
  unsigned flags;
  LogSink sink; /* of the log, unless the host is LUNETTE_STANDALONE */
  LunetteLog log;
  void *data;        /* of the hooks; borrowed */
  char *executable;  /* owned; of renderers; NULL: this process's own */
  Events events;     /* for lunette_next_event */
  Slab slab;         /* of the main state, unless the program has an allocator */
  Posts posts;       /* from other threads */
  int depth;         /* functions of lunette.h that are under way on the stack */
  bool running;      /* one of them is lunette_pump, lunette_run or lunette_open */
  bool close_wanted; /* lunette_close was called inside a callback */
  bool mask_changed; /* the outermost function has blocked SIGPIPE */
  uint64_t entries;  /* of the state, when that was */
  size_t heap_mark;  /* bytes at which the collector of a pumped state begins a cycle */
  bool collecting;   /* a cycle is under way */
  bool failed;       /* there is an error */
  char *error;       /* owned: its text; NULL also when there was no memory for it */
  char ***relaunch;  /* owned: command lines to start at the end; ends with NULL */
};

/* Whether this thread may use the host. */
bool host_is_owned(const LunetteHost *host);

/* Begins a function of lunette.h: LUNETTE_OK, or LUNETTE_WRONG_THREAD; host_leave follows. Forgets
 * the last error, and blocks SIGPIPE. */
int host_enter(LunetteHost *host);

/* The same for those that must not be called inside a callback: LUNETTE_BUSY then. */
int host_enter_running(LunetteHost *host);

/* Ends it; returns `result`. What was to be closed meanwhile is closed: `host` may be void. */
int64_t host_leave(LunetteHost *host, int64_t result);

/* Keeps the formatted text as the error; returns `result`. */
int host_fail(LunetteHost *host, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Keeps the text on top of the stack as the host's error, and pops it. [-1, +0, never raises] */
void host_keep_error(LunetteHost *host);

/* Ends the host, whatever is under way. */
void host_free(LunetteHost *host);

/* What a function of main/engine.lua is called with, and what it returned. */
typedef struct Request {
  const char *name; /* of the function; NULL: `function` is called, with `data` */
  int64_t number;   /* a page, or the number of an invoke */
  const char *channel;
  const char *text; /* may be NULL */
  size_t size;
  lua_CFunction function; /* may be NULL; `data` is its upvalue */
  void *data;
  lua_State *values; /* may be NULL: the `count` values on top of it are passed and popped */
  int count;
  int64_t result;
} Request;

/* Calls engine[name](number, channel, text, function, values...) as an entry into Lua. Returns
 * LUNETTE_OK with request->result, or LUNETTE_FAILED with the error kept. */
int host_request(LunetteHost *host, Request *request);

/* core.host.deliver(callback, type, page, id, channel, text, status): calls the LunetteCallback at
 * once. */
int host_deliver(lua_State *L);

/* lunette_send without the checks, for what was posted. */
int host_send(LunetteHost *host, int page, const char *channel, const char *json, size_t size);

/* Whether the collector of the main state has something to do. */
bool host_has_garbage(const LunetteHost *host);

/* Gives the collector of the main state its time until `deadline`; see collect.c. */
void host_collect(LunetteHost *host, uint64_t deadline);

/* Lets Lua decide again when it works. */
void host_stop_collector(LunetteHost *host);

/* Lets the pump decide when the main state's collector works. */
void host_start_collector(LunetteHost *host);

/* The path of the executable that renderers are started from, for the host's options: a new string
 * at *path, or NULL there for this process's own. Returns LUNETTE_OK or LUNETTE_NO_MEMORY. */
int helper_find(const LunetteOptions *options, char **path);
