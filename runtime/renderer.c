/* SPDX-License-Identifier: MIT
 * The renderer process: a state that is told over its link what to run. And the zygote, which has
 * booted that far and forks one for each request. A worker of `lunette test` is such a process too,
 * with a boot module of its own. */
#include "host/child.h"
#include "host/sandbox.h"
#include "host/zygote.h"
#include "lunette.h"
#include "vm/loader.h"
#include "vm/renderer_state.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Renderer {
  Loop *loop;
  State *state;
  const char *boot; /* the module that says what to do */
  int link_fd;
  bool works;             /* runs specs, rather than a page */
  char *const *arguments; /* of the command line that specs are run by; ends with NULL */
  bool sandboxed;
  unsigned missing; /* of the sandbox, once it was entered */
} Renderer;

/* All that can be done before the link is there. What is to be sandboxed loads nothing from a disk.
 */
static bool prepare(Renderer *renderer) {
  renderer->loop = loop_new();
  renderer->state = renderer->loop ? state_new(renderer->loop) : NULL;
  if (!renderer->state) return false;
  if (renderer->sandboxed) {
    loader_seal(renderer->state->L);
    renderer->loop->alone = true; /* no luv: nothing else comes on it */
  }
  if (!renderer_state_load(renderer->state, renderer->boot)) return false;
  if (renderer->sandboxed) renderer->missing = sandbox_prepare();
  if (!renderer->works) return true;
  return renderer_state_prepare(renderer->state, renderer->boot, renderer->arguments);
}

/* A page with a sandbox has nobody left whom its finalisers could tell anything, so its states are
 * not closed: Lua writes to each object for that, and a forked renderer would first copy each page
 * of memory that it shares with the zygote. Those of others run, but nothing is freed. A sanitizer,
 * which looks for what was lost, wants it done. */
static int finish(Renderer *renderer, bool started) {
  bool is_exhausted = renderer->state && renderer->state->memory->is_exhausted;
  fflush(NULL);
#ifndef __SANITIZE_ADDRESS__
  if (started && renderer->sandboxed) _exit(is_exhausted ? CHILD_OUT_OF_MEMORY : 0);
  if (renderer->state) renderer->state->memory->ending = true;
#endif
  if (renderer->state) memory_limit(renderer->state->memory, SIZE_MAX, NULL, NULL);
  state_free(renderer->state);
  loop_free(renderer->loop);
  if (!started) return CHILD_LAUNCH_FAILED;
  /* It could not read what main has sent. As child_out_of_memory: no leak checker, which fails in a
   * sandbox, may change the code. */
  if (is_exhausted) _exit(CHILD_OUT_OF_MEMORY);
  return 0;
}

/* From here on the process can do no more than a page needs. What comes over the link, the app's
 * code, is read behind this. */
static bool open_loop(Renderer *renderer) {
  if (renderer->sandboxed) {
    sandbox_close_others(renderer->link_fd);
    renderer->link_fd = CHILD_LINK_FD;
  }
  if (loop_start(renderer->loop) < 0) return false;
  if (renderer->sandboxed) renderer->missing |= sandbox_enter();
  return true;
}

static bool connect_to_main(const Renderer *renderer) {
  bool contained = renderer->sandboxed && !(renderer->missing & SANDBOX_FILTER);
  return renderer_state_connect(renderer->state, renderer->boot,
                                (RendererLink){.fd = renderer->link_fd}, contained,
                                renderer->missing);
}

/* A spec that waits when nothing is left that could wake it must hear so. */
static void run_loop(Renderer *renderer) {
  loop_run(renderer->loop);
  if (!renderer->works) return;
  while (!renderer->loop->stopped && renderer_state_idle(renderer->state, renderer->boot))
    loop_run(renderer->loop);
}

static void ignore(int signal) { (void)signal; }

/* A terminal's Ctrl-C is for main, which ends us in order. What a page or a spec starts inherits
 * that a signal is ignored, but not what handles it: programs that specs start are to end. A write
 * to a closed pipe is an error, not the end. */
static void set_signals(const Renderer *renderer) {
  signal(SIGINT, renderer->works ? ignore : SIG_IGN);
  signal(SIGPIPE, renderer->works ? ignore : SIG_IGN);
}

static int run(Renderer *renderer) {
  set_signals(renderer);
  bool started = open_loop(renderer) && connect_to_main(renderer);
  if (started) run_loop(renderer);
  return finish(renderer, started);
}

static int run_zygote(Renderer *renderer, pid_t parent) {
  bool has_rest = renderer->works || renderer_state_load_rest(renderer->state, renderer->boot);
  if (!has_rest) return finish(renderer, false);
  /* What is old now stays as it is, and shared, until a child's heap has doubled. */
  lua_gc(renderer->state->L, LUA_GCCOLLECT);
  memory_clear(renderer->state->memory); /* a page of its own for what a renderer makes */
  signal(SIGINT, SIG_IGN);
  renderer->link_fd = zygote_serve(CHILD_LINK_FD, parent);
  if (renderer->link_fd < 0) return finish(renderer, true);
  return run(renderer);
}

/* What a command line asks for. */
typedef enum Role { ROLE_OTHER, ROLE_RENDERER, ROLE_SANDBOXED, ROLE_ZYGOTE, ROLE_TEST_ZYGOTE } Role;

static Role role_of(int argc, char *const *argv) {
  if (argc >= 3 && strcmp(argv[1], "--lunette-test-zygote") == 0) return ROLE_TEST_ZYGOTE;
  if (argc != 3) return ROLE_OTHER;
  if (strcmp(argv[1], "--lunette-renderer") == 0) return ROLE_RENDERER;
  if (strcmp(argv[1], "--lunette-sandboxed") == 0) return ROLE_SANDBOXED;
  if (strcmp(argv[1], "--lunette-zygote") == 0) return ROLE_ZYGOTE;
  return ROLE_OTHER;
}

int lunette_child_main(int argc, char *const *argv) {
  Role role = role_of(argc, argv);
  if (role == ROLE_OTHER) return -1;
  pid_t parent = (pid_t)atol(argv[2]);
  child_die_with_parent(parent);
  bool works = role == ROLE_TEST_ZYGOTE;
  Renderer renderer = {.boot = works ? "test.worker.boot" : "renderer.boot",
                       .link_fd = CHILD_LINK_FD,
                       .works = works,
                       .arguments = argv + 3,
                       .sandboxed = role == ROLE_SANDBOXED || role == ROLE_ZYGOTE};
  if (!prepare(&renderer)) return finish(&renderer, false);
  if (works || role == ROLE_ZYGOTE) return run_zygote(&renderer, parent);
  return run(&renderer);
}
