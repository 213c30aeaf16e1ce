/* SPDX-License-Identifier: MIT
 *
 * Lunette as a library: apps of Lua 5.4, and scripts that each run in a renderer of their own,
 * inside a program that has a loop of its own, such as a game engine.
 *
 * A LunetteHost is one app: a main Lua state, which runs on the thread that opened the host, and
 * its pages, each a Lua state of its own in a renderer: a sandboxed process, or a thread. All state
 * is in the host. Several hosts may live in one process, on one thread or on several.
 *
 * A frame of an engine goes:
 *
 * - lunette_pump(host, 2000): what came from the pages is dispatched, for 2 ms at most;
 * - lunette_next_event(host) until its type is LUNETTE_EVENT_NONE: what the program is to know;
 * - lunette_send(host, page, "tick", json, size): what the pages are to know.
 *
 * Messages are lists of values: the arguments of ipcRenderer.send and invoke, or the results of a
 * handler. Here they are the text of a JSON array, such as ["jump", 3]. Functions ending in _lua
 * take them as Lua values instead.
 *
 * THREADS. A host belongs to the thread that opened it. Every function that takes the host must be
 * called by that thread, and returns LUNETTE_WRONG_THREAD, with nothing done, to any other. The one
 * exception is lunette_post.
 *
 * CALLBACKS run inside lunette_pump, lunette_run and lunette_open, on their thread. They may call
 * any function of this header but those three and lunette_wait, which return LUNETTE_BUSY then. The
 * log's is called by any function, also by lunette_close, when the app has ended already.
 * None is needed: what they tell, lunette_next_event tells too. (A callback into LuaJIT from code
 * that it has compiled ends the program. Bindings by an FFI should poll.)
 *
 * STRINGS that go in are copied before the call returns. A size says how long they are; they may
 * hold zero bytes, and need none at their end. Strings that come out are the library's, are
 * followed by a zero byte, and stay valid as long as the comment at the function says.
 *
 * FAILURE. Results below zero are the errors below; lunette_error has the text. Nothing was done
 * then, unless a comment says otherwise. No function exits, aborts, prints, jumps out of a call,
 * or changes a signal's disposition (but for `stop_signal`, if you name one), the locale, the
 * working directory or the environment. (Where there are no descriptors 0 to 2, lunette_open puts
 * /dev/null there for good.) No signal is needed: the host program may ignore
 * SIGCHLD or reap every child. Pages that are processes are children of this one; they end with the
 * thread that opened the host at the latest. While a function runs, SIGPIPE is blocked on its
 * thread. */
#ifndef LUNETTE_H
#define LUNETTE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LUNETTE_API __attribute__((visibility("default")))
#else
#define LUNETTE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define LUNETTE_VERSION "0.1.0"

struct lua_State;

/* One running app: its loop, its main state, its pages. */
typedef struct LunetteHost LunetteHost;

/* ---- Results ---- */

enum {
  LUNETTE_OK = 0,
  LUNETTE_MORE = 1,          /* of pump and wait: there is something to pump at once */
  LUNETTE_ENDED = 2,         /* the app has ended: only events, errors and close are left */
  LUNETTE_FULL = 3,          /* sent, but more than 8 MiB waits for a page that reads slowly */
  LUNETTE_NO_MEMORY = -1,    /* or no descriptors */
  LUNETTE_NO_APP = -2,       /* there is no such app, or its main script failed */
  LUNETTE_WRONG_THREAD = -3, /* another thread opened the host */
  LUNETTE_BUSY = -4,         /* not inside a callback */
  LUNETTE_INVALID = -5,      /* an argument makes no sense */
  LUNETTE_NO_PAGE = -6,      /* there is no such page, or its renderer has gone */
  LUNETTE_FAILED = -7        /* Lua raised an error, or a value cannot be sent */
};

/* The name of a result, such as "LUNETTE_BUSY"; a constant. Any thread. */
LUNETTE_API const char *lunette_result_name(int result);

/* The version of the library that is loaded; LUNETTE_VERSION is that of this header. Any thread. */
LUNETTE_API const char *lunette_version(void);

