/* SPDX-License-Identifier: MIT
 * The structured clone codec: what comes back is what was sent, and what cannot be sent is named.
 */
#include "clone_fixture.h"

/* ---- round trips ---- */

/* same: equal in all but metatables, with tables mapped one to one. Table keys are found by trying.
 */
static const char compare[] =
    "local function same_number(a, b)\n"
    "  return math.type(a) == math.type(b) and ('<n'):pack(a) == ('<n'):pack(b)\n"
    "    and (a == b or a ~= a)\n"
    "end\n"
    "local find\n"
    "function same(a, b, map, back)\n"
    "  if type(a) ~= type(b) then return false end\n"
    "  if type(a) == 'number' then return same_number(a, b) end\n"
    "  if type(a) ~= 'table' then return a == b end\n"
    "  if map[a] or back[b] then return map[a] == b and back[b] == a end\n"
    "  map[a], back[b] = b, a\n"
    "  local left, keys = 0, {}\n"
    "  for k in next, b do left = left + 1; if type(k) == 'table' then keys[k] = true end end\n"
    "  for k, v in next, a do\n"
    "    if type(k) == 'table' then\n"
    "      local twin = find(k, v, b, keys, map)\n"
    "      if not twin or not same(k, twin, map, back) then return false end\n"
    "      keys[twin], k = nil, twin\n"
    "    end\n"
    "    if not same(v, rawget(b, k), map, back) then return false end\n"
    "    left = left - 1\n"
    "  end\n"
    "  return left == 0 and getmetatable(b) == nil\n"
    "end\n"
    "function find(k, v, b, keys, map)\n"
    "  for key in next, map[k] and {[map[k]] = true} or keys do\n"
    "    local m, n = {}, {}\n" /* a wrong guess must not spoil the maps */
    "    for x, y in next, map do m[x], n[y] = y, x end\n"
    "    if same(k, key, m, n) and same(v, b[key], m, n) then return key end\n"
    "  end\n"
    "end\n"
    "function round_trip(name, ...)\n"
    "  local bytes, problem = encode({}, ...)\n"
    "  if not bytes then return check(name, false, problem) end\n"
    "  local copies = table.pack(decode({}, bytes))\n"
    "  check(name, same(table.pack(...), copies, {}, {}), copies[2])\n"
    "end\n";

static const char makers[] =
    "function keyed(n, key) local t = {} for i = 1, n do t[key(i)] = i end return t end\n"
    "function named(n) return keyed(n, function(i) return 'key' .. i end) end\n"
    "function nested(n) local t = {} for _ = 2, n do t = {t} end return t end\n"
    "function fields(n) local t = {} for _ = 2, n do t = {k = t} end return t end\n"
    "function strings() local t = {} for i = 0, 300 do t[i + 1] = ('x'):rep(i) end return t end\n"
    "function bytes() local t = {} for i = 0, 255 do t[i] = string.char(i):rep(i) end return t "
    "end\n"
    "function backwards(n) local t = {} for i = n, 1, -1 do t[i] = i end return t end\n"
    "function thin() local t = {[3] = 3} for i = 0, 62 do t[1 << i] = i end return t end\n"
    "function powers() local t = {} for i = 0, 63 do for d = -1, 1 do\n"
    "  t[#t + 1] = (1 << i) + d; t[#t + 1] = -(1 << i) + d end end return t end\n"
    "function cycle() local t = {} t[1], t.t, t[t] = t, t, t return t, t, {t} end\n"
    "function diamond() local a, b = {}, {} a.b, b.a = b, a return {b, a, a, b}, a end\n"
    "function table_keys() local k = {1} return {[k] = k, [{[k] = {}}] = {k}}, k end\n"
    "function mixed() local a, t = {1}, named(40) return {t, a, t, a, x = t, y = a}, named(40) "
    "end\n"
    "function lengths() local t = strings() return t, {t}, keyed(300, function(i) return t[i] "
    "end),\n"
    "  keyed(300, function(i) return t[i] end) end\n";

