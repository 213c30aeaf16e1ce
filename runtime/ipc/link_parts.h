/* SPDX-License-Identifier: MIT
 * What link.c, link_share.c and link_wait.c have for one another. */
#pragma once

#include "ipc/link.h"

/* The packet that stands at `offset` of the unread bytes; a bad one is the link's fault. */
PacketStatus link_packet_at(Link *link, size_t offset, Packet *packet, size_t *size);

/* One read, which may wait; adds to *total. Returns true when there may be more to read at once. */
bool link_read_once(Link *link, size_t *total, bool wait);

/* One write. Returns true when all is written or the rest is pointless, false when it must wait. */
bool link_write_once(Link *link);

/* Names the blocks of shared memory, or the loans, that the packet's strings lie in. False: memory
 * is short. */
bool link_add_blocks(Link *link, Packet *packet);

/* What a packet had outside of its body was read: the peer may use that again. */
void link_release_blocks(Link *link, uint64_t blocks);

/* Nothing more will come from the peer; the end is dispatched after the whole packets. */
void link_end_reading(Link *link, const char *fault);

/* The link has something to dispatch. */
void link_set_ready(Link *link);
