/* SPDX-License-Identifier: MIT
 * The allocator and its limit, as Lua asks it: what it grants, refuses, and takes for the end. */
#include "vm/memory.h"

#include "host.h"

#include <limits.h>
#include <lua.h>
#include <time.h>

enum { LIMIT = 1 << 24, HALF = LIMIT / 2, QUARTER = LIMIT / 4 };

/* How often the limit was hit. There is no place for it in a Memory. */
static int ends, second_ends;

static void on_exhausted(void *unused, bool again) {
  (void)unused;
  again ? second_ends++ : ends++;
}

/* One new object in many is refused under BUILD=stress, as Lua asks again. Here nobody does. */
static void init(Memory *memory) {
  memory_init(memory);
#ifdef LUNETTE_STRESS
  memory->objects_left = INT_MAX;
#endif
}

static Memory start(void) {
  Memory memory;
  init(&memory);
  memory_limit(&memory, LIMIT, on_exhausted, NULL);
  ends = second_ends = 0;
  return memory;
}

/* As Lua makes a new object. */
static void *new_object(Memory *memory, size_t size) {
  return memory_allocate(memory, NULL, LUA_TSTRING, size);
}

static void *resize(Memory *memory, void *block, size_t from, size_t to) {
  return memory_allocate(memory, block, from, to);
}

/* Uses the processor for so long. */
static void burn(int milliseconds) {
  clock_t end = clock() + milliseconds * (CLOCKS_PER_SEC / 1000);
  while (milliseconds > 0 && clock() < end) continue;
}

static void test_counting(void) {
  Memory memory;
  init(&memory);
  void *first = new_object(&memory, 1000), *second = resize(&memory, NULL, 0, 500);
  CHECK(memory.used == 1500 && memory.peak == 1500);
  second = resize(&memory, second, 500, 100);
  CHECK(memory.used == 1100 && memory.peak == 1500);
  first = resize(&memory, first, 1000, 0);
  CHECK(first == NULL && memory.used == 100);
  resize(&memory, second, 100, 0);
  CHECK(memory.used == 0 && memory.peak == 1500);
  memory_clear(&memory);
}

/* Each size up to the largest is whole, whatever its block was before. */
static void test_small_blocks(void) {
  enum { BLOCKS = 100, SIZES = POOL_LARGEST + POOL_STEP };
  Memory memory;
  init(&memory);
  for (size_t round = 0; round < 3 * SIZES; round++) {
    uint8_t *blocks[BLOCKS];
    size_t size = 1 + round % SIZES, next = 1 + (round * 7) % SIZES;
    for (int i = 0; i < BLOCKS; i++) memset(blocks[i] = new_object(&memory, size), i, size);
    for (int i = 0; i < BLOCKS; i++) {
      CHECK(blocks[i][0] == i && blocks[i][size - 1] == i);
      blocks[i] = resize(&memory, blocks[i], size, next);
      memset(blocks[i], i, next);
    }
    for (int i = 0; i < BLOCKS; i++) resize(&memory, blocks[i], next, 0);
  }
  CHECK(memory.used == 0);
  memory_clear(&memory);
}

static unsigned next_random(unsigned *seed) {
  *seed = *seed * 1103515245 + 12345;
  return *seed >> 8;
}

static bool is_whole(const uint8_t *block, size_t size, uint8_t fill) {
  for (size_t i = 0; i < size; i++)
    if (block[i] != fill) return false;
  return true;
}

/* A block and its size, which its bytes are filled with. */
typedef struct Filled {
  uint8_t *bytes;
  size_t size;
} Filled;

static bool change(Memory *memory, Filled *block, size_t size) {
  size_t kept = size < block->size ? size : block->size;
  uint8_t *bytes = block->bytes ? resize(memory, block->bytes, block->size, size)
                   : size > 0   ? new_object(memory, size)
                                : NULL;
  bool ok = size == 0 || (bytes && is_whole(bytes, kept, (uint8_t)block->size));
  if (bytes) memset(bytes, (int)size, size);
  *block = (Filled){bytes, size};
  return ok;
}

