/* SPDX-License-Identifier: MIT
 * What a JSON text costs whoever reads it: counted before the parser, which knows no bound. */
#include "vm/json_weight.h"

#include "vm/clone.h"

/* Arrays and objects grow by doubling, so an item may be there three times. */
enum { WEIGHT_TABLE = 128, WEIGHT_ITEM = 48, WEIGHT_STRING = 48, WEIGHT_MOST = WEIGHT_TABLE };

/* What is behind a string whose first character is at `at`: its end, or that of the text. */
static const char *skip_string(const char *at, const char *end) {
  while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
  return at < end ? at + 1 : end;
}

bool json_depth_fits(const char *text, size_t size, int depth_max) {
  const char *at = text, *end = text + size;
  int depth = -1;
  if (depth_max >= CLONE_DEPTH) return true;
  while (at < end && depth <= depth_max) {
    char c = *at++;
    if (c == '[' || c == '{') depth++;
    if (c == ']' || c == '}') depth--;
    if (c == '"') at = skip_string(at, end);
  }
  return depth <= depth_max;
}

bool json_weight_fits(const char *text, size_t size, size_t weight_max) {
  const char *at = text, *end = text + size;
  if (size <= weight_max / WEIGHT_MOST) return true;
  size_t weight = size;
  while (at < end && weight <= weight_max) {
    char c = *at++;
    if (c == '[' || c == '{') weight += WEIGHT_TABLE;
    if (c == ',') weight += WEIGHT_ITEM;
    if (c != '"') continue;
    weight += WEIGHT_STRING;
    at = skip_string(at, end);
  }
  return weight <= weight_max;
}
