/* SPDX-License-Identifier: MIT
 * The reader of the structured clone codec, fed by a hostile peer: whatever the bytes are, they
 * are refused or read, memory stays within bounds, and a full heap leaks nothing. */
#include "clone_fixture.h"

/* The thread sanitizer makes all of it ten times as slow, and here is one thread. */
#ifdef __SANITIZE_THREAD__
enum { EASE = 10 };
#else
enum { EASE = 1 };
#endif

enum {
  MUTATIONS = 200000 / EASE,
  RANDOM_MESSAGES = 50000 / EASE,
  BYTES_PER_BYTE = 100, /* of Lua's heap, for a byte of a message */
  BYTES_FREE = 1 << 18, /* and for none: stack, strings of errors */
};

/* What is read from shared memory lies there, is no more than there is, and is never short. */
static void test_shared(lua_State *L) {
  run(L,
      "local function is_bad(bytes)\n"
      "  local word, why = decode({share = true}, '\\0' .. bytes)\n"
      "  local known = why == 'a string outside of shared memory'\n"
      "  check('not shared', word == 'malformed' and known, why)\n"
      "end\n"
      "local function at(offset, size) return '\\xa9' .. varint(offset) .. varint(size) end\n"
      "check('good', #decode({share = true}, '\\0\\1' .. at(900, 100)) == 100)\n"
      "check('all of it', #decode({share = true}, '\\0\\1' .. at(0, 1000)) == 1000)\n"
      "is_bad('\\1' .. at(900, 101))\n"
      "is_bad('\\1' .. at(0, 1001))\n"
      "is_bad('\\1' .. at(1001, 41))\n"
      "is_bad('\\1' .. at(-1, 41))\n"
      "is_bad('\\1' .. at(-41, 82))\n"
      "is_bad('\\1' .. at(0, -1))\n"
      "is_bad('\\1' .. at(0, 40))\n"
      "is_bad('\\1' .. at(0, 0))\n"
      "is_bad('\\2' .. at(0, 600) .. at(0, 401))",
      NULL);
}

/* Bodies by hand, each with the reason why it is refused. */
typedef struct Malformed {
  const char *bytes; /* as Lua writes strings */
  const char *reason;
} Malformed;

static const Malformed malformed[] = {
    {"", "the message ends too early"},
    {"\\0", "the message ends too early"},
    {"\\0\\1", "the message ends too early"},
    {"\\0\\0\\0", "bytes behind the end of the message"},
    {"\\33\\0", "an unknown header"},
    {"\\0\\1\\x80", "an unknown tag"}, /* a slot, but not in a key's place */
    {"\\0\\1\\xa8", "an unknown tag"},
    {"\\0\\1\\xa9", "an unknown tag"},
    {"\\0\\1\\xb8", "an unknown tag"},
    {"\\0\\1\\xb7\\0\\0\\0\\0\\0\\0\\0", "the message ends too early"},
    {"\\0\\1\\xa4\\0\\0\\0\\0\\0\\0\\0", "the message ends too early"},
    {"\\0\\1\\x42a", "the message ends too early"},
    {"\\0\\1\\xa5\\2a", "the message ends too early"},
    {"\\0\\1\\xa5\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x01", "the message ends too early"},
    {"\\0\\1\\xa5\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff", "a length is too long"},
    {"\\0\\xff\\xff\\xff\\xff\\x7f\\xa0", "the message ends too early"},
    {"\\0\\1\\xc0\\3\\1\\1", "the message ends too early"},
    {"\\0\\1\\xdf\\0\\xa8", "a table larger than the message"},
    {"\\0\\1\\xc0\\9\\xc0\\7\\xc0\\5\\xa0\\xa0\\xa0\\xa0\\xa0", "a table larger than the message"},
    {"\\0\\1\\xc1\\0\\x41a", "the message ends too early"},
    {"\\0\\1\\xc1\\0\\x41a\\1", "the message ends too early"},
    {"\\0\\1\\xc1\\0\\x41a\\1\\x41b\\1\\xa8", "more pairs than announced"},
    {"\\0\\1\\xc1\\0\\xa0\\1\\xa8", "a key that is nil"},
    {"\\0\\1\\xc1\\0\\xa4\\0\\0\\0\\0\\0\\0\\xf8\\x7f\\1\\xa8", "a key that is not a number"},
    {"\\1\\1\\xc1\\0\\x80\\1\\xa8", "a key from an empty slot"},
    {"\\0\\1\\xc1\\0\\1a\\1\\xa8", "a key without a slot"},
    {"\\1\\1\\xc2\\0\\x41a\\1\\1b\\1\\xa8", "a key without a slot"},
    {"\\1\\1\\xc1\\0\\x29"
     "01234567890123456789012345678901234567890"
     "\\1\\xa8",
     "a key too long for a slot"},
    {"\\x80\\1\\xa6\\2", "a reference to no table"},
    {"\\x80\\2\\xe0\\0\\xa6\\3", "a reference to no table"},
    {"\\x80\\2\\xc0\\0\\xa6\\2", "a reference to no table"},
    {"\\0\\2\\xc0\\0\\xa6\\2", "a reference to no table"},
    {"\\0\\1\\xe0\\0", "a shared table that was not announced"},
    {"\\0\\1\\xa7\\1\\1", "a function came where none can"},
};

