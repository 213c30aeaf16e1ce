/* SPDX-License-Identifier: MIT
 * The short keys that messages brought before. */
#include "vm/clone_keys.h"

#include <lauxlib.h>

void keys_learn(KnownKey *key, lua_State *L, const uint8_t *bytes, size_t size) {
  lua_pushlstring(L, (const char *)bytes, size);
  lua_pushvalue(L, -1);
  key->size = 0; /* for the case that memory is short */
  if (key->reference == 0) {
    int reference = luaL_ref(L, LUA_REGISTRYINDEX);
    key->reference = reference;
  } else {
    lua_rawseti(L, LUA_REGISTRYINDEX, key->reference);
  }
  memcpy(key->bytes, bytes, size);
  key->size = (uint8_t)size;
}
