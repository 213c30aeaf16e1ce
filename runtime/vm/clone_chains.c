/* SPDX-License-Identifier: MIT
 * Keeps a peer from choosing number keys that make one long chain of a table. */
#include "vm/clone_chains.h"

#include <limits.h>
#include <math.h>
#include <string.h>

struct Chains {
  size_t modulus;
  uint16_t keys[]; /* in each chain; stays at the highest */
};

Chains *chains_new(lua_State *L, size_t slots) {
  size_t size = sizeof(Chains) + slots * sizeof(uint16_t);
  Chains *chains = lua_newuserdatauv(L, size, 0);
  memset(chains, 0, size);
  chains->modulus = (slots - 1) | 1;
  return chains;
}

/* What Lua takes the modulus of for a float, by the same arithmetic. */
static lua_Unsigned hash_float(lua_Number value) {
  int exponent;
  value = frexp(value, &exponent) * -(lua_Number)INT_MIN;
  lua_Integer mantissa;
  if (!lua_numbertointeger(value, &mantissa)) return 0; /* an infinity */
  unsigned hash = (unsigned)exponent + (unsigned)mantissa;
  return hash <= INT_MAX ? hash : ~hash;
}

uint32_t chains_count(Chains *chains, lua_State *L) {
  if (lua_type(L, -1) != LUA_TNUMBER) return 0;
  lua_Unsigned hash =
      lua_isinteger(L, -1) ? (lua_Unsigned)lua_tointeger(L, -1) : hash_float(lua_tonumber(L, -1));
  uint16_t *keys = &chains->keys[hash % chains->modulus];
  if (*keys < UINT16_MAX) ++*keys;
  return *keys - 1u;
}
