/* SPDX-License-Identifier: MIT
 * The collector of a state with a memory limit: it is through with a cycle before the limit is
 * reached, never collects everything at once there, and leaves alone what only makes garbage. */
#include "vm/pacer.h"

#include "host.h"
#include "vm/entry.h"

#include <lauxlib.h>
#include <limits.h>

enum { LIMIT = 1 << 28, LARGE = LIMIT / 4, MOST = LIMIT - LIMIT / 8 };

static void on_exhausted(void *data, bool again) {
  int *ends = data;
  ends[again]++;
}

/* Strings that differ, most of them garbage or none; blocks as large as this under valgrind too,
 * where a million is many. */
static const char FUNCTIONS[] =
    "local count, pad = 0, ('x'):rep(2400)\n"
    "local function new() count = count + 1 return pad .. count end\n"
    "function used() return collectgarbage 'count' * 1024 end\n"
    "function fill(list, size)\n"
    "  while used() < size and not ended() do list[#list + 1] = new() end\n"
    "end\n"
    "function waste(size) for _ = 1, size // 2400 do new() end end\n"
    "kept = {}\n";

/* What the code came to. */
typedef struct Result {
  int ends[2];   /* how often the limit was hit: at a request; by a cycle, or for good */
  int status;    /* of Lua */
  size_t peak;   /* of the heap */
  bool refused;  /* the allocator has had Lua collect everything, at the limit */
  bool is_paced; /* at the end the collector worked in steps */
} Result;

static int run_in(State *state, const char *code) {
  int results;
  lua_State *thread = lua_newthread(state->L);
  if (luaL_loadstring(thread, code) != LUA_OK) return LUA_ERRSYNTAX;
  int status = entry_resume(state, thread, NULL, 0, &results);
  if (status != LUA_OK) {
    lua_xmove(thread, state->L, 1);
    lua_remove(state->L, -2);
  }
  return status;
}

/* ended(): whether a cycle was the end. */
static int l_ended(lua_State *L) {
  lua_pushboolean(L, state_from(L)->memory->is_exhausted);
  return 1;
}

/* mark(): bytes at which the next cycle begins. */
static int l_mark(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)state_from(L)->memory->cycle_mark);
  return 1;
}

static Result run(const char *code) {
  Result result = {.status = LUA_ERRRUN};
  Loop *loop = loop_new();
  State *state = state_new(loop);
  Memory *memory = state->memory;
#ifdef LUNETTE_STRESS
  memory->objects_left = INT_MAX; /* collections that are asked for call no finalisers */
#endif
  memory_limit(memory, LIMIT, on_exhausted, result.ends);
  pacer_start(state);
  lua_register(state->L, "ended", l_ended);
  lua_register(state->L, "mark", l_mark);
  CHECK(run_in(state, FUNCTIONS) == LUA_OK);
  result.status = run_in(state, code);
  if (result.status != LUA_OK) printf("%s\n", lua_tostring(state->L, -1));
  result.peak = memory->peak;
  result.refused = memory->more != 0;
  result.is_paced = state->steps;
  memory_limit(memory, SIZE_MAX, NULL, NULL);
  state_free(state);
  loop_free(loop);
  return result;
}

/* It is told by a cycle that has left too much, before the limit is reached. */
static void check_oom(const char *code) {
  Result result = run(code);
  CHECK(result.status == LUA_OK && result.is_paced);
  CHECK(result.ends[0] == 0 && result.ends[1] == 1);
  CHECK(result.peak > MOST && result.peak < LIMIT);
  CHECK(!result.refused);
}

static void test_hogs(void) {
  check_oom("fill(kept, 1 << 40)");
  check_oom("while not ended() do fill(kept, used() + (1 << 20)) waste(1 << 21) end");
  check_oom("assert(coroutine.resume(coroutine.create(fill), kept, 1 << 40))");
}

/* A list that doubles has the heap pass the place where a cycle begins by 8 MiB. Lua would take all
 * of the cycle at once. */
static void test_jump(void) {
  Result result = run("local list = {}\n"
                      "for i = 1, 1 << 19 do list[i] = i end\n"
                      "fill(kept, 80 << 20)\n"
                      "fill(kept, mark() - (4 << 20))\n"
                      "assert(mark() - used() > 0)\n"
                      "local weak = setmetatable({ {} }, { __mode = 'v' })\n"
                      "list[#list + 1] = 0\n"
                      "waste(6000)\n"
                      "assert(used() > 1 << 27 and mark() < 0 and weak[1])\n"
                      "waste(1 << 26)\n"
                      "assert(not weak[1])");
  CHECK(result.status == LUA_OK);
}

