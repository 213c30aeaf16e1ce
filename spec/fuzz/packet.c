/* SPDX-License-Identifier: MIT
 * Fuzz target: the packet reader. Input: an options byte, then what a peer sends. */
#include "fuzz.h"

#include <string.h>

/* What was read stands where it should, and writing it again gives the same header. */
static void check_packet(const uint8_t *bytes, size_t size, const Packet *packet) {
  uint8_t header[PACKET_HEADER_SIZE];
  REQUIRE(packet->channel == (const char *)bytes + PACKET_HEADER_SIZE);
  REQUIRE(packet->body == (const uint8_t *)packet->channel + packet->channel_size);
  REQUIRE(packet->body + packet->body_size <= bytes + size && packet_size(packet) == size);
  REQUIRE(packet->channel_size <= PACKET_CHANNEL_MAX);
  REQUIRE(strcmp(packet_kind_name(packet->kind), "?") != 0);
  packet_write_header(header, packet);
  REQUIRE(memcmp(header, bytes, sizeof header) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  int from = 1 + data[0] % 3;
  size_t size_max = data[0] & 4 ? 1 << 28 : (size_t)data[0];
  const uint8_t *at = data + 1;
  size_t left = size - 1;
  for (;;) {
    Packet packet;
    size_t whole;
    const char *error = NULL;
    PacketStatus status = packet_read(at, left, from, size_max, &packet, &whole, &error);
    REQUIRE((status == PACKET_BAD) == (error != NULL));
    REQUIRE(whole <= size_max + PACKET_HEADER_SIZE);
    if (status == PACKET_MORE) REQUIRE(left < PACKET_HEADER_SIZE ? whole == 0 : whole > left);
    if (status != PACKET_WHOLE) return 0;
    REQUIRE(whole >= PACKET_HEADER_SIZE && whole <= left);
    check_packet(at, whole, &packet);
    at += whole;
    left -= whole;
  }
}
