/* SPDX-License-Identifier: MIT
 * How libFuzzer changes inputs that are packets behind two bytes of options: one packet at a time,
 * its lengths kept true as a rule, so that what is found lies behind the header. */
#include "fuzz.h"

#include <string.h>

enum { OPTIONS_SIZE = 2 };

static size_t read_size(const uint8_t *header) {
  return (size_t)header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16;
}

static void write_size(uint8_t *header, size_t size) {
  for (int i = 0; i < 4; i++) header[i] = (uint8_t)(size >> (8 * i));
}

/* The offset of a packet: of the last, or as `choice` has it of one before. `size` gets its bytes,
 * which end with the input at most. */
static size_t pick(const uint8_t *data, size_t end, unsigned choice, size_t *size) {
  size_t at = OPTIONS_SIZE;
  for (;; choice /= 2) {
    *size = end - at;
    if (*size < PACKET_HEADER_SIZE) return at;
    size_t whole = PACKET_HEADER_SIZE + read_size(data + at);
    if (whole < *size) *size = whole;
    if (choice % 2 || end - at - *size < PACKET_HEADER_SIZE) return at;
    at += *size;
  }
}

/* Small numbers, which are kinds, flags and questions, in place of random ones. */
static void change_header(uint8_t *header, unsigned seed) {
  unsigned number = seed >> 8;
  switch (seed % 5) {
  case 0: header[4] = (uint8_t)(1 + number % 8); break;
  case 1: header[5] = (uint8_t)(number % 8); break;
  case 2: header[8] = (uint8_t)(number % 8); break;
  case 3: memset(header + 8, 0, 8); break;
  default: header[16] = (uint8_t)('a' + number % 6); break; /* the channel, if it has one */
  }
}

/* Puts a copy of the packet behind it. Returns the new size of the input. */
static size_t repeat(uint8_t *data, size_t end, size_t at, size_t size) {
  memmove(data + at + size, data + at, end - at);
  return end + size;
}

static size_t cut_out(uint8_t *data, size_t end, size_t at, size_t size) {
  memmove(data + at, data + at + size, end - at - size);
  return end - size;
}

/* Changes the body of the packet, and its length with it. Returns the new size of the input. */
static size_t change_body(uint8_t *data, size_t end, size_t max, size_t at, size_t size) {
  size_t channel = (size_t)data[at + 6];
  size_t before = at + PACKET_HEADER_SIZE + channel, rest = end - at - size;
  if (before > at + size || before + rest >= max) return end;
  uint8_t *behind = malloc(rest + 1);
  REQUIRE(behind);
  memcpy(behind, data + at + size, rest);
  size_t body = LLVMFuzzerMutate(data + before, at + size - before, max - before - rest);
  memcpy(data + before + body, behind, rest);
  free(behind);
  write_size(data + at, channel + body);
  return before + body + rest;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
  size_t packet;
  if (size < OPTIONS_SIZE + PACKET_HEADER_SIZE + 1 || seed % 8 == 0)
    return LLVMFuzzerMutate(data, size, max);
  size_t at = pick(data, size, seed >> 16, &packet);
  if (packet <= PACKET_HEADER_SIZE) return LLVMFuzzerMutate(data, size, max);
  switch (seed / 8 % 8) {
  case 0: return size + packet <= max ? repeat(data, size, at, packet) : size;
  case 1: return cut_out(data, size, at, packet);
  case 2:
  case 3:
  case 4: change_header(data + at, seed >> 6); return size;
  default: return change_body(data, size, max, at, packet);
  }
}
