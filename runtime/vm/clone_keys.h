/* SPDX-License-Identifier: MIT
 * The short keys that messages brought before: most come again, and to find one here takes a third
 * of what it takes Lua to hash and intern the same bytes. */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vm/clone_format.h"

enum { KEYS_KNOWN = 64 };

/* One of them. */
typedef struct KnownKey {
  int reference; /* in the registry; 0: none yet */
  uint8_t size;
  uint8_t bytes[KEY_LONGEST];
} KnownKey;

/* Zeroed, it knows none. Belongs to one Lua state, whose registry holds the strings. */
typedef struct KnownKeys {
  KnownKey keys[KEYS_KNOWN];
  size_t turn; /* 0 or 1: which of its two places the next new key gets */
} KnownKeys;

/* Pushes the key as a string that takes the place of `key`. [-0, +1, m] */
void keys_learn(KnownKey *key, lua_State *L, const uint8_t *bytes, size_t size);

/* Whether it is these bytes, which are at least one. */
static inline bool keys_match(const KnownKey *key, const uint8_t *bytes, size_t size) {
  return key->size == size && memcmp(key->bytes, bytes, size) == 0;
}

/* Pushes the string of 1 to KEY_LONGEST bytes. [-0, +1, m] */
static inline void keys_push(KnownKeys *known, lua_State *L, const uint8_t *bytes, size_t size) {
  size_t hash = size + bytes[0] * 5u + bytes[size / 2] * 11u + bytes[size - 1] * 3u;
  size_t place = hash % KEYS_KNOWN;
  const KnownKey *first = &known->keys[place], *second = &known->keys[place ^ 1];
  if (keys_match(first, bytes, size)) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, first->reference);
  } else if (keys_match(second, bytes, size)) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, second->reference);
  } else {
    known->turn ^= 1;
    keys_learn(&known->keys[place ^ known->turn], L, bytes, size);
  }
}