static void test_malformed(lua_State *L) {
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    lua_pushstring(L, malformed[i].reason);
    lua_setglobal(L, "reason");
    run(L,
        "local bytes = ...\n"
        "local word, problem = decode({}, load('return \"' .. bytes .. '\"')())\n"
        "check(bytes, word == 'malformed' and problem == reason, problem)",
        malformed[i].bytes);
  }
}

static void test_depth(lua_State *L) {
  run(L,
      "local function deep(n) return '\\0\\1' .. ('\\xc0\\1'):rep(n - 1) .. '\\xc0\\0' end\n"
      "local function key(n) return '\\0\\1' .. ('\\xc1\\0'):rep(n - 1) .. '\\xc0\\0'\n"
      "  .. ('\\1\\xa8'):rep(n - 1) end\n"
      "for _, make in ipairs {deep, key} do\n"
      "  check('1000 levels', type(decode({}, make(1000))) == 'table')\n"
      "  check('1001 levels', select(2, decode({}, make(1001))):find 'limit depth')\n"
      "end",
      NULL);
}

static void test_many_values(lua_State *L) {
  run(L,
      "local ok = select('#', decode({}, '\\0\\xc0\\x9a\\x0c' .. ('\\xa0'):rep(200000)))\n"
      "check('200000 values', ok == 200000)\n"
      "local _, problem = decode({}, '\\0\\x80\\x89\\x7a' .. ('\\xa0'):rep(2000000))\n"
      "check('two million values', problem == 'more values than the stack holds', problem)",
      NULL);
}

/* Two bytes are an empty table: what a message may make of its bytes is bounded, and the same for
 * who writes it. */