static const char *const values[] = {
    "",
    "nil",
    "nil, 1, nil, nil",
    "true, false, null",
    "-9, -8, -1, 0, 55, 56, math.maxinteger, math.mininteger, powers()",
    "table.unpack(powers())",
    "0.0, -0.0, 1.0, 1/3, 1/0, -1/0, 0/0, -(0/0), 5e-324, 2.0^53, -2.0^63, 1e308",
    "bytes()",
    "('\\0\\255'):rep(40000)",
    "lengths()",
    "{}, {{}, {{}}}",
    "{1, 2, 3}, {1, nil, 3}, {nil, nil, 3}, {1, nil, 3, nil, n = 4}, table.pack(nil, nil)",
    "{n = 0, 'a', 'b'}, {[1] = 1, x = 1, [2] = 2, y = 2, [3] = 3}, {[2] = 2, [3] = 3, [1] = 1}",
    "{[1.5] = 1, [true] = 2, [false] = 3, [null] = 4, [-1] = 5, [0] = 6, [2^63] = 7, [1/0] = 8,"
    " [math.mininteger] = 9, [math.maxinteger] = 10, ['1'] = 11, [''] = 12}",
    "thin(), {[1 << 40] = 1}",
    "backwards(1000), backwards(100000)",
    "named(1), named(2), named(3), named(4), named(5), named(8), named(9)",
    "named(255), named(256), named(257)",
    "named(70001)",
    "keyed(5000, function(i) return i * 1000 end), keyed(5000, function(i) return i / 7 end)",
    "keyed(20000, function(i) return i * 257 end), keyed(20000, function(i) return i << 32 end)",
    "{named(31), named(31)}, named(32), {named(33), named(60)}, named(60)",
    "cycle()",
    "diamond()",
    "table_keys()",
    "mixed()",
    "nested(1000), fields(1000), {[nested(999)] = 1}, {{[fields(998)] = 1}}",
    "setmetatable({1, x = 2}, {__index = error, __len = error, __pairs = error, __gc = error})",
};

static void test_round_trips(lua_State *L) {
  run(L, compare, NULL);
  run(L, makers, NULL);
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    run(L, "local expression = ... round_trip(expression, load('return ' .. expression)())",
        values[i]);
}

static void test_random_values(lua_State *L) {
  run(L,
      "math.randomseed(11)\n"
      "for i = 1, 5000 do\n"
      "  local pool = {}\n"
      "  local a, b, c = random_value(4, pool), random_value(3, pool), random_value(2, pool)\n"
      "  round_trip('random values ' .. i, a, b, c)\n"
      "end",
      NULL);
}

static void test_array_length(lua_State *L) {
  run(L,
      "for _, t in ipairs {{}, {1}, {1, nil, 3}, {nil, nil, 3}, {nil, 2, nil, 4}, backwards(100)} "
      "do\n"
      "  check('the length of a table stays', #decode({}, encode({}, t)) == #t)\n"
      "end",
      NULL);
}

/* The form that peers of other versions rely on. */
static void test_bytes(lua_State *L) {
  run(L,
      "local function bytes(hex, ...)\n"
      "  check(hex, (encode({}, ...):gsub('.', function(c) return ('%02x'):format(c:byte()) end))\n"
      "    == hex)\n"
      "end\n"
      "local t = {}\n"
      "bytes('0000') bytes('0003a0a2a3', nil, true, null) bytes('000132', 42)\n"
      "bytes('0002b0c8b1c800', -56, 200) bytes('0001a4000000000000f03f', 1.0)\n"
      "bytes('0001c00209426162', {1, 'ab'}) bytes('0001c100416109a8', {a = 1})\n"
      "bytes('8002e000a602', t, t) bytes('0102c1000161a2a8c10080a1a8', {a = true}, {a = false})",
      NULL);
}

/* A message of many tables leaves a context that small messages can use. */
static void test_large_then_small(lua_State *L) {
  run(L,
      "local t = {} for i = 1, 50000 do t[i] = {} end\n"
      "round_trip('50000 tables', t, t) round_trip('then a few', {{}, {}}, t[1])",
      NULL);
}

