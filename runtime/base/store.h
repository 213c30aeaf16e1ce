/* SPDX-License-Identifier: MIT
 * Memory that grew for a large message, on its way back from who has read it to who writes the
 * next one. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One block, for buffers of several threads. It keeps something only while somebody tends it: what
 * is given to it otherwise, or is larger than STORE_MOST, is not wanted. */
typedef struct Store {
  pthread_mutex_t lock;
  uint8_t *data; /* owned; or NULL */
  size_t capacity;
  bool is_open;
  bool was_used; /* since store_tend */
} Store;

enum { STORE_MOST = 1 << 22 };

/* Makes it, closed and empty. */
void store_init(Store *store);

/* From now on it keeps what it is given. */
void store_open(Store *store);

/* To be called now and then while it is open: when nothing was given or taken since the last call,
 * it frees what it has and is closed. Returns whether it is still open. */
bool store_tend(Store *store);

/* Takes over a block of malloc's; false: it is not wanted, and the caller's. */
bool store_give(Store *store, uint8_t *data, size_t capacity);

/* A block of at least `least` bytes, of *capacity, the caller's; NULL when there is none. */
uint8_t *store_take(Store *store, size_t least, size_t *capacity);

/* Frees what it has, and its lock. */
void store_clear(Store *store);
