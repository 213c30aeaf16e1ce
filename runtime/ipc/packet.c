/* SPDX-License-Identifier: MIT
 * One packet of protocol.h: its header written and read, byte by byte. */
#include "ipc/packet.h"

static uint32_t read_u32(const uint8_t *in) {
  return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static uint64_t read_u64(const uint8_t *in) {
  return read_u32(in) | (uint64_t)read_u32(in + 4) << 32;
}

static void write_u32(uint8_t *out, uint32_t value) {
  for (int i = 0; i < 4; i++) out[i] = (uint8_t)(value >> (8 * i));
}

/* Who may send the kind: FROM_ bits, 0 for a value that is no kind. */
static int senders_of(unsigned kind) {
  switch (kind) {
#define X(name, value, from)                                                                       \
  case value: return from;
    PACKET_KINDS(X)
#undef X
  default: return 0;
  }
}

const char *packet_kind_name(unsigned kind) {
  switch (kind) {
#define X(name, value, from)                                                                       \
  case value: return #name;
    PACKET_KINDS(X)
#undef X
  default: return "?";
  }
}

static const char *header_fault(const uint8_t *header, int from, size_t size_max) {
  uint32_t size = read_u32(header);
  uint32_t channel_size = (uint32_t)header[6] | (uint32_t)header[7] << 8;
  if (!(senders_of(header[4]) & from)) return "a packet of a kind that this peer may not send";
  if (header[5] & ~PACKET_FLAGS) return "a packet with unknown flags";
  if (size > size_max) return "a packet larger than the limit messageSize";
  if (channel_size > size) return "a packet whose channel is longer than the packet";
  if (header[5] & PACKET_FLAG_SHARED && size - channel_size < PACKET_BLOCKS_SIZE) {
    return "a packet without the blocks that it shares";
  }
  return NULL;
}

PacketStatus packet_read(const uint8_t *bytes, size_t available, int from, size_t size_max,
                         Packet *packet, size_t *size, const char **error) {
  *size = 0;
  if (available < PACKET_HEADER_SIZE) return PACKET_MORE;
  *error = header_fault(bytes, from, size_max);
  if (*error) return PACKET_BAD;
  *size = PACKET_HEADER_SIZE + (size_t)read_u32(bytes);
  if (available < *size) return PACKET_MORE;
  size_t channel_size = (size_t)bytes[6] | (size_t)bytes[7] << 8;
  *packet = (Packet){
      .kind = (PacketKind)bytes[4],
      .flags = bytes[5],
      .id = read_u32(bytes + 8),
      .frame = read_u32(bytes + 12),
      .channel = (const char *)bytes + PACKET_HEADER_SIZE,
      .channel_size = channel_size,
      .body = bytes + PACKET_HEADER_SIZE + channel_size,
      .body_size = *size - PACKET_HEADER_SIZE - channel_size,
  };
  if (packet->flags & PACKET_FLAG_SHARED) {
    packet->body_size -= PACKET_BLOCKS_SIZE;
    packet->blocks = read_u64(packet->body + packet->body_size);
  }
  return PACKET_WHOLE;
}

void packet_write_header(uint8_t *out, const Packet *packet) {
  write_u32(out, (uint32_t)(packet_size(packet) - PACKET_HEADER_SIZE));
  out[4] = (uint8_t)packet->kind;
  out[5] = packet->flags;
  out[6] = (uint8_t)packet->channel_size;
  out[7] = (uint8_t)(packet->channel_size >> 8);
  write_u32(out + 8, packet->id);
  write_u32(out + 12, packet->frame);
}

void packet_write_blocks(uint8_t *out, const Packet *packet) {
  write_u32(out, (uint32_t)packet->blocks);
  write_u32(out + 4, (uint32_t)(packet->blocks >> 32));
}
