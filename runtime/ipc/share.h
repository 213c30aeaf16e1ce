/* SPDX-License-Identifier: MIT
 * Memory that both ends of a link have mapped, where large strings lie instead of in the socket.
 *
 * One mapping has a region for each direction, of SHARE_BLOCKS blocks. The sender of a direction
 * alone knows which blocks are taken; the receiver sets the bits of those it has read in a word of
 * the mapping, whence the sender takes them back. Neither trusts a byte of it: a peer that writes
 * nonsense there spoils what it would receive or has sent, nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

enum {
  SHARE_BLOCKS = 64,
  SHARE_BLOCK_SIZE = 1 << 17,
  SHARE_REGION = SHARE_BLOCKS * SHARE_BLOCK_SIZE, /* bytes of one direction */
  SHARE_LEAST = 1 << 15, /* a packet of so many bytes is worth making the mapping for */
};

typedef struct Share Share;

/* Makes the memory, for main's end. Sets *fd, the caller's, to what the peer maps: sealed, so that
 * its size stays for ever. NULL when the system has no such memory, or none left. */
Share *share_new(uv_loop_t *loop, int *fd);

/* Maps what the other end made, for the peer's end; `fd` stays the caller's. NULL when it is not
 * sealed or of another size, or when memory is short. */
Share *share_map(uv_loop_t *loop, int fd);

/* Gives the mapping back, in a later turn of the loop: who reads in it now may finish. NULL is
 * allowed. */
void share_close(Share *share);

/* Room for `size` bytes to send, at *offset of this direction's region. NULL when there is none, or
 * when more than `most` bytes would lie unread. */
uint8_t *share_take(Share *share, size_t size, size_t most, size_t *offset);

/* The blocks that were taken since the last call are on their way: the bits for the peer. */
uint64_t share_commit(Share *share);

/* What was taken since share_commit is free again. */
void share_rollback(Share *share);

/* The `size` bytes at `offset` of what the peer sent; NULL when they lie outside. The peer may
 * change them at any time: copy them, once. */
const uint8_t *share_at(const Share *share, size_t offset, size_t size);

/* The blocks, which came with a packet, were read: the peer may use them again. */
void share_release(Share *share, uint64_t blocks);
