/* SPDX-License-Identifier: MIT
 * Bytecode without the names of local variables and upvalues. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rewrites the chunk, as lua_dump of Lua 5.4 has made it, in place: a third of it is names that
 * only a debugger asks for, and each costs a look-up when the chunk is loaded. Lines stay. Returns
 * the new size; 0 when the bytes are not such a chunk. */
size_t strip_names(uint8_t *chunk, size_t size);