static void test_weight(lua_State *L) {
  run(L,
      "local limits = {size = 1 << 20}\n"
      "local function boundary(make, weight, frame)\n"
      "  local most = ((20 << 20) - frame) // weight\n"
      "  local bytes, more = encode(limits, make(most)), encode({}, make(most + 1))\n"
      "  check('what is written is read', type(decode(limits, bytes)) == 'table')\n"
      "  check('no more is read', select(2, decode(limits, more)):find 'too much memory')\n"
      "  check('which is not larger', #more < 1 << 20)\n"
      "  local problem = select(2, encode(limits, make(most + 1)))\n"
      "  check('the writer says why', problem:find 'too much for a message', problem)\n"
      "end\n"
      "local function many(item)\n"
      "  return function(n)\n"
      "    local list = {}\n"
      "    for i = 1, n do list[i] = item(i) end\n"
      "    return list\n"
      "  end\n"
      "end\n"
      "local tables = many(function() return {} end)\n"
      "boundary(tables, 16 + 80, 80)\n"
      "boundary(many(function() return 'xy' end), 16 + 48 + 2, 80)\n"
      "boundary(many(function() return {[0] = 1} end), 16 + 80 + 32, 80)\n"
      "local function twice(n)\n"
      "  local list = tables(n)\n"
      "  return {list, table.move(list, 1, n, 1, {})}\n"
      "end\n"
      "boundary(twice, 16 + 80 + 80 + 16, 80 + 32 + 80 + 80)\n"
      "local bytes = '\\x80\\1\\xc0\\x80\\x80\\x10' .. ('\\xe0\\0'):rep(1 << 18)\n"
      "local _, problem = decode(limits, bytes)\n"
      "check('shared tables', problem:find 'too much memory', problem)",
      NULL);
}

/* Without the guard of clone_chains.h each of these would take minutes. */
static void test_collisions(lua_State *L) {
  run(L,
      "local function flood(key)\n"
      "  local t = {'\\0\\1\\xd3\\0'}\n" /* 2^18 slots */
      "  for i = 1, 200000 do t[#t + 1] = key(i) .. '\\xa2' end\n"
      "  local _, problem = decode({}, table.concat(t) .. '\\xa8')\n"
      "  check('keys that collide', problem == 'keys chosen to collide', problem)\n"
      "end\n"
      "flood(function(i) return ('<Bi8'):pack(0xb7, i * ((1 << 18) - 1)) end)\n"
      "flood(function(i) return ('<Bi8'):pack(0xb7, -i * ((1 << 18) - 1)) end)\n"
      "flood(function(i) return ('<Bd'):pack(0xa4, 1.5 + i * 2.0 ^ -50) end)",
      NULL);
}

/* ---- at random ---- */

static const char corpus[] =
    "math.randomseed(7)\n"
    "corpus = {}\n"
    "for i = 1, 60 do\n"
    "  local pool = {}\n"
    "  corpus[i] = encode({}, random_value(3, pool), random_value(2, pool))\n"
    "end\n"
    "local t, deep, keys = {}, {}, {}\n"
    "for i = 1, 600 do t['key' .. i], keys[i * 2.5] = i, t end\n"
    "for i = 1, 100 do deep = {deep, x = deep} end\n"
    "for _, v in ipairs {t, deep, keys} do corpus[#corpus + 1] = encode({}, v) end\n";

/* Reads the bytes in the function `read` of Lua: a failure is counted, a result is sent again. */
static void attack(lua_State *L, const uint8_t *bytes, size_t size, const char *what) {
  size_t before = heap.used;
  heap.peak = heap.used;
  lua_getglobal(L, "read");
  lua_pushlstring(L, (const char *)bytes, size);
  bool ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  if (!ok) check(false, what, lua_tostring(L, -1));
  lua_settop(L, 0);
  if (heap.peak - before > BYTES_FREE + BYTES_PER_BYTE * size) check(false, "memory", what);
}

static size_t load_message(lua_State *L, int number, uint8_t *copy, size_t room) {
  lua_getglobal(L, "corpus");
  lua_rawgeti(L, -1, number);
  size_t size;
  const char *bytes = lua_tolstring(L, -1, &size);
  if (size > room) size = room;
  memcpy(copy, bytes, size);
  lua_settop(L, 0);
  return size;
}

static int corpus_size(lua_State *L) {
  lua_getglobal(L, "corpus");
  int size = (int)lua_rawlen(L, -1);
  lua_settop(L, 0);
  return size;
}

static uint32_t next_random(void) {
  static uint64_t seed = 42;
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33);
}

