/* SPDX-License-Identifier: MIT
 * Small blocks that Lua has freed, for its next objects.
 *
 * A message is a few small tables and strings that are garbage soon, and the collector frees
 * thousands of them together, more than malloc has a short way for. A list takes a quarter of the
 * time. Each block is malloc's own and of its class's size, whoever asked for it, so it may go back
 * to any pool, to realloc and to free.
 *
 * But for those of a region, one block of malloc's in which the first blocks of a state lie that
 * has one: several thousand, most of which stay as long as the state. They need no header each, and
 * two fifths of the time that a state on a thread takes to begin and to end were malloc's. */
#pragma once

#include <stddef.h>
#include <stdlib.h>

enum {
  POOL_CLASSES = 9, /* of 8, 24, 40 ... 136 bytes: what malloc gives without waste */
  POOL_STEP = 16,
  POOL_SMALLEST = 8,
  POOL_LARGEST = POOL_SMALLEST + (POOL_CLASSES - 1) * POOL_STEP,
  POOL_REGION_LARGEST = 1024, /* bytes of a block in a region */
#ifdef SANITIZED
  POOL_KEPT = 0, /* a sanitizer looks at what is free */
#else
  POOL_KEPT = 1 << 21, /* bytes, about: of all blocks that wait */
#endif
};

/* A free block. */
typedef struct PoolBlock {
  struct PoolBlock *next;
} PoolBlock;

/* What is free of a large block of the region: the next ones are made of it. */
typedef struct PoolGap {
  struct PoolGap *next;
  size_t size;
} PoolGap;

/* A zeroed Pool is empty. */
typedef struct Pool {
  PoolBlock *blocks[POOL_CLASSES];
  size_t kept;  /* bytes of these blocks */
  char *region; /* owned; or NULL */
  size_t region_size, region_used;
  PoolGap *gaps; /* in the region */
} Pool;

/* Gives the empty pool a region of `size` bytes, for its first blocks. Under a sanitizer, which
 * looks at what is free, and where memory is short, it gets none. */
void pool_open_region(Pool *pool, size_t size);

/* A new block of `size` bytes; NULL when memory is short. For pool_take. */
void *pool_make(Pool *pool, size_t size);

/* The block of `old_size` bytes, or a copy of it, with room for `new_size`. NULL, with the block as
 * it was, when memory is short. */
void *pool_resize(Pool *pool, void *block, size_t old_size, size_t new_size);

/* Takes back what no list has room for. For pool_give. */
void pool_release(Pool *pool, void *block, size_t size);

/* Gives all blocks back to malloc, and the region, in which nothing may be used any more. */
void pool_clear(Pool *pool);

/* The class that a block of `size` bytes belongs to. */
static inline size_t pool_class(size_t size) {
  return (size + POOL_STEP - POOL_SMALLEST - 1) / POOL_STEP;
}

/* How many bytes the blocks of a class have. */
static inline size_t pool_class_size(size_t class) { return class * POOL_STEP + POOL_SMALLEST; }

/* What to ask malloc or realloc for, where `size` bytes are wanted. */
static inline size_t pool_size(size_t size) {
  return size > POOL_LARGEST ? size : pool_class_size(pool_class(size));
}

/* A block of `size` bytes, 1 at least; NULL when memory is short. */
static inline void *pool_take(Pool *pool, size_t size) {
  size_t class = pool_class(size);
  PoolBlock *block = size > POOL_LARGEST ? NULL : pool->blocks[class];
  if (!block) return pool_make(pool, size);
  pool->blocks[class] = block->next;
  pool->kept -= pool_class_size(class);
  return block;
}

/* Puts a free block on its list. */
static inline void pool_keep(Pool *pool, void *block, size_t class) {
  PoolBlock *free_block = block;
  free_block->next = pool->blocks[class];
  pool->blocks[class] = free_block;
  pool->kept += pool_class_size(class);
}

/* Takes back a block of `size` bytes, 1 at least. */
static inline void pool_give(Pool *pool, void *block, size_t size) {
  size_t class = pool_class(size);
  if (size > POOL_LARGEST || (ptrdiff_t)pool->kept >= POOL_KEPT) {
    pool_release(pool, block, size);
    return;
  }
  pool_keep(pool, block, class);
}