static void check_alive(const char *code, bool is_paced) {
  Result result = run(code);
  CHECK(result.status == LUA_OK && result.ends[0] + result.ends[1] == 0);
  CHECK(result.peak < LIMIT && !result.refused);
  if (!CHECK(result.is_paced == is_paced)) printf("%s\n", code);
}

static void test_garbage(void) {
  check_alive("waste(1 << 28)", false);
  check_alive("fill(kept, 80 << 20) waste(1 << 29)", true);
  check_alive("fill(kept, 180 << 20) waste(1 << 28)", true);
}

/* What was kept once may go, again and again. */
static void test_phases(void) {
  check_alive("for i = 1, 4 do fill(kept, 160 << 20) kept = {} waste(1 << 26) end\n"
              "waste(1 << 28)",
              true);
}

/* Much of the time between two cycles may go by within one, in which the program computes. Not that
 * is what makes a page with little room slow. */
static void test_computing(void) {
  check_alive("fill(kept, 205 << 20)\n"
              "for i = 1, 6 do\n"
              "  local start = os.clock()\n"
              "  while mark() > 0 do waste(2400) end\n"
              "  local now = os.clock()\n"
              "  while os.clock() - now < 8 * (now - start) do end\n"
              "  while mark() < 0 do waste(2400) end\n"
              "end",
              true);
}

/* What finalisers make beside it is garbage in the next cycle only. */
static void test_finalisers(void) {
  check_alive("fill(kept, 80 << 20)\n"
              "local mt = { __gc = function() waste(2400) end }\n"
              "for i = 1, 64000 do setmetatable({}, mt) end\n"
              "waste(1 << 28)",
              true);
}

/* Where the program has stopped the collector, it may pass the place where a cycle would begin. */
static void test_stopped(void) {
  check_alive("fill(kept, 100 << 20)\n"
              "collectgarbage 'stop'\n"
              "local before = used()\n"
              "waste(1 << 27)\n"
              "assert(used() - before >= 1 << 27)\n"
              "kept = {}\n"
              "collectgarbage 'restart'\n"
              "waste(1 << 28)",
              true);
}

/* A hook of the program's own, or of a brake, stays. */
static void test_hook(void) {
  check_alive("local count = 0\n"
              "local function add() count = count + 1 end\n"
              "debug.sethook(add, '', 1000000)\n"
              "fill(kept, 180 << 20)\n"
              "waste(1 << 28)\n"
              "assert(debug.gethook() == add and count > 0)\n"
              "local function inherited() return debug.gethook() end\n"
              "assert(coroutine.wrap(inherited)() == nil)",
              true);
}

/* As the bridge between two worlds does, whose finaliser runs behind those of the page's own. */
static int l_end_world(lua_State *L) {
  State **world = lua_touserdata(L, 1);
  state_free(*world);
  return 0;
}

static void own_world(State *state, State *world) {
  lua_State *L = state->L;
  State **owned = lua_newuserdatauv(L, sizeof(State *), 0);
  *owned = world;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_end_world);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_setglobal(L, "world");
}

/* At the end finalisers may allocate as much as they like, while there are still two worlds. */
static void test_end(void) {
  int ends[2] = {0, 0};
  Loop *loop = loop_new();
  State *state = state_new(loop), *world = state_new(loop);
  state_join(world, state);
  own_world(state, world);
  memory_limit(state->memory, LIMIT, on_exhausted, ends);
  pacer_start(state);
  pacer_start(world);
  lua_register(state->L, "ended", l_ended);
  lua_register(state->L, "mark", l_mark);
  CHECK(run_in(state, FUNCTIONS) == LUA_OK);
  CHECK(run_in(state,
               "fill(kept, 80 << 20) waste(1 << 28)\n"
               "at_end = setmetatable({}, { __gc = function() waste(1 << 28) end })") == LUA_OK);
  CHECK(state->steps);
  memory_limit(state->memory, SIZE_MAX, NULL, NULL);
  state_free(state);
  CHECK(ends[0] + ends[1] == 0);
  loop_free(loop);
}

static void test_all(void) {
  test_hogs();
  test_jump();
  test_garbage();
  test_phases();
  test_computing();
  test_finalisers();
  test_stopped();
  test_hook();
  test_end();
}

int main(void) { return run_test(test_all); }