/* Blocks of every size, in the region and behind its end, grow, shrink and go in any order. */
static void test_region(void) {
  enum { BLOCKS = 2000, CHANGES = 100000, SIZES = 2 * POOL_REGION_LARGEST };
  Filled *blocks = calloc(BLOCKS, sizeof *blocks);
  unsigned seed = 1;
  bool ok = true;
  Memory memory;
  init(&memory);
  memory_open_region(&memory, 1 << 18);
  for (int i = 0; i < CHANGES; i++) {
    bool goes = next_random(&seed) % 3 == 0, is_small = next_random(&seed) % 4 > 0;
    size_t size = 1 + next_random(&seed) % (is_small ? 160 : SIZES);
    ok = change(&memory, &blocks[next_random(&seed) % BLOCKS], goes ? 0 : size) && ok;
  }
  CHECK(ok);
  CHECK(POOL_KEPT == 0 || memory.pool.region_used > 1 << 17);
  for (int i = 0; i < BLOCKS; i++) change(&memory, &blocks[i], 0);
  CHECK(memory.used == 0);
  memory_clear(&memory);
  CHECK(!memory.pool.region);
  free(blocks);
}

/* What stays lies in it without gaps; the last large block gives its place back. */
static void test_region_is_dense(void) {
  Memory memory;
  init(&memory);
  memory_open_region(&memory, 1 << 12);
  if (!memory.pool.region) return;
  char *first = new_object(&memory, 40), *second = new_object(&memory, 120);
  CHECK(first == memory.pool.region && second == first + 40);
  char *large = new_object(&memory, 1000);
  CHECK(large == second + 120);
  CHECK(resize(&memory, large, 1000, 900) == large);
  large = resize(&memory, large, 900, 1000); /* goes on behind itself */
  CHECK(large > second && memory.pool.region_used <= 1 << 12);
  resize(&memory, large, 1000, 0);
  char *outside = new_object(&memory, 3 << 10);
  CHECK(outside < memory.pool.region || outside >= memory.pool.region + (1 << 12));
  resize(&memory, outside, 3 << 10, 0);
  resize(&memory, first, 40, 0);
  CHECK((char *)new_object(&memory, 33) == first);
  memory_clear(&memory);
}

/* Small blocks, and a large one that fits, are made of the large ones that were freed in it. */
static void test_region_fills_gaps(void) {
  enum { LARGE = 400, SMALL = 24 };
  Memory memory;
  init(&memory);
  memory_open_region(&memory, 1 << 12);
  if (!memory.pool.region) return;
  char *large = new_object(&memory, LARGE), *behind = new_object(&memory, 40);
  resize(&memory, large, LARGE, 0);
  size_t region_used = memory.pool.region_used;
  CHECK((char *)new_object(&memory, LARGE / 2) == large);
  for (int i = 0; i < LARGE / 2 / SMALL; i++) {
    char *small = new_object(&memory, SMALL);
    CHECK(small > large && small < behind);
  }
  CHECK(memory.pool.region_used == region_used && !memory.pool.gaps);
  CHECK(LARGE / 2 % SMALL == 8 && (char *)new_object(&memory, 8) < behind);
  CHECK((char *)new_object(&memory, SMALL) > behind);
  memory_clear(&memory);
}

/* Blocks are used again; no more of them are kept than may be. */
static void test_kept_blocks(void) {
  enum { SIZE = 56, MOST = (POOL_KEPT + SIZE - 1) / SIZE, BLOCKS = 2 * MOST + 2 };
  Memory memory;
  init(&memory);
  void **blocks = calloc(BLOCKS, sizeof *blocks);
  for (int i = 0; i < BLOCKS; i++) blocks[i] = new_object(&memory, SIZE);
  void *last = blocks[MOST > 0 ? MOST - 1 : 0];
  for (int i = 0; i < BLOCKS; i++) resize(&memory, blocks[i], SIZE, 0);
  CHECK(memory.pool.kept == MOST * SIZE);
  if (POOL_KEPT > 0) {
    void *again = new_object(&memory, SIZE);
    CHECK(again == last);
    resize(&memory, again, SIZE, 0);
  }
  memory_clear(&memory);
  CHECK(memory.pool.kept == 0);
  free(blocks);
}

