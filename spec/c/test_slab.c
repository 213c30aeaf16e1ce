/* SPDX-License-Identifier: MIT
 * The allocator of pumped states: what it hands out is whole, apart, aligned, and comes back. */
#include "vm/slab.h"

#include "host.h"

enum { BLOCKS = 20000, ROUNDS = 200000, LARGEST = 1500 };

/* A block, and the byte that it is filled with. */
typedef struct Block {
  unsigned char *bytes;
  size_t size;
  unsigned char fill;
} Block;

static unsigned next_random(unsigned *seed) {
  *seed = *seed * 1103515245 + 12345;
  return *seed >> 8;
}

static bool is_whole(const Block *block, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (block->bytes[i] != block->fill) return false;
  return true;
}

static bool change(Slab *slab, Block *block, size_t size, unsigned char fill) {
  size_t kept = size < block->size ? size : block->size;
  unsigned char *bytes = slab_allocate(slab, block->bytes, block->size, size);
  block->bytes = bytes;
  bool ok = size == 0 ? bytes == NULL : bytes && (size_t)bytes % 16 == 0 && is_whole(block, kept);
  if (bytes) memset(bytes, fill, size);
  block->size = size;
  block->fill = fill;
  return ok;
}

static void test_random(void) {
  Slab slab;
  unsigned seed = 1;
  bool ok = true;
  Block *blocks = calloc(BLOCKS, sizeof *blocks);
  slab_init(&slab);
  for (int i = 0; i < ROUNDS; i++) {
    Block *block = &blocks[next_random(&seed) % BLOCKS];
    size_t size = next_random(&seed) % 3 == 0 ? 0 : next_random(&seed) % LARGEST;
    ok = change(&slab, block, size, (unsigned char)i) && ok;
  }
  CHECK(ok);
  for (int i = 0; i < BLOCKS; i++) ok = change(&slab, &blocks[i], 0, 0) && ok;
  CHECK(ok);
  for (int i = 0; i < SLAB_CLASSES; i++) CHECK(list_empty(&slab.partial[i]));
  CHECK(slab.spares > 0 && slab.spares == list_size(&slab.spare));
  slab_clear(&slab);
  free(blocks);
}

/* Many chunks of a size: what was full takes again, once something has come back. */
static void test_chunks(void) {
  Slab slab;
  void **blocks = calloc(BLOCKS, sizeof *blocks);
  slab_init(&slab);
  for (int i = 0; i < BLOCKS; i++) blocks[i] = slab_allocate(&slab, NULL, 0, 64);
  int partial = list_size(&slab.partial[3]);
  CHECK(partial == 1);
  slab_allocate(&slab, blocks[0], 64, 0);
  CHECK(list_size(&slab.partial[3]) == 2);
  blocks[0] = slab_allocate(&slab, NULL, 0, 60);
  for (int i = 0; i < BLOCKS; i++) slab_allocate(&slab, blocks[i], 64, 0);
  CHECK(list_empty(&slab.partial[3]) && slab.spares > 1);
  slab_clear(&slab);
  free(blocks);
}

static void test(void) {
  test_random();
  test_chunks();
}

int main(void) { return run_test(test); }
