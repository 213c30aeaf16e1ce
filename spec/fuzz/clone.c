/* SPDX-License-Identifier: MIT
 * Fuzz target: the reader of the structured clone. Input: an options byte, then a body. What is
 * read must be writable again, and memory stays within bounds. */
#include "fuzz.h"

#include "vm/clone.h"

#include <lauxlib.h>

enum {
  BYTES_PER_BYTE = 100, /* of Lua's heap, for a byte of a message */
  BYTES_FREE = 1 << 17, /* and for none */
  HEAP_KEPT = 8 << 20,  /* garbage before a collection */
  SHARED_SIZE = 1 << 12,
  SHARED_LEAST = 64,
};

typedef struct Heap {
  size_t used, peak;
} Heap;

typedef struct Input {
  const uint8_t *bytes;
  size_t size;
  CloneLimits limits;
  const CloneHooks *hooks;
} Input;

static Heap heap;
static CloneContext *context;
static lua_State *state;

static void *allocate(void *data, void *block, size_t old_size, size_t size) {
  Heap *h = data;
  h->used += size - (block ? old_size : 0);
  if (h->used > h->peak) h->peak = h->used;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

static bool export_value(void *data, lua_State *L, int index, uint64_t *id, uint8_t *kind) {
  (void)data;
  *id = (uint64_t)lua_rawlen(L, index);
  *kind = 1;
  return lua_isfunction(L, index);
}

static int proxy(lua_State *L) {
  (void)L;
  return 0;
}

static bool import_value(void *data, lua_State *L, uint64_t id, uint8_t kind) {
  (void)data, (void)id;
  if (kind == 1) lua_pushcfunction(L, proxy);
  return kind == 1;
}

static const CloneHooks hooks = {NULL, export_value, import_value};

/* Of a message that is written again; each of its strings has a place of its own, as in a link. */
static uint8_t shared[SHARED_SIZE];
static size_t shared_used;

static bool put_shared(void *data, lua_State *L, const char *bytes, size_t size, size_t *offset) {
  (void)data, (void)L;
  if (size > SHARED_SIZE - shared_used) return false;
  *offset = shared_used;
  memcpy(shared + shared_used, bytes, size);
  shared_used += size;
  return true;
}

static const uint8_t *get_shared(void *data, size_t offset, size_t size) {
  (void)data;
  return offset <= SHARED_SIZE && size <= SHARED_SIZE - offset ? shared + offset : NULL;
}

static const CloneShare sharing = {NULL, SHARED_LEAST, SHARED_SIZE, put_shared, get_shared};

/* Writes the values from stack index 2 on, and reads that. */
static void write_again(lua_State *L, const Input *input, int count) {
  static Buf out;
  const char *error = NULL;
  shared_used = 0;
  if (!clone_write(context, L, 2, count, &input->limits, input->hooks, "argument", &out))
    require_no_error(L, __FILE__, __LINE__);
  int again =
      clone_read(context, L, buf_front(&out), buf_size(&out), &input->limits, input->hooks, &error);
  REQUIRE(again == count);
  for (int i = 0; i < count; i++) REQUIRE(lua_type(L, 2 + i) == lua_type(L, 2 + count + i));
  buf_consume(&out, buf_size(&out));
}

/* (input) */
static int read_input(lua_State *L) {
  const Input *input = lua_touserdata(L, 1);
  const char *error = NULL;
  size_t before = heap.used;
  heap.peak = before;
  lua_gc(L, LUA_GCSTOP);
  int count =
      clone_read(context, L, input->bytes, input->size, &input->limits, input->hooks, &error);
  lua_gc(L, LUA_GCRESTART);
  REQUIRE(heap.peak - before <= BYTES_FREE + SHARED_SIZE + BYTES_PER_BYTE * input->size);
  REQUIRE(lua_gettop(L) == 1 + (count < 0 ? 0 : count));
  REQUIRE((count < 0) == (error != NULL));
  if (count >= 0) write_again(L, input, count);
  return 0;
}

static void open_state(void) {
  context = clone_context_new();
  state = lua_newstate(allocate, &heap);
  REQUIRE(context && state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  if (!state) open_state();
  Input input = {
      .bytes = data + 1,
      .size = size - 1,
      .limits = {.size = data[0] & 2 ? 64 : CLONE_SIZE, .depth = data[0] & 4 ? 3 : CLONE_DEPTH},
      .hooks = data[0] & 1 ? &hooks : NULL,
  };
  if (data[0] & 8) input.limits.share = &sharing;
  lua_pushcfunction(state, read_input);
  lua_pushlightuserdata(state, &input);
  if (lua_pcall(state, 1, 0, 0) != LUA_OK) require_no_error(state, __FILE__, __LINE__);
  if (heap.used > HEAP_KEPT) lua_gc(state, LUA_GCCOLLECT);
  REQUIRE(heap.used <= HEAP_KEPT);
  return 0;
}
