/* SPDX-License-Identifier: MIT
 * What a link within one process goes over instead of a socket: bytes that are handed over in
 * memory, as a rule without a copy, and an eventfd or a semaphore that wakes the other end. */
#pragma once

#include "base/buf.h"
#include "base/loan.h"

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

/* The same, once there is something: it blocks until then. */
ssize_t channel_await(ChannelEnd *end, Buf *into);

/* Moves bytes of `from` to the other end: all of them when nothing waits there, or as many as there
 * is room for. Returns how many; -1 with EAGAIN when there is no room, EPIPE when nobody reads, or
 * ENOMEM. */
ssize_t channel_write(ChannelEnd *end, Buf *from);

/* Makes what is lent readable for the other end, under *number: a part of the packet that is made.
 * Takes over the loan. False when others are there, and more than `most` bytes would lie unread:
 * then it is returned. */
bool channel_lend(ChannelEnd *end, Loan *loan, size_t most, size_t *number);

/* The packet is on its way: its loans, as bits, which the other end is to name in
 * channel_give_back. Those that it never does are returned with the channel's memory. */
uint64_t channel_commit(ChannelEnd *end);

/* The packet is not sent: what was lent since channel_commit is returned. */
void channel_take_back(ChannelEnd *end);

/* How many bytes are lent that the other end has neither read nor set aside. Above `mark`, this end
 * is woken when there are fewer. */
size_t channel_lent(ChannelEnd *end, size_t mark);

/* The `size` bytes that the other end has lent under `number`; NULL when it has lent no such. */
const uint8_t *channel_borrow(ChannelEnd *end, size_t number, size_t size);

/* These loans of the other end's, bits, came and will be read later: they do not keep it from
 * lending more. */
void channel_set_aside(ChannelEnd *end, uint64_t loans);

/* These loans of the other end's, bits, were read. */
void channel_give_back(ChannelEnd *end, uint64_t loans);

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