/* ---- what cannot be sent ---- */

typedef struct Refusal {
  const char *expression; /* options and values */
  const char *message;    /* behind "could not clone argument " */
} Refusal;

static const Refusal refusals[] = {
    {"{}, print", "1: a function cannot be sent"},
    {"{}, 1, coroutine.create(print)", "2: a thread cannot be sent"},
    {"{}, {io.stdout}", "1[1]: a userdata cannot be sent"},
    {"{}, pointer", "1: a userdata cannot be sent"},
    {"{}, {user = {onSave = print}}", "1.user.onSave: a function cannot be sent"},
    {"{}, {list = {1, 2, print}}", "1.list[3]: a function cannot be sent"},
    {"{}, {['odd key'] = print}", "1[\"odd key\"]: a function cannot be sent"},
    {"{}, {['\"\\n\\\\'] = print}", "1[\"\\\"\\010\\\\\"]: a function cannot be sent"},
    {"{}, {[''] = print}", "1[\"\"]: a function cannot be sent"},
    {"{}, {[1.5] = print}", "1[1.5]: a function cannot be sent"},
    {"{}, {[true] = {[null] = print}}", "1[true][null]: a function cannot be sent"},
    {"{}, {[{}] = {x = print}}", "1[a table key].x: a function cannot be sent"},
    {"{}, {[{1, {print}}] = {x = 1}}", "1[a table key]: a function cannot be sent"},
    {"{}, {a = {[print] = 1}}", "1.a[a table key]: a function cannot be sent"},
    {"{}, {[('x'):rep(70)] = print}",
     "1[\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"]: "
     "a function cannot be sent"},
    {"{}, nested(1001)", "1: nested deeper than 1000 tables (limit depth)"},
    {"{}, 1, {[fields(1000)] = 1}", "2: nested deeper than 1000 tables (limit depth)"},
    {"{depth = 1}, {}, {{}}", "2: nested deeper than 1 tables (limit depth)"},
    {"{size = 100}, 1, ('x'):rep(100)", "2: larger than 100 bytes (limit messageSize)"},
    {"{size = 100}, backwards(100)", "1: larger than 100 bytes (limit messageSize)"},
    {"{size = 1 << 20}, {('x'):rep(1 << 20)}", "1: larger than 1048576 bytes (limit messageSize)"},
    {"{hooks = true}, {x = coroutine.create(print)}", "1.x: a thread cannot be sent"},
};

static void test_refusals(lua_State *L) {
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    lua_pushfstring(L, "could not clone argument %s", refusals[i].message);
    lua_setglobal(L, "message");
    run(L,
        "local expression = ...\n"
        "local bytes, problem = encode(load('return ' .. expression)())\n"
        "check(expression, not bytes and problem == message, problem)",
        refusals[i].expression);
  }
}

static void test_long_path(lua_State *L) {
  run(L,
      "local t = {print} for i = 1, 900 do t = {some_name = t} end\n"
      "local _, problem = encode({}, t)\n"
      "check('a long path is cut', #problem < 700 and problem:find('%.%.%.: a function'))",
      NULL);
}

static void test_size_limit(lua_State *L) {
  run(L,
      "for _, t in ipairs {'', 'abc', {1, 2, 3}, {a = {b = 1.5}}, ('x'):rep(1000), named(50)} do\n"
      "  local size = #encode({}, t)\n"
      "  check('a message of just the limit', encode({size = size}, t) == encode({}, t))\n"
      "  check('one byte more', not encode({size = size - 1}, t))\n"
      "  check('a reader with this limit', #encode({}, decode({size = size}, encode({}, t))) == "
      "size)\n"
      "  check('one byte less', decode({size = size - 1}, encode({}, t)) == 'malformed')\n"
      "end",
      NULL);
}

