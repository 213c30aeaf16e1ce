/* SPDX-License-Identifier: MIT
 * Which tables and string keys the message being written has met; for clone_write.c only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/clone.h"
#include "vm/clone_keys.h"

enum { SEEN_KEY_BUCKETS = 128 };

/* An entry is in use while its generation is the context's: a new message starts at no cost. */
typedef struct SeenTable {
  const void *table; /* its address is its identity; it lives as long as the message's values */
  uint32_t generation;
  uint32_t offset; /* of its tag in the body */
} SeenTable;

typedef struct SeenKey {
  const char *key;
  uint32_t generation;
  uint32_t offset; /* of its first tag in the body */
  uint8_t slot;
  bool kept; /* that tag says KEEP already */
} SeenKey;

struct CloneContext {
  SeenTable *tables; /* owned; open addressing, at most half full */
  size_t capacity;   /* a power of two */
  size_t count;
  uint32_t generation;
  int key_count;
  SeenKey keys[SEEN_KEY_BUCKETS];
  KnownKeys known; /* when reading */
};

/* Forgets what the last message met. False when memory is short. */
bool seen_begin(CloneContext *context);

/* Notes `table` in the free entry that seen_find_table returned. False when memory is short. */
bool seen_add_table(CloneContext *context, SeenTable *entry, const void *table, size_t offset);

/* Where to look first for an address; `buckets` is a power of two. */
static inline size_t seen_bucket(const void *address, size_t buckets) {
  uint64_t mixed = (uint64_t)((uintptr_t)address >> 4) * 0x9e3779b97f4a7c15u;
  return (size_t)(mixed >> 32) & (buckets - 1);
}

/* The entry of `table`, or the free one where it belongs. Inline as the next: once a table, key. */
static inline SeenTable *seen_find_table(const CloneContext *context, const void *table) {
  size_t i = seen_bucket(table, context->capacity);
  for (;; i = (i + 1) & (context->capacity - 1)) {
    SeenTable *entry = &context->tables[i];
    if (entry->generation != context->generation || entry->table == table) return entry;
  }
}

/* The entry of the interned string `key`, or the free one where it belongs. */
static inline SeenKey *seen_find_key(CloneContext *context, const char *key) {
  size_t i = seen_bucket(key, SEEN_KEY_BUCKETS);
  for (;; i = (i + 1) % SEEN_KEY_BUCKETS) {
    SeenKey *entry = &context->keys[i];
    if (entry->generation != context->generation || entry->key == key) return entry;
  }
}
