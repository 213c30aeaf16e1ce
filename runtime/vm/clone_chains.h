/* SPDX-License-Identifier: MIT
 * Keeps a peer from choosing number keys that make one long chain of a table; for clone_read.c.
 *
 * Lua mixes a seed into the hash of a string, but not into that of a number: keys that are all
 * multiples of 2^n - 1 share one chain of a table with 2^n slots, and every insertion walks it. A
 * message of a megabyte would hold its reader for 20 seconds. So the reader counts what it makes
 * Lua walk. The hash is that of Lua 5.4; were another's different, only the guard would be gone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

/* Smaller tables need no guard: their chains are short enough. */
enum { CHAINS_SLOTS = 256 };

/* How many keys lie in each chain of a table; owned by Lua, garbage once popped. */
typedef struct Chains Chains;

/* Pushes the counters for a table with `slots` hash slots, a power of two. [-0, +1, m] */
Chains *chains_new(lua_State *L, size_t slots);

/* Counts the key on top of the stack. Returns how many keys its insertion has to walk along; 0 if
 * it is no number. [-0, +0, -] */
uint32_t chains_count(Chains *chains, lua_State *L);