/* Why the last call on this host failed, with the traceback where Lua has one, or "". Valid until
 * the next call on the host. NULL is allowed: there was no memory for a host. */
LUNETTE_API const char *lunette_error(const LunetteHost *host);

/* ---- Events ---- */

/* What an event is. `page` is the page that it comes from, or 0 for the main script. */
enum {
  LUNETTE_EVENT_NONE = 0,
  /* The app has ended, with the exit status `status`. The last event but for those of LOG. */
  LUNETTE_EVENT_QUIT = 1,
  /* A page sent `text`, a JSON array, on `channel`, which lunette_on was called for. */
  LUNETTE_EVENT_MESSAGE = 2,
  /* A page invoked `channel`, which lunette_handle was called for, with the arguments `text`.
   * lunette_reply or lunette_reply_error must be called with `id`, now or later. */
  LUNETTE_EVENT_INVOKE = 3,
  /* A page has answered the lunette_invoke that gave `id`: `text` is the JSON array of the results;
   * when `status` is LUNETTE_FAILED, the text of the error. */
  LUNETTE_EVENT_REPLY = 4,
  /* A page has loaded: its script has returned, or awaits for the first time. */
  LUNETTE_EVENT_PAGE_LOADED = 5,
  /* A page is missing or does not compile; `text` says why, and `status` is Chromium's number of
   * it, -6 for a file that is not there. */
  LUNETTE_EVENT_PAGE_FAILED = 6,
  /* A page's renderer has ended without being asked to: `text` is "crashed", "killed", "oom",
   * "abnormal-exit", "clean-exit" or "launch-failed", `status` its exit code or signal.
   * lunette_page_reload starts another. */
  LUNETTE_EVENT_PAGE_GONE = 7,
  /* A page has not answered for as long as its unresponsiveTimeout; or answers again. */
  LUNETTE_EVENT_PAGE_UNRESPONSIVE = 8,
  LUNETTE_EVENT_PAGE_RESPONSIVE = 9,
  /* A page was closed; its number is not used again. */
  LUNETTE_EVENT_PAGE_CLOSED = 10,
  /* A line for the log, of the level `status`; only without a log hook. */
  LUNETTE_EVENT_LOG = 11
};

/* Strings are never NULL, and valid as long as the event. Later versions may add fields at the end.
 */
typedef struct LunetteEvent {
  int type;
  int page;
  int64_t id;
  int status;
  const char *channel;
  size_t channel_size;
  const char *text;
  size_t text_size;
} LunetteEvent;

/* The oldest event, which it takes out of the queue; never NULL. It is the library's, and valid
 * until the next call of this function or lunette_close. Without one, its type is
 * LUNETTE_EVENT_NONE, and `status` an error, LUNETTE_WRONG_THREAD, or LUNETTE_OK. While 16,384
 * events wait, lunette_pump dispatches nothing; of log lines the newest 4,096 are kept. */
LUNETTE_API const LunetteEvent *lunette_next_event(LunetteHost *host);

/* ---- Opening and closing ---- */

/* Levels of the log. */
enum { LUNETTE_LOG_INFO = 0, LUNETTE_LOG_WARNING = 1, LUNETTE_LOG_ERROR = 2 };

/* Gets a line of the log, without a newline: what pages and the main script print, errors that
 * nobody caught, with their tracebacks, and warnings of the runtime's. `page` is 0 for all but what
 * a page prints. `text` is valid during the call. */
typedef void (*LunetteLog)(void *data, int level, int page, const char *text, size_t size);

/* An allocator as Lua wants it: makes (block NULL), resizes, or frees (new_size 0, returns NULL) a
 * block; NULL when there is no memory. Called on the host's thread. */
typedef void *(*LunetteAllocate)(void *data, void *block, size_t old_size, size_t new_size);

/* A file of an app in memory. `path` is relative to the app's folder: "main.lua", "ai/orc.lua". */
typedef struct LunetteFile {
  const char *path;
  const char *data;
  size_t size;
} LunetteFile;

