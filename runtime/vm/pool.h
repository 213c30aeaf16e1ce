/* SPDX-License-Identifier: MIT
 * Small blocks that Lua has freed, for its next objects.
 *
 * A message is a few small tables and strings that are garbage soon, and the collector frees
 * thousands of them together, more than malloc has a short way for. A list takes a quarter of the
 * time. Each block is malloc's own and of its class's size, whoever asked for it, so it may go back
 * to any pool, to realloc and to free. */
#pragma once

#include <stddef.h>
#include <stdlib.h>

enum {
  POOL_CLASSES = 9, /* of 8, 24, 40 ... 136 bytes: what malloc gives without waste */
  POOL_STEP = 16,
  POOL_SMALLEST = 8,
  POOL_LARGEST = POOL_SMALLEST + (POOL_CLASSES - 1) * POOL_STEP,
#ifdef SANITIZED
  POOL_KEPT = 0, /* a sanitizer looks at what is free */
#else
  POOL_KEPT = 4096, /* blocks of one class, at most */
#endif
};

/* A free block. */
typedef struct PoolBlock {
  struct PoolBlock *next;
} PoolBlock;

/* A zeroed Pool is empty. */
typedef struct Pool {
  PoolBlock *blocks[POOL_CLASSES];
  int counts[POOL_CLASSES];
} Pool;

/* The class that a block of `size` bytes belongs to. */
static inline size_t pool_class(size_t size) {
  return (size + POOL_STEP - POOL_SMALLEST - 1) / POOL_STEP;
}

/* What to ask malloc or realloc for, where `size` bytes are wanted. */
static inline size_t pool_size(size_t size) {
  return size > POOL_LARGEST ? size : pool_class(size) * POOL_STEP + POOL_SMALLEST;
}

/* A block of `size` bytes, 1 at least; NULL when memory is short. */
static inline void *pool_take(Pool *pool, size_t size) {
  size_t class = pool_class(size);
  PoolBlock *block = size > POOL_LARGEST ? NULL : pool->blocks[class];
  if (!block) return malloc(pool_size(size));
  pool->blocks[class] = block->next;
  pool->counts[class]--;
  return block;
}

/* Takes back a block of `size` bytes, 1 at least. */
static inline void pool_give(Pool *pool, void *block, size_t size) {
  size_t class = pool_class(size);
  if (size > POOL_LARGEST || pool->counts[class] >= POOL_KEPT) {
    free(block);
    return;
  }
  PoolBlock *free_block = block;
  free_block->next = pool->blocks[class];
  pool->blocks[class] = free_block;
  pool->counts[class]++;
}

/* Gives all blocks back to malloc. */
static inline void pool_clear(Pool *pool) {
  for (int class = 0; class < POOL_CLASSES; class ++) {
    for (PoolBlock *next, *block = pool->blocks[class]; block; block = next) {
      next = block->next;
      free(block);
    }
  }
  *pool = (Pool){0};
}
