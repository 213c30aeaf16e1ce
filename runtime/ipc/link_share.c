/* SPDX-License-Identifier: MIT
 * What a packet has outside of its body: large strings in memory that two processes share, or lent
 * to another thread. */
#include "ipc/link.h"
#include "ipc/link_parts.h"

uint8_t *link_put_shared(Link *link, size_t size, size_t *offset) {
  if (!link->share) return NULL;
  return share_take(link->share, size, link->limits.high_water, offset);
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

void link_release_blocks(Link *link, uint64_t blocks) {
  if (link->channel) channel_give_back(link->channel, blocks);
  else share_release(link->share, blocks);
}
