/* SPDX-License-Identifier: MIT
 * A renderer on a thread of this process. */
#pragma once

#include "host/thread.h"
#include "ipc/channel.h"

/* Where and how one starts. */
typedef struct RendererThreadOptions {
  bool sandboxed; /* the page has no luv */
  int signal;     /* by which it can be stopped; 0: it is slower, and looks by itself */
  void (*on_over)(Thread *thread, ChildExit how); /* these two as of ThreadOptions; it is over */
  void (*on_exit)(Thread *thread, ChildExit how); /* early where its memory was used up */
  void *owner;                                    /* borrowed: thread_owner */
  const LogSink *log;                             /* borrowed: of the host, or NULL */
} RendererThreadOptions;

/* Starts one with a channel to it, of which *end is ours, the caller's. Returns 0 or a negative
 * libuv code. */
int renderer_thread_start(uv_loop_t *loop, const RendererThreadOptions *options, Thread **out,
                          ChannelEnd **end);
