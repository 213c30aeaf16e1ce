/* SPDX-License-Identifier: MIT
 * The renderer process: a state that is told over its link what to run. */
#include "base/log.h"
#include "host/child.h"
#include "lunette.h"
#include "vm/entry.h"
#include "vm/loader.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* (): starts the boot module, which connects to main. Protected. */
static int boot(lua_State *L) {
  loader_import(L, "renderer.boot");
  lua_getfield(L, -1, "start");
  lua_call(L, 0, 0);
  return 0;
}

static bool start(State *state) {
  lua_pushcfunction(state->L, boot);
  entry_enter(state);
  int status = lua_pcall(state->L, 0, 0, 0);
  entry_leave(state);
  if (status == LUA_OK) return true;
  log_warn("a renderer cannot start: %s", lua_tostring(state->L, -1));
  return false;
}

static int run(void) {
  Loop *loop = loop_new();
  State *state = loop ? state_new(loop) : NULL;
  bool started = state && start(state);
  if (started) loop_run(loop);
  fflush(NULL);
  state_free(state);
  loop_free(loop);
  return started ? 0 : CHILD_LAUNCH_FAILED;
}

int lunette_child_main(int argc, char *const *argv) {
  if (argc != 3 || strcmp(argv[1], "--lunette-renderer") != 0) return -1;
  child_die_with_parent((pid_t)atol(argv[2]));
  signal(SIGINT, SIG_IGN);  /* a terminal's Ctrl-C is for main, which ends us in order */
  signal(SIGPIPE, SIG_IGN); /* a write of the page's to a closed pipe is an error, not the end */
  return run();
}
