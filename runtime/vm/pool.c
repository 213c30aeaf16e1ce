/* SPDX-License-Identifier: MIT
 * Small blocks that Lua has freed, and the region in which the first ones of a state lie. */
#include "vm/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { ALIGNMENT = 8 };

void pool_open_region(Pool *pool, size_t size) {
  if (POOL_KEPT == 0) return;
  pool->region = malloc(size);
  if (pool->region) pool->region_size = size;
}

static bool is_in_region(const Pool *pool, const void *block) {
  return (uintptr_t)block - (uintptr_t)pool->region < pool->region_size;
}

/* What a block takes of the region. */
static size_t region_share(size_t size) {
  return (pool_size(size) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void keep_gap(Pool *pool, void *start, size_t size) {
  PoolGap *gap = start;
  *gap = (PoolGap){.next = pool->gaps, .size = size};
  pool->gaps = gap;
}

/* What is too small for a gap, or for what is wanted, is one block or two of the lists. */
static void keep_rest(Pool *pool, char *start, size_t size) {
  while (size > 0) {
    size_t class = (size - POOL_SMALLEST) / POOL_STEP;
    pool_keep(pool, start, class);
    start += pool_class_size(class);
    size -= pool_class_size(class);
  }
}

/* The first gap; but what is left of one goes once it is in the way. */
static PoolGap *gap_for(Pool *pool, size_t share) {
  PoolGap *gap = pool->gaps;
  while (gap && gap->size < share && gap->size <= POOL_LARGEST) {
    pool->gaps = gap->next;
    keep_rest(pool, (char *)gap, gap->size);
    gap = pool->gaps;
  }
  return gap;
}

static void *take_of_gap(Pool *pool, size_t share) {
  PoolGap *gap = gap_for(pool, share);
  if (!gap || gap->size < share) return NULL;
  char *rest = (char *)gap + share;
  size_t left = gap->size - share;
  pool->gaps = gap->next;
  if (left >= sizeof *gap) keep_gap(pool, rest, left);
  else keep_rest(pool, rest, left);
  return gap;
}

static void *take_of_region(Pool *pool, size_t share) {
  if (share > pool->region_size - pool->region_used) return NULL;
  void *block = pool->region + pool->region_used;
  pool->region_used += share;
  return block;
}

void *pool_make(Pool *pool, size_t size) {
  if (size > POOL_REGION_LARGEST) return malloc(size);
  void *block = take_of_gap(pool, region_share(size));
  if (!block) block = take_of_region(pool, region_share(size));
  return block ? block : malloc(pool_size(size));
}

static void leave_region(Pool *pool, char *block, size_t size) {
  size_t share = region_share(size);
  bool is_last = block + share == pool->region + pool->region_used;
  if (is_last) pool->region_used -= share;
  else keep_gap(pool, block, share);
}

void pool_release(Pool *pool, void *block, size_t size) {
  if (!is_in_region(pool, block)) free(block);
  else if (size > POOL_LARGEST) leave_region(pool, block, size);
  else pool_keep(pool, block, pool_class(size));
}

static bool fits_in_place(size_t old_size, size_t new_size) {
  if (old_size > POOL_LARGEST) return new_size > POOL_LARGEST && new_size <= old_size;
  return new_size <= POOL_LARGEST && pool_class(old_size) == pool_class(new_size);
}

void *pool_resize(Pool *pool, void *block, size_t old_size, size_t new_size) {
  if (!is_in_region(pool, block)) return realloc(block, pool_size(new_size));
  if (fits_in_place(old_size, new_size)) return block;
  void *copy = pool_take(pool, new_size);
  if (!copy) return NULL;
  memcpy(copy, block, old_size < new_size ? old_size : new_size);
  pool_give(pool, block, old_size);
  return copy;
}

static void free_list(const Pool *pool, PoolBlock *block) {
  for (PoolBlock *next; block; block = next) {
    next = block->next;
    if (!is_in_region(pool, block)) free(block);
  }
}

void pool_clear(Pool *pool) {
  for (int class = 0; class < POOL_CLASSES; class ++) free_list(pool, pool->blocks[class]);
  free(pool->region);
  *pool = (Pool){0};
}
