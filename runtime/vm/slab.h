/* SPDX-License-Identifier: MIT
 * An allocator for the Lua state of a program with frames: each call takes about as long as any. */
#pragma once

#include "base/list.h"

#include <stddef.h>

enum { SLAB_CLASSES = 32 };

/* Blocks of up to 512 bytes lie in chunks of their size; larger ones are malloc's. */
typedef struct Slab {
  List partial[SLAB_CLASSES]; /* chunks of a size with room */
  List spare;                 /* chunks that nothing lies in */
  int spares;
} Slab;

/* Makes an empty one. */
void slab_init(Slab *slab);

/* Gives the chunks back; all blocks must have been freed. */
void slab_clear(Slab *slab);

/* A MemoryHook (vm/memory.h); `data` is a Slab. */
void *slab_allocate(void *data, void *block, size_t old_size, size_t new_size);