/* Flags of LunetteOptions. */
enum {
  /* This process is nothing but the app, as that of the executable `lunette`: SIGINT and SIGTERM
   * quit it, its scripts may end the process (os.exit), print to standard output, load C modules,
   * start programs and change the working directory; it ends when its last window has closed.
   * Without the flag, scripts of main cannot do these things, and an app ends when it calls
   * app.quit or app.exit. */
  LUNETTE_STANDALONE = 1,
  /* The program calls lunette_child_main first in its main function: renderers are started from its
   * own executable, and it needs no other. */
  LUNETTE_CALLS_CHILD_MAIN = 2
};

/* What to run and how. Zero all of it, then set `size` and what is meant; everything is copied. In
 * C: LunetteOptions options = {sizeof options}; */
typedef struct LunetteOptions {
  size_t size; /* sizeof(LunetteOptions): which fields there are */

  /* The app: a Lua file, or a folder with main.lua or lunette.json. NULL: the main script is
   * `code`, or else main.lua of `files`, or else there is none, and the host has only what is
   * opened by lunette_page_open. */
  const char *app;
  const char *code; /* Lua text that ends with a zero byte */

  /* Files in memory: what the app reads of its folder, it looks for here first. */
  const LunetteFile *files;
  size_t file_count;

  /* process.argv: [0] the program, [1] the app, then arguments. */
  int argc;
  char *const *argv;

  unsigned flags;

  /* The executable that renderers are started from, by an absolute path. NULL: with
   * LUNETTE_CALLS_CHILD_MAIN or LUNETTE_STANDALONE this program's own; else `lunette` in the folder
   * of the library, in ../bin beside that, where `make install` puts it, or in PATH. Not needed by
   * pages that are threads. */
  const char *executable;

  LunetteLog log;           /* NULL: lines come as LUNETTE_EVENT_LOG */
  LunetteAllocate allocate; /* for the main state; NULL: one of its own. Other parts use malloc. */
  void *data;               /* what hooks get first */

  /* The signal by which pages that are threads are interrupted to be stopped, such as SIGURG. The
   * library handles it from the first such page on, until it is unloaded. 0: none, and the Lua code
   * of these pages is about half as fast, as it must look by itself whether it is to stop. */
  int stop_signal;
} LunetteOptions;

/* Makes a host with a main state on this thread, and runs the app's main script until it returns or
 * first awaits. On LUNETTE_OK *host is the caller's, to be ended with lunette_close. Also on
 * LUNETTE_NO_APP, when all it is good for is lunette_error. NULL on any other failure. */
LUNETTE_API int lunette_open(const LunetteOptions *options, LunetteHost **host);

/* Ends the app as it stands, with all its pages, and frees the host with its events; waits for
 * renderers' ends, some 0.1 ms each; a second for a page on a thread that does not return from a C
 * function, three for one whose memory or finalisers take longer, which are left to themselves.
 * Inside a callback, that is done when the pump returns. NULL is allowed. Returns LUNETTE_OK, or
 * LUNETTE_WRONG_THREAD. */
LUNETTE_API int lunette_close(LunetteHost *host);

/* For programs with LUNETTE_CALLS_CHILD_MAIN: when the command line is that of a renderer, runs it
 * and returns its exit status; otherwise returns -1 at once. Call it first in main: what the
 * program did before is done in each renderer. */
LUNETTE_API int lunette_child_main(int argc, char *const *argv);

/* ---- Running ---- */

/* Dispatches what has come, and runs what is due, for `budget_us` microseconds; never waits. Of
 * each page that has sent something, one message is dispatched at least. All are served in turn, so
 * that one that floods does not keep others waiting. A single message, timer or collector step is
 * not interrupted: that much later it may return. Time that is left goes into the collector of the
 * main state, half a millisecond at most, and only if there is garbage; without any left, 0.3 ms do
 * so once the heap has doubled.
 *
 * Returns LUNETTE_OK, LUNETTE_MORE when there is something left to do, LUNETTE_ENDED, or an error:
 * LUNETTE_WRONG_THREAD, LUNETTE_BUSY. An idle call costs less than half a microsecond. */
LUNETTE_API int lunette_pump(LunetteHost *host, int budget_us);

