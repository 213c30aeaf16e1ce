/* SPDX-License-Identifier: MIT
 * The short keys that messages brought before: most come again, and to find one here takes a third
 * of what it takes Lua to hash and intern the same bytes. */
#pragma once

#include <lua.h>
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
} KnownKeys;

/* Pushes the key as a string that takes the place of `key`. [-0, +1, m] */
void keys_learn(KnownKey *key, lua_State *L, const uint8_t *bytes, size_t size);

/* Pushes the string of 1 to KEY_LONGEST bytes. [-0, +1, m] */
static inline void keys_push(KnownKeys *known, lua_State *L, const uint8_t *bytes, size_t size) {
  size_t hash = size + bytes[0] * 5u + bytes[size / 2] * 11u + bytes[size - 1] * 3u;
  KnownKey *key = &known->keys[hash % KEYS_KNOWN];
  if (key->size == size && memcmp(key->bytes, bytes, size) == 0) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, key->reference);
  } else {
    keys_learn(key, L, bytes, size);
  }
}
