/* SPDX-License-Identifier: MIT
 * A renderer on a thread of this process: its loop, its state, its end. */
#include "renderer_thread.h"

#include "base/log.h"
#include "vm/brake.h"
#include "vm/loader.h"
#include "vm/renderer_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char BOOT[] = "renderer.boot";

/* What both sides know of one. */
typedef struct Renderer {
  Brake brake; /* first: its functions get the renderer by it */
  Thread *thread;
  Loop *loop;
  State *state;
  int link_fd; /* owned by the thread until its link has it */
  int main_fd; /* owned; another descriptor of main's end, by which that is closed from outside */
  bool sandboxed;
} Renderer;

/* On the thread */

static void on_exhausted(Brake *brake, bool again) {
  Renderer *renderer = (Renderer *)brake;
  if (again) {
    brake->code = CHILD_OUT_OF_MEMORY;
    brake_pull_here(brake);
  } else {
    thread_out_of_memory(renderer->thread);
  }
}

/* What main would wait for never comes. */
static void on_panic(Brake *brake) {
  Renderer *renderer = (Renderer *)brake;
  bool exhausted = renderer->state->memory->is_exhausted;
  ChildExit how = {.known = true,
                   .code = exhausted ? CHILD_OUT_OF_MEMORY : 0,
                   .signal = exhausted ? 0 : SIGABRT};
  shutdown(renderer->main_fd, SHUT_RDWR);
  thread_abandon(renderer->thread, how);
}

static bool prepare(Renderer *renderer) {
  renderer->loop = loop_new();
  if (!renderer->loop || loop_start(renderer->loop) < 0) return false;
  renderer->loop->brake = &renderer->brake;
  renderer->state = state_new(renderer->loop);
  if (!renderer->state) return false;
  loader_seal(renderer->state->L);
  renderer->loop->alone = renderer->sandboxed; /* no luv: nothing else comes on it */
  return renderer_state_load(renderer->state, BOOT);
}

static bool connect_to_main(Renderer *renderer) {
  int fd = renderer->link_fd;
  renderer->link_fd = -1;
  return renderer_state_connect(renderer->state, BOOT, fd, false, 0);
}

static ChildExit run(Thread *thread, void *body) {
  Renderer *renderer = body;
  renderer->thread = thread;
  bool started = prepare(renderer) && connect_to_main(renderer);
  if (started) loop_run(renderer->loop);
  int code = started ? renderer->brake.code : CHILD_LAUNCH_FAILED;
  brake_switch(&renderer->brake, NULL);
  if (renderer->state) memory_limit(renderer->state->memory, SIZE_MAX, NULL, NULL);
  state_free(renderer->state);
  loop_free(renderer->loop);
  if (renderer->link_fd >= 0) close(renderer->link_fd);
  return (ChildExit){.known = true, .code = code};
}

/* On any thread */

/* It ends when its link does, which is at once where it waits; the brake is for where it works. */
static void stop(void *body, pthread_t id) {
  Renderer *renderer = body;
  brake_pull(&renderer->brake, id);
  shutdown(renderer->main_fd, SHUT_WR);
}

static void release(void *body) {
  Renderer *renderer = body;
  close(renderer->main_fd);
  free(renderer);
}

/* A link; main_fd is one of our end. */
static int make_link(Renderer *renderer, int *link_fd) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -errno;
  renderer->main_fd = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
  if (renderer->main_fd < 0) {
    int error = -errno;
    close(pair[0]);
    close(pair[1]);
    return error;
  }
  renderer->link_fd = pair[1];
  *link_fd = pair[0];
  return 0;
}

static int new_renderer(const RendererThreadOptions *options, Renderer **out, int *link_fd) {
  Renderer *renderer = calloc(1, sizeof *renderer);
  int error = renderer ? make_link(renderer, link_fd) : UV_ENOMEM;
  if (error < 0) {
    free(renderer);
    return error;
  }
  brake_init(&renderer->brake, options->signal);
  renderer->brake.exhausted = on_exhausted;
  renderer->brake.panic = on_panic;
  renderer->sandboxed = options->sandboxed;
  *out = renderer;
  return 0;
}

int renderer_thread_start(uv_loop_t *loop, const RendererThreadOptions *options, Thread **out,
                          int *link_fd) {
  Renderer *renderer = NULL;
  int error = options->signal ? brake_take_signal(options->signal) : 0;
  if (error == 0) error = new_renderer(options, &renderer, link_fd);
  if (error < 0) return error;
  const ThreadOptions of_thread = {.run = run,
                                   .stop = stop,
                                   .release = release,
                                   .body = renderer,
                                   .signal = options->signal,
                                   .on_exit = options->on_exit,
                                   .owner = options->owner,
                                   .log = options->log};
  int peer_fd = renderer->link_fd;
  error = thread_start(loop, &of_thread, out);
  if (error == 0) return 0;
  close(peer_fd);
  close(*link_fd);
  return error;
}