/* Sleeps until there is something to pump, for `timeout_ms` milliseconds at most, or without end
 * when that is negative. Runs nothing. Returns LUNETTE_MORE, LUNETTE_OK after the timeout or a
 * signal, LUNETTE_ENDED, or an error: LUNETTE_WRONG_THREAD, LUNETTE_BUSY. */
LUNETTE_API int lunette_wait(LunetteHost *host, int timeout_ms);

/* For programs that sleep in a poll of their own: a descriptor that is readable when there is
 * something to pump. It is the library's, for waiting only; the same as long as the host lives.
 * Sleep no longer than lunette_timeout says, which is to be asked right before. Returns an error
 * below 0: LUNETTE_WRONG_THREAD. */
LUNETTE_API int lunette_descriptor(LunetteHost *host);

/* How many milliseconds may be slept on the descriptor: 0 when there is something to pump that it
 * does not tell, -1 for without end; or LUNETTE_WRONG_THREAD. */
LUNETTE_API int lunette_timeout(LunetteHost *host);

/* Pumps and waits until the app ends, or nothing is left to wait for. Returns its exit status, 0 to
 * 255, or an error: LUNETTE_WRONG_THREAD, LUNETTE_BUSY. */
LUNETTE_API int lunette_run(LunetteHost *host);

/* ---- Pages ---- */

/* Opens a window with the page `file`, a Lua file of the app's. `options` are those of
 * BrowserWindow.new as the text of a JSON object, or NULL. Returns the page's number, which is the
 * id of its webContents, 1 or more; LUNETTE_EVENT_PAGE_LOADED or PAGE_FAILED follows. Or an error:
 * LUNETTE_FAILED for bad options, and when the app has ended. */
LUNETTE_API int lunette_page_open(LunetteHost *host, const char *file, const char *options);

/* Loads the page anew, in a new renderer: for a script that has changed, or one that crashed.
 * Returns LUNETTE_OK, or an error: LUNETTE_NO_PAGE. */
LUNETTE_API int lunette_page_reload(LunetteHost *host, int page);

/* Ends the page's renderer, whatever it does; LUNETTE_EVENT_PAGE_GONE follows, and the page may be
 * reloaded. Returns LUNETTE_OK, or an error: LUNETTE_NO_PAGE, also when it has no renderer. */
LUNETTE_API int lunette_page_stop(LunetteHost *host, int page);

/* Closes the page's window. LUNETTE_EVENT_PAGE_CLOSED follows. Returns LUNETTE_OK, or an error:
 * LUNETTE_NO_PAGE. */
LUNETTE_API int lunette_page_close(LunetteHost *host, int page);

/* ---- Messages ---- */

/* Gets a message or an invoke, as the event tells it: valid during the call. */
typedef void (*LunetteCallback)(void *data, LunetteHost *host, const LunetteEvent *event);

/* Wants what pages send on `channel` (ipcRenderer.send), and the main script (host.send). It comes
 * as LUNETTE_EVENT_MESSAGE; or to `callback`, if that is not NULL, with `data`. Each call adds a
 * listener. Returns LUNETTE_OK, or an error: LUNETTE_NO_MEMORY, LUNETTE_INVALID. */
LUNETTE_API int lunette_on(LunetteHost *host, const char *channel, LunetteCallback callback,
                           void *data);

/* Ends what lunette_on did for the channel. Returns LUNETTE_OK. */
LUNETTE_API int lunette_off(LunetteHost *host, const char *channel);

/* Answers what pages ask on `channel` (ipcRenderer.invoke), and the main script (host.invoke). It
 * comes as LUNETTE_EVENT_INVOKE; or to `callback`, if that is not NULL, with `data`. Either must be
 * answered, once, by lunette_reply or lunette_reply_error: an answer within the callback is the
 * fastest. Returns LUNETTE_OK, or an error: LUNETTE_FAILED when the channel has a handler,
 * LUNETTE_NO_MEMORY, LUNETTE_INVALID. */
LUNETTE_API int lunette_handle(LunetteHost *host, const char *channel, LunetteCallback callback,
                               void *data);

/* Removes the handler of the channel, of C or of Lua. Returns LUNETTE_OK. */
LUNETTE_API int lunette_remove_handler(LunetteHost *host, const char *channel);

