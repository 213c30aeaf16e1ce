/* SPDX-License-Identifier: MIT
 * What a link within one process goes over instead of a socket: bytes that are handed over in
 * memory, as a rule without a copy, and an eventfd or a semaphore that wakes the other end. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <sys/types.h>

/* One of the two ends of a channel. Each belongs to one thread; what that thread's functions do is
 * seen by the other end in order. */
typedef struct ChannelEnd ChannelEnd;

/* What channel_wait waits for, as UV_READABLE and UV_WRITABLE; the end of the channel is always
 * among it. */
enum { CHANNEL_BYTES = 1, CHANNEL_ROOM = 2 };

/* Makes a channel; false when memory is short. Both ends are the caller's. */
bool channel_new(ChannelEnd **first, ChannelEnd **second);

/* Keeps the memory of the channel until channel_drop, also when its ends are closed. */
void channel_hold(ChannelEnd *end);

/* Ends channel_hold. */
void channel_drop(ChannelEnd *end);

/* A descriptor that is readable when there may be bytes or room, until channel_clear; the
 * channel's, made by the first call. Returns a negative errno when there is none to be had. */
int channel_descriptor(ChannelEnd *end);

/* The end was told by its descriptor, and looks. */
void channel_clear(ChannelEnd *end);

/* Makes the descriptor readable if there is anything to read: somebody begins to look again. */
void channel_look_again(ChannelEnd *end);

/* Moves all bytes that are there behind those of `into`. Returns how many; 0 at the end; -1 with
 * EAGAIN when there are none yet, or ENOMEM. */
ssize_t channel_read(ChannelEnd *end, Buf *into);

/* Moves bytes of `from` to the other end: all of them when nothing waits there, or as many as there
 * is room for. Returns how many; -1 with EAGAIN when there is no room, EPIPE when nobody reads, or
 * ENOMEM. */
ssize_t channel_write(ChannelEnd *end, Buf *from);

/* For the buffers of both ends: where what grew for a large message waits for the next one. The
 * channel's. */
Store *channel_store(ChannelEnd *end);

/* Blocks until one of `wanted` is there, for `timeout` milliseconds at most unless that is
 * negative. */
void channel_wait(ChannelEnd *end, int wanted, int timeout);

/* Ends the channel for the other end, from any thread: that reads what is there, then the
 * end, and what it writes is lost. */
void channel_break(ChannelEnd *end);

/* The end's owner is done with it. Idempotent while the channel is held. */
void channel_close(ChannelEnd *end);
