/* SPDX-License-Identifier: MIT
 * Memory that grew for a large message, on its way back from who has read it to who writes the
 * next one. */
#include "base/store.h"

#include <stdlib.h>

void store_init(Store *store) {
  *store = (Store){0};
  pthread_mutex_init(&store->lock, NULL);
}

static void lock(Store *store) { pthread_mutex_lock(&store->lock); }

static void unlock(Store *store) { pthread_mutex_unlock(&store->lock); }

void store_open(Store *store) {
  lock(store);
  store->is_open = store->was_used = true;
  unlock(store);
}

/* With the lock: the block, which the store has no more. */
static uint8_t *release(Store *store) {
  uint8_t *data = store->data;
  store->data = NULL;
  store->capacity = 0;
  return data;
}

bool store_tend(Store *store) {
  lock(store);
  bool is_open = store->is_open = store->was_used;
  uint8_t *unused = is_open ? NULL : release(store);
  store->was_used = false;
  unlock(store);
  free(unused);
  return is_open;
}

bool store_give(Store *store, uint8_t *data, size_t capacity) {
  lock(store);
  bool is_wanted = store->is_open && capacity <= STORE_MOST && capacity > store->capacity;
  uint8_t *smaller = is_wanted ? release(store) : NULL;
  if (is_wanted) {
    store->data = data;
    store->capacity = capacity;
  }
  store->was_used = true;
  unlock(store);
  free(smaller);
  return is_wanted;
}

uint8_t *store_take(Store *store, size_t least, size_t *capacity) {
  lock(store);
  *capacity = store->capacity;
  uint8_t *data = store->capacity >= least ? release(store) : NULL;
  store->was_used = true;
  unlock(store);
  return data;
}

void store_clear(Store *store) {
  free(release(store));
  pthread_mutex_destroy(&store->lock);
}
