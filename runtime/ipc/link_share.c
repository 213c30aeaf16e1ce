/* SPDX-License-Identifier: MIT
 * What a packet has outside of its body: large strings in memory that two processes share, or lent
 * to another thread. */
#include "ipc/link.h"
#include "ipc/link_parts.h"

#include <unistd.h>

bool link_put_shared(Link *link, const char *bytes, size_t size, size_t *offset) {
  if (!link->share) return false;
  return share_put(link->share, bytes, size, link->limits.high_water, offset);
}

bool link_lend(Link *link, Loan *loan, size_t *offset) {
  const LinkLimits *limits = &link->limits;
  size_t most = limits->high_water < limits->queue ? limits->high_water : limits->queue;
  return channel_lend(link->channel, loan, most, offset);
}

const uint8_t *link_get_shared(const Link *link, size_t offset, size_t size) {
  if (link->channel) return channel_borrow(link->channel, offset, size);
  return link->share ? share_at(link->share, offset, size) : NULL;
}

bool link_add_blocks(Link *link, Packet *packet) {
  packet->blocks = 0;
  if (link->share) packet->blocks = share_commit(link->share);
  if (link->channel) packet->blocks = channel_commit(link->channel);
  if (packet->blocks == 0) return true;
  uint8_t blocks[PACKET_BLOCKS_SIZE];
  packet->flags |= PACKET_FLAG_SHARED;
  packet_write_blocks(blocks, packet);
  return buf_append(&link->out, blocks, sizeof blocks);
}

/* Writes what waits, up to the header's end. */
static void announce(Link *link, size_t header) {
  share_note_processor(link->share);
  ssize_t sent = write(link->out_fd, buf_front(&link->out), header + PACKET_HEADER_SIZE);
  if (sent <= 0) return; /* link_write_once will see why */
  buf_consume(&link->out, (size_t)sent);
  link->written += (uint64_t)sent;
}

/* To wake a processor that sleeps takes as long as to copy a megabyte. So the packet's header goes
 * ahead of the last of its bytes, and the peer is awake when the rest of the packet comes. */
void link_fill_shared(Link *link, size_t header) {
  enum { LEAST = 1 << 18, LAST = 1 << 20 };
  if (!link->share) return;
  share_fill(link->share, LAST);
  bool is_pipe = link->fd >= 0 && link->out_fd != link->fd;
  if (is_pipe && share_unfilled(link->share) >= LEAST) announce(link, header);
  share_fill(link->share, 0);
}

/* On one processor the peer copies only while this process sleeps. */
void link_expect_rest(Link *link, const Packet *packet) {
  bool is_copied = link->share && packet->flags & PACKET_FLAG_SHARED;
  if (is_copied && share_is_elsewhere(link->share)) loop_expect(link->loop);
}

void link_release_blocks(Link *link, uint64_t blocks) {
  if (link->channel) channel_give_back(link->channel, blocks);
  else share_release(link->share, blocks);
}
