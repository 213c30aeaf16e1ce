/* SPDX-License-Identifier: MIT
 * How a renderer's state begins, in a process of its own or on a thread. */
#pragma once

#include "ipc/channel.h"
#include "vm/state.h"

/* Loads the module `boot` and those that it needs. False, with the reason logged, when it fails. */
bool renderer_state_load(State *state, const char *boot);

/* For a zygote: loads also what most renderers load when they first need it. False as above. */
bool renderer_state_load_rest(State *state, const char *boot);

/* For what runs specs: `boot` does what is the same for all workers, with these arguments, which
 * end with NULL. From then on the collector is incremental, with long pauses: a generational one
 * looks at all objects at the latest when the state is closed, and a forked process that does so
 * copies each page of its heap. False as above. */
bool renderer_state_prepare(State *state, const char *boot, char *const *arguments);

/* How a renderer reaches main: by a descriptor, or by the end of a channel. */
typedef struct RendererLink {
  int fd;
  ChannelEnd *channel; /* or NULL */
} RendererLink;

/* Connects to main, which says what to run, by the link, which is the state's from now on.
 * `contained`: the system's sandbox is around the process, but for what `missing` has of
 * host/sandbox.h. False, with the reason logged, when it fails. */
bool renderer_state_connect(State *state, const char *boot, RendererLink link, bool contained,
                            unsigned missing);

/* Tells `boot` that nothing is left that the loop could wait for. False as above. */
bool renderer_state_idle(State *state, const char *boot);
