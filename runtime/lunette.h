/* SPDX-License-Identifier: MIT
 * Lunette as a library: an app's main state in a C program. All state is in the LunetteHost;
 * several may live in one process, each used by one thread at a time. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#define LUNETTE_VERSION "0.1.0"

/* One running app: its loop, its main state, its renderers. */
typedef struct LunetteHost LunetteHost;

/* What to run. Zero what is not meant; strings are copied. */
typedef struct LunetteOptions {
  const char *app; /* a Lua file, or a folder with main.lua or lunette.json; or NULL: then `code` */
  const char *code; /* Lua code to run as the main script */
  int argc;         /* process.argv: [0] the executable, [1] the app, then its arguments */
  char *const *argv;
  int handle_signals; /* SIGINT and SIGTERM quit the app; for hosts that are nothing but the app */
} LunetteOptions;

/* What lunette_open and lunette_run return. */
enum {
  LUNETTE_OK = 0,
  LUNETTE_NO_MEMORY = -1, /* or no descriptors */
  LUNETTE_NO_APP = -2,    /* lunette_error says why */
};

/* Makes a host with a main state, and runs the app's main script until it ends or first awaits. On
 * success *host is the caller's, who ends it with lunette_close; also after LUNETTE_NO_APP, when it
 * only carries the error's text. */
int lunette_open(const LunetteOptions *options, LunetteHost **host);

/* Runs the app until it ends. Returns its exit status, 0 to 255. */
int lunette_run(LunetteHost *host);

/* Why the last call on this host failed, or "". Owned by the host, valid until its next call. */
const char *lunette_error(const LunetteHost *host);

/* Ends the app as it stands, with all its renderers, and frees the host; then starts what
 * app.relaunch asked for. NULL is allowed. */
void lunette_close(LunetteHost *host);

/* For executables that start renderers with themselves: when the command line is that of a
 * renderer, runs it and returns its exit status; otherwise returns -1 at once. Call it first in
 * main. */
int lunette_child_main(int argc, char *const *argv);

#ifdef __cplusplus
}
#endif
