/* SPDX-License-Identifier: MIT
 * An allocator for the Lua state of a program with frames: each call takes about as long as any.
 *
 * That is what malloc of glibc does not promise. It keeps small blocks that were freed in lists,
 * until a large one is freed: then it goes through all of them. And once what is free at the end of
 * its heap is large enough, it gives all of that back at once. After a collection of 50 MB either
 * takes some 5 ms, in a single call of free. Here a free chunk goes back by itself, and few blocks
 * are malloc's. */
#include "vm/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  UNIT = 16,
  SMALL_MAX = SLAB_CLASSES * UNIT,
  CHUNK_SIZE = 1 << 18, /* and its alignment: a block's chunk is found by its address */
  SPARES_MAX = 8,
};

/* The head of a chunk. The blocks follow. */
typedef struct Chunk {
  List node;      /* on `partial`, `spare`, or on no list while it is full */
  void *free;     /* blocks that were freed; each begins with a pointer to the next one */
  uint32_t fresh; /* offset behind which no block was given out yet */
  uint32_t used;  /* blocks */
  uint32_t class; /* the blocks' size in units, less one */
} Chunk;

void slab_init(Slab *slab) {
  for (int i = 0; i < SLAB_CLASSES; i++) list_init(&slab->partial[i]);
  list_init(&slab->spare);
  slab->spares = 0;
}

static void unmap_all(List *chunks) {
  while (!list_empty(chunks)) {
    Chunk *chunk = LIST_ENTRY(chunks->next, Chunk, node);
    list_remove(&chunk->node);
    munmap(chunk, CHUNK_SIZE);
  }
}

void slab_clear(Slab *slab) {
  for (int i = 0; i < SLAB_CLASSES; i++) unmap_all(&slab->partial[i]);
  unmap_all(&slab->spare);
}

/* Twice the size is mapped, of which the aligned part is kept. */
static Chunk *map_chunk(void) {
  enum { PROTECTION = PROT_READ | PROT_WRITE, FLAGS = MAP_PRIVATE | MAP_ANONYMOUS };
  char *start = mmap(NULL, 2 * CHUNK_SIZE, PROTECTION, FLAGS, -1, 0);
  if (start == MAP_FAILED) return NULL;
  size_t before = (size_t)(-(uintptr_t)start & (CHUNK_SIZE - 1));
  if (before > 0) munmap(start, before);
  munmap(start + before + CHUNK_SIZE, CHUNK_SIZE - before);
  Chunk *chunk = (Chunk *)(void *)(start + before);
  list_init(&chunk->node);
  return chunk;
}

static Chunk *new_chunk(Slab *slab, uint32_t class) {
  Chunk *chunk;
  if (list_empty(&slab->spare)) {
    chunk = map_chunk();
    if (!chunk) return NULL;
  } else {
    chunk = LIST_ENTRY(slab->spare.next, Chunk, node);
    list_remove(&chunk->node);
    slab->spares--;
  }
  chunk->free = NULL;
  chunk->fresh = (sizeof *chunk + UNIT - 1) / UNIT * UNIT;
  chunk->used = 0;
  chunk->class = class;
  list_append(&slab->partial[class], &chunk->node);
  return chunk;
}

static uint32_t class_of(size_t size) { return (uint32_t)((size - 1) / UNIT); }

static uint32_t block_size(const Chunk *chunk) { return (chunk->class + 1) * UNIT; }

static bool is_full(const Chunk *chunk) {
  return !chunk->free && chunk->fresh + block_size(chunk) > CHUNK_SIZE;
}

static void *take(Slab *slab, uint32_t class) {
  List *list = &slab->partial[class];
  Chunk *chunk = list_empty(list) ? new_chunk(slab, class) : LIST_ENTRY(list->next, Chunk, node);
  if (!chunk) return NULL;
  void *block = chunk->free;
  if (block) {
    memcpy(&chunk->free, block, sizeof chunk->free);
  } else {
    block = (char *)chunk + chunk->fresh;
    chunk->fresh += block_size(chunk);
  }
  chunk->used++;
  if (is_full(chunk)) list_remove(&chunk->node);
  return block;
}

/* Nothing lies in the chunk any more. */
static void retire(Slab *slab, Chunk *chunk) {
  list_remove(&chunk->node);
  if (slab->spares == SPARES_MAX) {
    munmap(chunk, CHUNK_SIZE);
    return;
  }
  list_append(&slab->spare, &chunk->node);
  slab->spares++;
}

static void give_back(Slab *slab, void *block) {
  Chunk *chunk = (Chunk *)((uintptr_t)block & ~(uintptr_t)(CHUNK_SIZE - 1));
  if (is_full(chunk)) list_append(&slab->partial[chunk->class], &chunk->node);
  memcpy(block, &chunk->free, sizeof chunk->free);
  chunk->free = block;
  if (--chunk->used == 0) retire(slab, chunk);
}

static void release(Slab *slab, void *block, size_t size) {
  if (!block) return;
  if (size > SMALL_MAX) free(block);
  else give_back(slab, block);
}

static void *make(Slab *slab, size_t size) {
  return size > SMALL_MAX ? malloc(size) : take(slab, class_of(size));
}

/* Lua copes with a NULL also where it asks for less. */
static void *resize(Slab *slab, void *block, size_t old_size, size_t new_size) {
  bool was_small = old_size <= SMALL_MAX, is_small = new_size <= SMALL_MAX;
  if (!was_small && !is_small) return realloc(block, new_size);
  if (was_small && is_small && class_of(old_size) == class_of(new_size)) return block;
  void *copy = make(slab, new_size);
  if (!copy) return NULL;
  memcpy(copy, block, old_size < new_size ? old_size : new_size);
  release(slab, block, old_size);
  return copy;
}

void *slab_allocate(void *data, void *block, size_t old_size, size_t new_size) {
  Slab *slab = data;
  if (new_size == 0) {
    release(slab, block, old_size);
    return NULL;
  }
  return block ? resize(slab, block, old_size, new_size) : make(slab, new_size);
}
