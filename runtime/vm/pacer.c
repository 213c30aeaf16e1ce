/* SPDX-License-Identifier: MIT
 * The collector of a state with a memory limit, once its heap is large.
 *
 * A collection of everything at once takes 0.1 to 0.3 s for each million objects. Lua begins one in
 * a new object's place when the allocator refuses it at the limit, and a generational collector
 * does each time that the heap has doubled: with a gigabyte of small tables it would be seconds
 * until a page that has too much is told. So there the collector works in steps, and each of its
 * cycles begins early enough to end before the limit is reached. What it leaves then tells whether
 * the page may go on.
 *
 * Lua begins a cycle by itself when the heap has grown by so many percent; here that is never, and
 * the allocator, which sees all growth, has it begin by LUA_GCRESTART: that sets two numbers, and
 * may be called while allocating. When a cycle has ended an object that is garbage in each of them
 * tells by its finaliser. */
#include "vm/pacer.h"

#include <lauxlib.h>

enum {
  LIMIT_LEAST = 1 << 27, /* a heap that fits into less is collected in 0.4 s, all at once */
  LARGE_SHARE = 4,       /* it is large from this part of the limit on */
  OWN_MINOR = 20,        /* percent that Lua itself lets a heap grow between collections: little */
  OWN_MAJOR = 100,       /* room is a reason to collect sooner than state.c does */
  NEVER = 1000,          /* percent; the most that Lua knows */
  SPEED = 40,            /* so a cycle is through when the heap has grown by a twentieth */
};

/* In all worlds whose collectors do; not where the program has stopped it. */
static bool begin_cycles(void *first) {
  State *state = first;
  bool begins = false;
  do {
    bool runs = state->steps && lua_gc(state->L, LUA_GCISRUNNING) == 1;
    if (runs) lua_gc(state->L, LUA_GCRESTART);
    begins = begins || runs;
    state = state->worlds;
  } while (state != first);
  return begins;
}

/* The one whose memory it is, which ends last. */
static State *first_world(State *state) {
  while (state->memory != &state->own) state = state->worlds;
  return state;
}

/* Not in a coroutine that a finaliser runs; and not where the limit is lifted, as at the end. */
static void begin_steps(State *state) {
  if (state->memory->limit == SIZE_MAX) return;
  if (lua_gc(state->L, LUA_GCINC, NEVER, SPEED, 0) < 0) return;
  state->steps = true;
  memory_pace(state->memory, begin_cycles, first_world(state));
}

static void on_instruction(lua_State *L, lua_Debug *unused);

/* Gives back the hook that was there, the program's or a brake's. */
static void restore_hook(lua_State *L, const State *state) {
  if (lua_gethook(L) != on_instruction) return;
  lua_sethook(L, state->hook_before.function, state->hook_before.mask, state->hook_before.count);
}

/* The hook that has the collector work in steps from the next instruction on. Coroutines inherit
 * it, from the main thread all that are new. */
static void on_instruction(lua_State *L, lua_Debug *unused) {
  (void)unused;
  State *state = state_from(L);
  restore_hook(L, state);
  restore_hook(state->L, state);
  if (!state->steps) begin_steps(state);
}

static void set_hook(lua_State *L, State *state) {
  if (lua_gethook(L) == on_instruction) return;
  state->hook_before = (HookBefore){lua_gethook(L), lua_gethookmask(L), lua_gethookcount(L)};
  lua_sethook(L, on_instruction, LUA_MASKCOUNT, 1);
}

/* The sentinel's finaliser, which gets it; it is garbage again at once. A finaliser must not change
 * the collector's mode, but a hook may. A generational collector soon takes the sentinel for old,
 * and looks at it only where it looks at everything: small heaps have no cost of it. */
static int on_cycle_end(lua_State *L) {
  State *state = state_from(L);
  const Memory *memory = state->memory;
  if (lua_getmetatable(L, 1)) lua_setmetatable(L, 1);
  if (state->steps) memory_end_cycle(state->memory);
  else if (memory->used > memory->limit / LARGE_SHARE) set_hook(L, state);
  return 0;
}

void pacer_start(State *state) {
  size_t limit = state->memory->limit;
  if (limit == SIZE_MAX) return;
  lua_gc(state->L, LUA_GCGEN, OWN_MINOR, OWN_MAJOR);
  if (limit < LIMIT_LEAST) return;
  state_push_finaliser(state->L, on_cycle_end); /* of the sentinel, which nobody holds */
  lua_pop(state->L, 1);
}
