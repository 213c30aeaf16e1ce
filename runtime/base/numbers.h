/* SPDX-License-Identifier: MIT
 * Numbers that are used again, so that tables of what has one stay small: of open questions, which
 * is safe because a question has exactly one answer, a cancelled one too, and keeps its number
 * until then; and of a state's tasks. */
#pragma once

#include <stdint.h>

/* A zeroed one is empty. End its life with numbers_clear. */
typedef struct Numbers {
  uint32_t *unused; /* owned; those that were given back, the latest last */
  uint32_t unused_count, capacity;
  uint32_t last; /* the largest one so far */
} Numbers;

/* A number from 1 to `limit` that is not in use; 0 when there is none, or memory is short. */
uint32_t numbers_take(Numbers *numbers, uint32_t limit);

/* Gives back a number that was taken. Never fails; nothing happens after numbers_clear. */
void numbers_put(Numbers *numbers, uint32_t number);

/* Frees the memory; all numbers are free. */
void numbers_clear(Numbers *numbers);
