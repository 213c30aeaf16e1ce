/* SPDX-License-Identifier: MIT
 * Bytecode without the names of local variables and upvalues.
 *
 * A chunk of Lua 5.4 is a header, the number of upvalues and a function. A function is its source,
 * five numbers, code, constants, upvalues, functions inside, and what is for debugging: lines,
 * lines once more, local variables, names of upvalues. Numbers without a fixed size have seven bits
 * a byte, the last of which has its top bit set; a string is its size plus 1 and its bytes. */
#include "strip.h"

#include <lua.h>
#include <string.h>

enum {
  HEADER_SIZE = 4 + 1 + 1 + 6 + 3 + sizeof(lua_Integer) + sizeof(lua_Number),
  COUNT_END = 0x80,
  INSTRUCTION_SIZE = 4,
  UPVALUE_SIZE = 3,
  LONGEST_COUNT = 5, /* bytes of a number */
};

/* The types of constants, as they stand in a chunk. */
enum { LONG_STRING = 0x14, SHORT_STRING = 0x04, INTEGER = 0x03, FLOAT = 0x13 };

/* Reads at `from`, writes at `to`, which is never ahead. */
typedef struct Strip {
  const uint8_t *from, *end;
  uint8_t *to;
  bool bad;
} Strip;

static void skip(Strip *strip, size_t size) {
  if (size > (size_t)(strip->end - strip->from)) {
    strip->bad = true;
    size = (size_t)(strip->end - strip->from);
  }
  strip->from += size;
}

static void keep(Strip *strip, size_t size) {
  const uint8_t *begin = strip->from;
  skip(strip, size);
  size = (size_t)(strip->from - begin);
  memmove(strip->to, begin, size);
  strip->to += size;
}

/* Reads a number without keeping it. */
static size_t take_count(Strip *strip) {
  size_t count = 0;
  for (int i = 0; i < LONGEST_COUNT && !strip->bad; i++) {
    const uint8_t *byte = strip->from;
    skip(strip, 1);
    if (strip->bad) break;
    count = count << 7 | (*byte & (COUNT_END - 1));
    if (*byte & COUNT_END) return count;
  }
  strip->bad = true;
  return 0;
}

static size_t keep_count(Strip *strip) {
  const uint8_t *begin = strip->from;
  size_t count = take_count(strip), size = (size_t)(strip->from - begin);
  strip->from = begin;
  keep(strip, size);
  return count;
}

static void keep_string(Strip *strip) {
  size_t size = keep_count(strip);
  if (size > 0) keep(strip, size - 1);
}

static void skip_string(Strip *strip) {
  size_t size = take_count(strip);
  if (size > 0) skip(strip, size - 1);
}

static void keep_constant(Strip *strip) {
  uint8_t type = strip->from < strip->end ? *strip->from : 0;
  keep(strip, 1);
  if (type == LONG_STRING || type == SHORT_STRING) keep_string(strip);
  else if (type == INTEGER) keep(strip, sizeof(lua_Integer));
  else if (type == FLOAT) keep(strip, sizeof(lua_Number));
}

static void keep_lines(Strip *strip) {
  keep(strip, keep_count(strip));
  for (size_t n = keep_count(strip); n > 0 && !strip->bad; n--) {
    keep_count(strip);
    keep_count(strip);
  }
}

static void write_no_names(Strip *strip) { *strip->to++ = COUNT_END; }

static void strip_variables(Strip *strip) {
  for (size_t n = take_count(strip); n > 0 && !strip->bad; n--) {
    skip_string(strip);
    take_count(strip); /* where it begins, and ends */
    take_count(strip);
  }
  write_no_names(strip);
}

static void strip_upvalue_names(Strip *strip) {
  for (size_t n = take_count(strip); n > 0 && !strip->bad; n--) skip_string(strip);
  write_no_names(strip);
}

static void strip_function(Strip *strip) {
  keep_string(strip); /* source */
  keep_count(strip);  /* first and last line */
  keep_count(strip);
  keep(strip, 3); /* parameters, whether there are more, registers */
  keep(strip, keep_count(strip) * INSTRUCTION_SIZE);
  for (size_t n = keep_count(strip); n > 0 && !strip->bad; n--) keep_constant(strip);
  keep(strip, keep_count(strip) * UPVALUE_SIZE);
  for (size_t n = keep_count(strip); n > 0 && !strip->bad; n--) strip_function(strip);
  keep_lines(strip);
  strip_variables(strip);
  strip_upvalue_names(strip);
}

size_t strip_names(uint8_t *chunk, size_t size) {
  Strip strip = {.from = chunk, .end = chunk + size, .to = chunk};
  keep(&strip, HEADER_SIZE + 1);
  strip_function(&strip);
  bool whole = !strip.bad && strip.from == strip.end;
  return whole ? (size_t)(strip.to - chunk) : 0;
}
