/* SPDX-License-Identifier: MIT
 * A renderer on a thread of this process: its loop, its state, its end. */
#include "renderer_thread.h"

#include "base/log.h"
#include "vm/brake.h"
#include "vm/loader.h"
#include "vm/renderer_state.h"

#include <signal.h>
#include <stdlib.h>

static const char BOOT[] = "renderer.boot";

/* What both sides know of one. */
typedef struct Renderer {
  Brake brake; /* first: its functions get the renderer by it */
  Thread *thread;
  Loop *loop;
  State *state;
  ChannelEnd *end;      /* held: the thread's, closed by its link or at the thread's end */
  ChannelEnd *main_end; /* held: by it the channel is ended from outside */
  LogSink log;          /* of its states, for main's; unless that has none */
  bool has_log;
  bool sandboxed;
} Renderer;

/* On the thread */

static void on_exhausted(Brake *brake, bool again) {
  Renderer *renderer = (Renderer *)brake;
  thread_out_of_memory(renderer->thread);
  if (!again) return;
  brake->code = CHILD_OUT_OF_MEMORY;
  brake_pull_here(brake);
}

/* What main would wait for never comes. */
static void on_panic(Brake *brake) {
  Renderer *renderer = (Renderer *)brake;
  bool exhausted = renderer->state->memory->is_exhausted;
  ChildExit how = {.known = true,
                   .code = exhausted ? CHILD_OUT_OF_MEMORY : 0,
                   .signal = exhausted ? 0 : SIGABRT};
  channel_close(renderer->end);
  thread_abandon(renderer->thread, how);
}

static void write_log(void *data, LogLevel level, int page, const char *text, size_t size) {
  const Renderer *renderer = data;
  thread_log(renderer->thread, level, page, text, size);
}

static bool prepare(Renderer *renderer) {
  renderer->loop = loop_new();
  if (!renderer->loop || loop_start(renderer->loop) < 0) return false;
  renderer->loop->brake = &renderer->brake;
  renderer->state = state_new(renderer->loop);
  if (!renderer->state) return false;
  if (renderer->has_log) renderer->state->log = &renderer->log;
  loader_seal(renderer->state->L);
  renderer->loop->alone = renderer->sandboxed; /* no luv: nothing else comes on it */
  return renderer_state_load(renderer->state, BOOT);
}

static bool connect_to_main(Renderer *renderer) {
  RendererLink link = {.channel = renderer->end};
  return renderer_state_connect(renderer->state, BOOT, link, false, 0);
}

/* Zero may be for want of memory too: it could not read what main has sent. */
static int exit_code(const Renderer *renderer, bool started) {
  if (!started) return CHILD_LAUNCH_FAILED;
  bool is_oom = renderer->brake.code == 0 && renderer->state->memory->is_exhausted;
  return is_oom ? CHILD_OUT_OF_MEMORY : renderer->brake.code;
}

static ChildExit run(Thread *thread, void *body) {
  Renderer *renderer = body;
  renderer->thread = thread;
  pthread_setname_np(pthread_self(), "lunette-page"); /* for debuggers */
  bool started = prepare(renderer) && connect_to_main(renderer);
  if (started) loop_run(renderer->loop);
  const ChildExit how = {.known = true, .code = exit_code(renderer, started)};
  thread_over(thread, how); /* it may have much to free */
  brake_switch(&renderer->brake, NULL);
  if (renderer->state) memory_limit(renderer->state->memory, SIZE_MAX, NULL, NULL);
  state_free(renderer->state);
  loop_free(renderer->loop);
  channel_close(renderer->end);
  return how;
}

/* On any thread */

/* It ends when its link does, which is at once where it waits; the brake is for where it works. */
static void stop(void *body, pthread_t id) {
  Renderer *renderer = body;
  brake_pull(&renderer->brake, id);
  channel_break(renderer->main_end);
}

static void release(void *body) {
  Renderer *renderer = body;
  channel_close(renderer->end);
  channel_drop(renderer->main_end);
  free(renderer);
}

static Renderer *new_renderer(const RendererThreadOptions *options) {
  Renderer *renderer = calloc(1, sizeof *renderer);
  if (!renderer || !channel_new(&renderer->main_end, &renderer->end)) {
    free(renderer);
    return NULL;
  }
  channel_hold(renderer->main_end);
  brake_init(&renderer->brake, options->signal);
  renderer->brake.exhausted = on_exhausted;
  renderer->brake.panic = on_panic;
  renderer->log = (LogSink){.write = write_log, .data = renderer};
  renderer->has_log = options->log != NULL;
  renderer->sandboxed = options->sandboxed;
  return renderer;
}

int renderer_thread_start(uv_loop_t *loop, const RendererThreadOptions *options, Thread **out,
                          ChannelEnd **end) {
  int error = options->signal ? brake_take_signal(options->signal) : 0;
  if (error < 0) return error;
  Renderer *renderer = new_renderer(options);
  if (!renderer) return UV_ENOMEM;
  const ThreadOptions of_thread = {.run = run,
                                   .stop = stop,
                                   .release = release,
                                   .body = renderer,
                                   .signal = options->signal,
                                   .on_over = options->on_over,
                                   .on_exit = options->on_exit,
                                   .owner = options->owner,
                                   .log = options->log};
  *end = renderer->main_end;
  error = thread_start(loop, &of_thread, out);
  if (error < 0) channel_close(*end);
  return error;
}