/* Answers the invoke `id` with the results in the JSON array `json`; NULL for none. When its asker
 * has gone, nothing happens. Returns LUNETTE_OK, or an error: LUNETTE_INVALID when no invoke of
 * that number waits, LUNETTE_FAILED for text that is no JSON array (the invoke still waits). */
LUNETTE_API int lunette_reply(LunetteHost *host, int64_t id, const char *json, size_t size);

/* Answers the invoke `id` with an error of this message. Returns LUNETTE_OK, or an error:
 * LUNETTE_INVALID. */
LUNETTE_API int lunette_reply_error(LunetteHost *host, int64_t id, const char *message);

/* The main script instead of a page, and all pages. */
enum { LUNETTE_MAIN = 0, LUNETTE_ALL_PAGES = -1 };

/* Sends the values in the JSON array `json` (NULL for none) on `channel` to the page, where
 * ipcRenderer.on hears them; to all that live (LUNETTE_ALL_PAGES); or to the main script
 * (LUNETTE_MAIN), where ipcMain.on hears them, with an event that has no sender. A page that loads
 * gets them when its script has run. They go at the end of the next pump. Returns LUNETTE_OK,
 * LUNETTE_FULL, or an error: LUNETTE_NO_PAGE, LUNETTE_FAILED (no JSON array, or more than 256 MiB
 * waits). */
LUNETTE_API int lunette_send(LunetteHost *host, int page, const char *channel, const char *json,
                             size_t size);

/* Asks the page, where ipcRenderer.handle answers. Returns a number above 0, with which
 * LUNETTE_EVENT_REPLY comes, once, also when the page goes; or an error as of lunette_send,
 * LUNETTE_FAILED when the app has ended. */
LUNETTE_API int64_t lunette_invoke(LunetteHost *host, int page, const char *channel,
                                   const char *json, size_t size);

/* As lunette_send, from any thread: copies, wakes whoever sleeps in lunette_wait or on the
 * descriptor, and the next pump sends it. Messages of one thread keep their order. Text that is no
 * JSON, or a page that is not there, is a line in the log. The caller sees to it that the host is
 * not closed meanwhile. Returns LUNETTE_OK, LUNETTE_ENDED, or an error: LUNETTE_NO_MEMORY,
 * LUNETTE_INVALID. */
LUNETTE_API int lunette_post(LunetteHost *host, int page, const char *channel, const char *json,
                             size_t size);

/* ---- Lua values ----
 *
 * For programs that bind their own functions. The Lua in the library is not the one that a program
 * may have linked: include lunette_lua.h, which calls the library's Lua by the names of Lua's own
 * API (lua_pushinteger is lunette_lua_pushinteger there), in the files that use these. */

/* The main thread of the main state, for lunette_send_lua; NULL for another thread. The library's,
 * and valid as long as the host. An error raised on it outside lunette_call ends the program. */
LUNETTE_API struct lua_State *lunette_state(LunetteHost *host);

/* Calls the function, with `data` as a light userdata, on the main state, protected: it may raise.
 * It must not yield. Returns LUNETTE_OK, or an error: LUNETTE_FAILED when it raised. */
LUNETTE_API int lunette_call(LunetteHost *host, int (*function)(struct lua_State *), void *data);

/* Answers what pages ask on `channel` with a C function: it gets the event and the arguments, and
 * returns the results, as any Lua function does; `data` is a light userdata, its first upvalue.
 * Returns as lunette_handle. */
LUNETTE_API int lunette_handle_lua(LunetteHost *host, const char *channel,
                                   int (*function)(struct lua_State *), void *data);

/* As lunette_send, with the `count` values on top of L, a thread of the main state; pops them.
 * Returns as lunette_send, LUNETTE_FAILED for what cannot be sent and LUNETTE_ENDED (they are
 * popped then, too), LUNETTE_INVALID for another host's state, or when there are fewer values. */
LUNETTE_API int lunette_send_lua(LunetteHost *host, int page, const char *channel,
                                 struct lua_State *L, int count);

#ifdef __cplusplus
}
#endif

#endif
