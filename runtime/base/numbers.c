/* SPDX-License-Identifier: MIT
 * Numbers in use, and the room to take each of them back. */
#include "base/numbers.h"

#include <stdbool.h>
#include <stdlib.h>

static bool grow(Numbers *numbers) {
  uint32_t capacity = numbers->capacity ? numbers->capacity * 2 : 16;
  uint32_t *unused = realloc(numbers->unused, capacity * sizeof *unused);
  if (!unused) return false;
  numbers->unused = unused;
  numbers->capacity = capacity;
  return true;
}

uint32_t numbers_take(Numbers *numbers, uint32_t limit) {
  if (numbers->unused_count > 0) return numbers->unused[--numbers->unused_count];
  if (numbers->last >= limit) return 0;
  if (numbers->last == numbers->capacity && !grow(numbers)) return 0;
  return ++numbers->last;
}

void numbers_put(Numbers *numbers, uint32_t number) {
  if (numbers->unused_count < numbers->capacity) numbers->unused[numbers->unused_count++] = number;
}

void numbers_clear(Numbers *numbers) {
  free(numbers->unused);
  *numbers = (Numbers){0};
}