static void test_truncations(lua_State *L) {
  static uint8_t bytes[1 << 16];
  int messages = corpus_size(L), whole = 0;
  for (int i = 1; i <= messages; i++) {
    size_t size = load_message(L, i, bytes, sizeof bytes);
    for (size_t cut = 0; cut < size; cut++) attack(L, bytes, cut, "a truncated message");
    run(L, "check('no part of a message is a message', not accepted) accepted = nil", NULL);
    attack(L, bytes, size, "a whole message");
    whole++;
    run(L, "check('a whole message is read', accepted) accepted = nil", NULL);
  }
  check(whole > 60, "there are messages", NULL);
}

static void test_mutations(lua_State *L) {
  static uint8_t bytes[1 << 16];
  int messages = corpus_size(L);
  for (int i = 0; i < MUTATIONS; i++) {
    size_t size = load_message(L, 1 + i % messages, bytes, sizeof bytes);
    for (uint32_t changes = 1 + next_random() % 4; changes > 0 && size > 0; changes--) {
      uint8_t *at = &bytes[next_random() % size];
      *at = (uint8_t)(next_random() % 2 ? next_random() : *at ^ 1u << next_random() % 8);
    }
    attack(L, bytes, size, "a changed message");
  }
  run(L, "check('some changed messages are read', accepted) accepted = nil", NULL);
}

static void test_random_bytes(lua_State *L) {
  uint8_t bytes[300];
  for (int i = 0; i < RANDOM_MESSAGES; i++) {
    size_t size = next_random() % sizeof bytes;
    for (size_t k = 0; k < size; k++) bytes[k] = (uint8_t)next_random();
    if (i % 2) memcpy(bytes, "\xa0\1", 2); /* past the header */
    attack(L, bytes, size, "random bytes");
  }
}

/* Lets every allocation of reading and of writing an error fail once. */
static void test_full_heap(lua_State *L) {
  static uint8_t bytes[1 << 16];
  for (int i = 1; i <= corpus_size(L); i += 7) {
    size_t size = load_message(L, i, bytes, sizeof bytes);
    bool done = false;
    for (long allowed = 0; !done; allowed++) {
      lua_gc(L, LUA_GCCOLLECT);
      lua_getglobal(L, "decode");
      lua_newtable(L);
      lua_pushlstring(L, (const char *)bytes, size);
      heap.fail_after = allowed;
      done = lua_pcall(L, 2, 0, 0) == LUA_OK;
      heap.fail_after = -1;
      if (!done && strcmp(lua_tostring(L, -1), "not enough memory") != 0)
        check(false, "a full heap", lua_tostring(L, -1));
      lua_settop(L, 0);
    }
    check(done, "with enough memory it is read", NULL);
  }
}

int main(void) {
  context = clone_context_new();
  lua_State *L = open_state();
  run(L, corpus, NULL);
  run(L,
      "function read(bytes)\n"
      "  local values = table.pack(decode({}, bytes))\n"
      "  if values[1] == 'malformed' then return end\n"
      "  accepted = true\n"
      "  assert(encode({}, table.unpack(values, 1, values.n)))\n"
      "end",
      NULL);
  run(L,
      "function varint(n)\n"
      "  local bytes = {}\n"
      "  while n < 0 or n > 127 do bytes[#bytes + 1], n = n & 127 | 128, n >> 7 end\n"
      "  bytes[#bytes + 1] = n\n"
      "  return string.char(table.unpack(bytes))\n"
      "end",
      NULL);
  test_malformed(L);
  test_shared(L);
  test_depth(L);
  test_many_values(L);
  test_weight(L);
  test_collisions(L);
  test_truncations(L);
  test_mutations(L);
  test_random_bytes(L);
  test_full_heap(L);
  check(lua_gettop(L) == 0, "the stack is empty in the end", NULL);
  lua_close(L);
  check(heap.used == 0, "all memory is freed", NULL);
  clone_context_free(context);
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