static void test_collection_helps(void) {
  Memory memory = start();
  void *garbage = new_object(&memory, HALF + QUARTER);
  CHECK(garbage && !new_object(&memory, HALF));
  resize(&memory, garbage, HALF + QUARTER, 0); /* the collection */
  void *block = new_object(&memory, HALF);
  CHECK(block && ends == 0);
  resize(&memory, block, HALF, 0);
}

static void test_collection_does_not_help(void) {
  Memory memory = start();
  void *kept = new_object(&memory, HALF + QUARTER);
  CHECK(!new_object(&memory, HALF) && ends == 0);
  CHECK(!new_object(&memory, HALF) && ends == 1);
  void *small = new_object(&memory, 1000); /* with which to tell of it */
  CHECK(small && ends == 1 && second_ends == 0);
  CHECK(!new_object(&memory, HALF + 1) && second_ends == 0);
  CHECK(!new_object(&memory, HALF + 1) && second_ends == 1);
  resize(&memory, small, 1000, 0);
  resize(&memory, kept, HALF + QUARTER, 0);
}

/* luaL_Buffer asks once, and raises. */
static void test_no_collection(void) {
  Memory memory = start();
  void *kept = new_object(&memory, HALF);
  CHECK(!resize(&memory, NULL, 0, LIMIT + 1) && ends == 1);
  CHECK(!resize(&memory, NULL, 0, LIMIT + 1) && ends == 1 && second_ends == 0);
  memory = start();
  memory.used = HALF + QUARTER;
  CHECK(!resize(&memory, NULL, 0, LIMIT) && ends == 0);
  void *other = new_object(&memory, 10);
  CHECK(other && ends == 1);
  resize(&memory, other, 10, 0);
  resize(&memory, kept, HALF, 0);
  memory_clear(&memory);
}

static void test_buffer_may_pass(void) {
  Memory memory = start();
  void *garbage = new_object(&memory, HALF + QUARTER);
  void *buffer = resize(&memory, NULL, 0, HALF);
  CHECK(buffer && memory.used > LIMIT);
  CHECK(!new_object(&memory, 10) && ends == 0);
  resize(&memory, garbage, HALF + QUARTER, 0);
  void *object = new_object(&memory, 10);
  CHECK(object && ends == 0);
  resize(&memory, object, 10, 0);
  resize(&memory, buffer, HALF, 0);
  memory_clear(&memory);
}

/* How many collections it takes until the limit counts as hit, when each takes so many milliseconds
 * of the processor's time, and all but `live` bytes are garbage each time; 100 if it never does. */
static int collections_until_end(size_t live, int milliseconds) {
  Memory memory = start();
  int collections = 0;
  void *kept = new_object(&memory, live), *garbage = new_object(&memory, LIMIT - live);
  while (ends == 0 && collections < 100) {
    CHECK(!new_object(&memory, 100));
    burn(milliseconds);
    resize(&memory, garbage, LIMIT - live, 0);
    garbage = new_object(&memory, 100);
    if (garbage) garbage = resize(&memory, garbage, 100, LIMIT - live);
    collections++;
  }
  resize(&memory, garbage, LIMIT - live, 0);
  resize(&memory, kept, live, 0);
  return collections;
}

static void test_crawl(void) {
  CHECK(collections_until_end(LIMIT - LIMIT / 100, 0) == 3);
  CHECK(collections_until_end(LIMIT - LIMIT / 9, 0) == 3);
  CHECK(collections_until_end(LIMIT - LIMIT / 7, 0) == 100);
}

/* A heap of hundreds of megabytes, where one collection is half a second. */
static void test_long_collections(void) {
  CHECK(collections_until_end(LIMIT - LIMIT / 9, 60) == 1);
  int collections = collections_until_end(LIMIT - LIMIT / 7, 60);
  CHECK(collections >= 4 && collections <= 8); /* as they take all of the time */
}

static void test_all(void) {
  test_counting();
  test_small_blocks();
  test_region();
  test_region_is_dense();
  test_region_fills_gaps();
  test_kept_blocks();
  test_collection_helps();
  test_collection_does_not_help();
  test_no_collection();
  test_buffer_may_pass();
  test_crawl();
  test_long_collections();
}

int main(void) { return run_test(test_all); }
