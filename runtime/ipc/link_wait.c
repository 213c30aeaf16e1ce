/* SPDX-License-Identifier: MIT
 * Blocking on a link: an idle page's, sendSync's, and that of whoever is about to end. */
#include "ipc/link.h"
#include "ipc/link_parts.h"

#include <poll.h>
#include <string.h>

void link_wait(Link *link, uint64_t spin) {
  size_t total = 0;
  uint64_t begun = spin > 0 ? uv_hrtime() : 0;
  while (spin > 0 && total == 0 && !link->ended && uv_hrtime() - begun < spin)
    link_read_once(link, &total, false);
  if (total == 0 && !link->ended) link_read_once(link, &total, true);
  if (total > 0) link_set_ready(link);
}

/* Blocks until one of UV_READABLE and UV_WRITABLE that are `wanted` is there, for `timeout`
 * milliseconds at most unless that is negative. Returns what may be. */
static int await(const Link *link, int wanted, int timeout) {
  if (link->channel) {
    channel_wait(link->channel, wanted, timeout);
    return wanted;
  }
  struct pollfd entries[] = {{.fd = wanted & UV_READABLE ? link->in_fd : -1, .events = POLLIN},
                             {.fd = wanted & UV_WRITABLE ? link->out_fd : -1, .events = POLLOUT}};
  poll(entries, 2, timeout);
  return (entries[0].revents ? UV_READABLE : 0) | (entries[1].revents ? UV_WRITABLE : 0);
}

/* Reads, blocking; while something waits to be written, writes when that is possible instead. */
static void read_or_write(Link *link) {
  size_t total = 0;
  bool writes = link_queued(link) > 0;
  int ready = writes ? await(link, UV_READABLE | UV_WRITABLE, -1) : UV_READABLE;
  if (ready & UV_WRITABLE) link_write_once(link);
  if (ready & UV_READABLE) link_read_once(link, &total, !writes);
}

/* What comes before the answer waits, in order, without keeping its sender waiting, who may answer
 * only then; but who asks again and again is to have its upgrade too. Returns by how much the next
 * packet is farther. */
static size_t set_aside(Link *link, const Packet *packet, size_t offset) {
  size_t size = packet_size(packet);
  if (packet->blocks && link->channel) channel_set_aside(link->channel, packet->blocks);
  if (packet->kind != PACKET_UPGRADE) return size;
  bool is_last = buf_size(&link->in) == offset + size;
  link_remove(link, offset, packet);
  upgrade_take(link, is_last);
  return 0;
}

bool link_wait_reply(Link *link, uint32_t id, Packet *packet, size_t *offset) {
  *offset = 0;
  link_rollback(link);
  link_write_once(link);
  for (;;) {
    size_t size;
    PacketStatus status = link_packet_at(link, *offset, packet, &size);
    if (status == PACKET_WHOLE && packet->kind == PACKET_REPLY && packet->id == id) {
      link_set_ready(link); /* the others were read behind libuv's back */
      return true;
    }
    if (status == PACKET_WHOLE) {
      *offset += set_aside(link, packet, *offset);
      if (buf_size(&link->in) < *offset) return false; /* the upgrade was a fault */
      continue;
    }
    if (status == PACKET_BAD) link_end_reading(link, link->fault);
    if (link->ended) return false;
    read_or_write(link);
  }
}

void link_remove(Link *link, size_t offset, const Packet *packet) {
  size_t size = packet_size(packet);
  if (buf_size(&link->in) < offset + size) return; /* it has gone */
  if (packet->blocks) link_release_blocks(link, packet->blocks);
  if (offset == 0) {
    buf_consume(&link->in, size);
    return;
  }
  uint8_t *hole = buf_front(&link->in) + offset;
  memmove(hole, hole + size, buf_size(&link->in) - offset - size);
  link->in.end -= size;
}

void link_drain(Link *link, int timeout) {
  link_rollback(link);
  uint64_t deadline = uv_hrtime() + (uint64_t)timeout * 1000000;
  while (link->fd >= 0 && link_queued(link) > 0 && uv_hrtime() < deadline) {
    if (link_write_once(link)) return;
    await(link, UV_WRITABLE, timeout);
  }
}
