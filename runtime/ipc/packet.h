/* SPDX-License-Identifier: MIT
 * One packet of protocol.h: its header written and read, byte by byte. */
#pragma once

#include "ipc/protocol.h"

#include <stddef.h>

/* A packet that stands in somebody's buffer; the pointers are borrowed from there. */
typedef struct Packet {
  PacketKind kind;
  uint8_t flags;
  uint32_t id;
  uint32_t frame;
  const char *channel; /* not zero-terminated */
  size_t channel_size;
  const uint8_t *body;
  size_t body_size;
  uint64_t blocks; /* of shared memory (ipc/share.h) that the body's strings lie in; bits */
} Packet;

/* How many bytes the whole packet takes. */
static inline size_t packet_size(const Packet *packet) {
  size_t size = PACKET_HEADER_SIZE + packet->channel_size + packet->body_size;
  return packet->flags & PACKET_FLAG_SHARED ? size + PACKET_BLOCKS_SIZE : size;
}

/* What packet_read found. */
typedef enum PacketStatus {
  PACKET_MORE,  /* more bytes are needed */
  PACKET_WHOLE, /* *packet is set */
  PACKET_BAD,   /* *error is set; the peer cannot be trusted any further */
} PacketStatus;

/* Reads the packet at `bytes`, of which `available` are there. `from` says whose packets are
 * welcome (FROM_MAIN or FROM_PEER), `size_max` how many bytes may follow the header. Sets *size to
 * the whole packet's size with its header as soon as the header is there and good, else to 0. */
PacketStatus packet_read(const uint8_t *bytes, size_t available, int from, size_t size_max,
                         Packet *packet, size_t *size, const char **error);

/* Writes the header of `packet` to the 16 bytes at `out`; the pointers of `packet` are not used. */
void packet_write_header(uint8_t *out, const Packet *packet);

/* Writes packet->blocks to the 8 bytes at `out`, behind the body of a packet with FLAG_SHARED. */
void packet_write_blocks(uint8_t *out, const Packet *packet);

/* The kind's name for logs, such as "INVOKE"; "?" for a value that is none. */
const char *packet_kind_name(unsigned kind);
