/* SPDX-License-Identifier: MIT
 * What the two tests of the clone codec share: a Lua state whose memory is counted, and the codec
 * as Lua functions. Values are made and compared by Lua. A test includes this once. */
#pragma once

#include "vm/clone.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

static bool check(bool ok, const char *what, const char *detail) {
  if (ok) {
    passed++;
  } else {
    failed++;
    printf("not so: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
  }
  return ok;
}

typedef struct Heap {
  size_t used, peak;
  long fail_after; /* allocations that still succeed; -1: all */
  long objects;    /* made so far */
} Heap;

static Heap heap = {.fail_after = -1};
static CloneContext *context;

/* Under BUILD=stress some requests for objects are refused, while the heap is small: Lua
 * collects each time, and asks again. */
static bool refuses_for_stress(Heap *h, const void *block, size_t kind) {
#ifdef LUNETTE_STRESS
  return !block && kind != 0 && h->used > 1 << 15 && h->used < 1 << 18 && h->objects++ % 16 == 0;
#else
  (void)h, (void)block, (void)kind;
  return false;
#endif
}

static void *heap_alloc(void *data, void *block, size_t old_size, size_t size) {
  Heap *h = data;
  if (size > 0 && refuses_for_stress(h, block, old_size)) return NULL;
  if (!block) old_size = 0;
  if (size > old_size && h->fail_after >= 0) {
    if (h->fail_after == 0) return NULL;
    h->fail_after--;
  }
  h->used += size - old_size;
  if (h->used > h->peak) h->peak = h->used;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

/* Functions are exported as 300; a table with a metatable as its field `promise`, if it has one. */
static bool export_value(void *data, lua_State *L, int index, uint64_t *id, uint8_t *kind) {
  (void)data;
  *kind = lua_istable(L, index) ? 2 : 1;
  *id = 300;
  if (*kind == 1) return true;
  lua_pushliteral(L, "promise");
  bool is_promise = lua_rawget(L, index) != LUA_TNIL;
  *id = (uint64_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return is_promise;
}

static bool import_value(void *data, lua_State *L, uint64_t id, uint8_t kind) {
  (void)data;
  if (kind != 1 && kind != 2) return false;
  lua_pushfstring(L, "%s %I", kind == 1 ? "function" : "promise", (LUAI_UACINT)id);
  return true;
}

static const CloneHooks exporting = {NULL, export_value, import_value};

/* What stands for shared memory. */
enum { SHARED_SIZE = 1000, SHARED_LEAST = 100 };
static uint8_t shared[SHARED_SIZE];
static size_t shared_used;

static bool put_shared(void *data, lua_State *L, const char *bytes, size_t size, size_t *offset) {
  (void)data, (void)L;
  if (size > SHARED_SIZE - shared_used) return false;
  *offset = shared_used;
  memcpy(shared + *offset, bytes, size);
  shared_used += size;
  return true;
}

static const uint8_t *get_shared(void *data, size_t offset, size_t size) {
  (void)data;
  return offset <= SHARED_SIZE && size <= SHARED_SIZE - offset ? shared + offset : NULL;
}

static const CloneShare sharing = {NULL, SHARED_LEAST, SHARED_SIZE, put_shared, get_shared};

/* The fields size, depth, share and hooks of the table at 1. */
static CloneLimits check_limits(lua_State *L, const CloneHooks **hooks) {
  lua_getfield(L, 1, "size");
  lua_getfield(L, 1, "depth");
  *hooks = lua_getfield(L, 1, "hooks") != LUA_TNIL ? &exporting : NULL;
  CloneLimits limits = {(size_t)luaL_optinteger(L, -3, CLONE_SIZE),
                        (int)luaL_optinteger(L, -2, CLONE_DEPTH), NULL};
  if (lua_getfield(L, 1, "share") != LUA_TNIL) limits.share = &sharing;
  lua_pop(L, 4);
  return limits;
}

/* encode({size=, depth=, share=, hooks=, what=}, ...): the bytes, or nil and the message. The
 * buffer is one that has bytes in front, some read and some not. */
static int l_encode(lua_State *L) {
  int top = lua_gettop(L);
  const CloneHooks *hooks;
  CloneLimits limits = check_limits(L, &hooks);
  Buf out = {0};
  buf_append(&out, "read, unread", 12);
  buf_consume(&out, 6);
  bool ok = clone_write(context, L, 2, top - 1, &limits, hooks, "argument", &out);
  check(lua_gettop(L) == top + (ok ? 0 : 1), "clone_write pushes an error at most", NULL);
  check(memcmp(buf_front(&out), "unread", 6) == 0, "what was in the buffer stays", NULL);
  check(ok || buf_size(&out) == 6, "a failure leaves nothing in the buffer", NULL);
  if (!ok) lua_pushnil(L);
  if (!ok) lua_insert(L, -2);
  if (ok) lua_pushlstring(L, (const char *)buf_front(&out) + 6, buf_size(&out) - 6);
  buf_clear(&out);
  return ok ? 1 : 2;
}

/* decode({size=, depth=, share=, hooks=}, bytes): the values, or "malformed" and the reason. Reads
 * from a copy of the very size, so that reading too far is noticed; Lua owns it, as reading may
 * raise. */
static int l_decode(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);
  const char *error = NULL;
  const CloneHooks *hooks;
  CloneLimits limits = check_limits(L, &hooks);
  uint8_t **copy = lua_newuserdatauv(L, sizeof *copy, 0);
  *copy = NULL;
  luaL_setmetatable(L, "copy");
  *copy = malloc(size > 0 ? size : 1);
  if (size > 0) memcpy(*copy, bytes, size);
  int top = lua_gettop(L);
  int count = clone_read(context, L, *copy, size, &limits, hooks, &error);
  check(lua_gettop(L) == top + (count < 0 ? 0 : count), "clone_read pushes what it says", NULL);
  free(*copy);
  *copy = NULL;
  if (count >= 0) return count;
  lua_pushliteral(L, "malformed");
  lua_pushstring(L, error);
  return 2;
}

static int l_free_copy(lua_State *L) {
  free(*(uint8_t **)lua_touserdata(L, 1));
  return 0;
}

/* check(what, ok [, detail]) */
static int l_check(lua_State *L) {
  check(lua_toboolean(L, 2), luaL_checkstring(L, 1), lua_tostring(L, 3));
  return 0;
}

/* Runs Lua code with `...` as the string `argument`. */
static void run(lua_State *L, const char *code, const char *argument) {
  bool ok = luaL_loadstring(L, code) == LUA_OK;
  lua_pushstring(L, argument);
  if (ok) ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  if (!ok) check(false, code, lua_tostring(L, -1));
  lua_settop(L, 0);
}

/* Scalars of all kinds, and tables that share, loop, have holes and keys of every type. */
static const char random_values[] =
    "local random, pack, unpack = math.random, string.pack, string.unpack\n"
    "local names = {}\n"
    "for i = 1, 50 do names[i] = 'name' .. i .. ('_'):rep(i) end\n"
    "local function bits() return (random(0) >> random(0, 63)) * random(-1, 1) end\n"
    "local scalars = {\n"
    "  function() return random(2) == 1 end, bits, function() return null end,\n"
    "  function() return (unpack('<n', pack('<i8', random(0)))) end,\n"
    "  function() return random(-20, 100) end, function() return bits() / 8 end,\n"
    "  function() return pack('<i8', bits()):rep(random(0, 40)) end,\n"
    "  function() return names[random(#names)] end,\n"
    "}\n"
    "local function scalar() return scalars[random(#scalars)]() end\n"
    "function random_value(depth, pool)\n"
    "  if #pool > 0 and random(8) == 1 then return pool[random(#pool)] end\n"
    "  if depth == 0 or random(3) == 1 then return scalar() end\n"
    "  local t = {}\n"
    "  pool[#pool + 1] = t\n"
    "  for i = 1, random(0, 6) do t[i] = random(9) > 1 and random_value(depth - 1, pool) or nil "
    "end\n"
    "  for i = 1, random(0, 5) do\n"
    "    local key = random(4) > 1 and names[random(#names)] or scalar()\n"
    "    if random(12) == 1 then key = {i, random_value(1, pool)} end\n"
    "    if key == key then t[key] = random_value(depth - 1, pool) end\n"
    "  end\n"
    "  return t\n"
    "end\n";

static lua_State *open_state(void) {
  lua_State *L = lua_newstate(heap_alloc, &heap);
  luaL_openlibs(L);
  luaL_newmetatable(L, "copy");
  lua_pushcfunction(L, l_free_copy);
  lua_setfield(L, -2, "__gc");
  lua_register(L, "encode", l_encode);
  lua_register(L, "decode", l_decode);
  lua_register(L, "check", l_check);
  lua_pushlightuserdata(L, NULL);
  lua_setglobal(L, "null");
  lua_pushlightuserdata(L, &heap);
  lua_setglobal(L, "pointer");
  run(L, random_values, NULL);
  return L;
}