/* A stack that is nearly full is a failure like any other. */
static void test_full_stack(lua_State *L) {
  CloneLimits limits = {CLONE_SIZE, CLONE_DEPTH, NULL};
  Buf out = {0};
  int count = LUAI_MAXSTACK - 50;
  bool ok = lua_checkstack(L, count) != 0;
  check(ok, "a large stack", NULL);
  if (!ok) return;
  lua_newtable(L);
  lua_settop(L, count);
  ok = clone_write(context, L, 1, 1, &limits, NULL, "argument", &out);
  check(!ok && strcmp(lua_tostring(L, -1), "not enough memory") == 0, "not enough stack", NULL);
  check(buf_size(&out) == 0 && lua_gettop(L) == count + 1, "nothing is left of it", NULL);
  buf_clear(&out);
  lua_settop(L, 0);
}

/* ---- functions and promises between two states of one process ---- */

static void test_hooks(lua_State *L) {
  run(L,
      "local hooks = {hooks = true}\n"
      "local promise = setmetatable({promise = 1 << 40}, {})\n"
      "local t = {print, {promise}, f = print, [print] = 1, plain = setmetatable({7}, {})}\n"
      "local bytes = encode(hooks, t, promise, print)\n"
      "local a, b, c = decode(hooks, bytes)\n"
      "check('functions', a[1] == 'function 300' and a.f == a[1] and a[a.f] == 1 and c == a.f)\n"
      "check('promises', a[2][1] == 'promise 1099511627776' and b == a[2][1])\n"
      "check('other tables with a metatable', a.plain[1] == 7)\n"
      "check('nobody to import', decode({}, bytes) == 'malformed')\n"
      "check('an unknown kind', decode(hooks, '\\0\\1\\xa7\\9\\1') == 'malformed')\n"
      "check('a promise without hooks is a table', decode({}, encode({}, promise)).promise)",
      NULL);
}

/* ---- large strings in shared memory ---- */

static void test_shared(lua_State *L) {
  shared_used = 0;
  run(L,
      "local options = {share = true}\n"
      "local small, large = ('s'):rep(99), ('l'):rep(100)\n"
      "local t = {small, large, [large] = {large .. 'x'}}\n"
      "local bytes = encode(options, t, large)\n"
      "check('small strings are in the body', bytes:find(small, 1, true))\n"
      "check('large ones are not', not bytes:find('ll', 1, true))\n"
      "local a, b = decode(options, bytes)\n"
      "check('they arrive', a[1] == small and a[2] == large and b == large)\n"
      "check('in any place', a[large][1] == large .. 'x')\n"
      "check('they are unknown elsewhere', decode({}, bytes) == 'malformed')\n"
      "local huge = ('h'):rep(1000)\n"
      "bytes = encode(options, huge)\n"
      "check('without room they are in the body', bytes:find(huge, 1, true))\n"
      "check('and arrive', decode(options, bytes) == huge)",
      NULL);
}

/* What is shared counts as if it stood in the body. */
static void test_shared_limit(lua_State *L) {
  shared_used = 0;
  run(L,
      "local options, a = {share = true, size = 470}, ('a'):rep(150)\n"
      "local bytes = encode(options, a, a, a)\n"
      "check('what fits is sent', bytes and #bytes < 20)\n"
      "check('and read', decode(options, bytes) == a)\n"
      "local none, why = encode(options, a, a, a .. ('a'):rep(11))\n"
      "check('more is refused', not none and why:find('470 bytes', 1, true), why)\n"
      "check('in the body too', not encode(options, a, a, a, ('s'):rep(20)))\n"
      "check('what comes is counted', decode({share = true, size = 450 + #bytes - 1}, bytes) == "
      "'malformed')",
      NULL);
}

int main(void) {
  context = clone_context_new();
  lua_State *L = open_state();
  test_round_trips(L);
  test_random_values(L);
  test_array_length(L);
  test_bytes(L);
  test_large_then_small(L);
  test_refusals(L);
  test_long_path(L);
  test_size_limit(L);
  test_full_stack(L);
  test_hooks(L);
  test_shared(L);
  test_shared_limit(L);
  check(lua_gettop(L) == 0, "the stack is empty in the end", NULL);
  lua_close(L);
  check(heap.used == 0, "all memory is freed", NULL);
  clone_context_free(context);
  clone_context_free(NULL);
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
