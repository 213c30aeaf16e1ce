/* SPDX-License-Identifier: MIT
 * A Lua state of Lunette with all that belongs to it. */
#include "vm/state.h"

#include "base/log.h"
#include "vm/brake.h"
#include "vm/entry.h"
#include "vm/loader.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>

/* By how many percent the heap grows before a collection of the young objects, and of all of them.
 * Lua's own, 20 and 100, have heaps of a few megabytes collected for each large string: see
 * docs/architecture.md. */
enum { GC_MINOR = 100, GC_MAJOR = 300 };

/* Bytes of what stays of a page's state: Lua's library and the runtime's modules. */
enum { REGION = 3 << 16 };

/* An error outside every protected call, of luv's for want of memory: Lua ends the process. */
static int on_panic(lua_State *L) {
  const State *state = state_from(L);
  const Memory *memory = state->memory;
  Brake *brake = state->loop->brake;
  if (brake) brake->panic(brake);
  if (memory->is_exhausted) memory->exhausted(memory->data, true);
  bool is_text = lua_type(L, -1) == LUA_TSTRING;
  log_warn_to(state_from(L)->log, "cannot go on: %s",
              is_text ? lua_tostring(L, -1) : "(not a string)");
  return 0;
}

/* The last finaliser of a state: those of luv's handles have closed them, and what libuv tells of
 * that needs the state. */
static int finish_closing(lua_State *L) {
  loop_finish_closing(state_from(L)->loop);
  return 0;
}

void state_push_finaliser(lua_State *L, lua_CFunction function) {
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

static int open_all(lua_State *L) {
  State *state = lua_touserdata(L, 1);
  lua_pushlightuserdata(L, state);
  lua_rawseti(L, LUA_REGISTRYINDEX, KEY_STATE);
  state_push_finaliser(L, finish_closing); /* finalisers run in the reverse order of their making */
  lua_rawsetp(L, LUA_REGISTRYINDEX, (const void *)&finish_closing);
  luaL_openlibs(L);
  entry_init(state);
  loader_init(L);
  return 0;
}

static void release(State *state) {
  if (state->L) lua_close(state->L);
  memory_end(&state->own);
  clone_context_free(state->clone);
  numbers_clear(&state->anchor_places);
  free(state->microtasks.waits);
  free(state);
}

/* A page's own on a thread: other ones there are joined to it, and so is what they allocated. */
static bool is_first_on_thread(const Loop *loop) { return loop->brake && !loop->brake->running; }

State *state_new(Loop *loop) { return state_new_with(loop, NULL, NULL); }

State *state_new_with(Loop *loop, MemoryHook hook, void *data) {
  State *state = calloc(1, sizeof *state);
  if (!state) return NULL;
  state->loop = loop;
  state->worlds = state;
  list_init(&state->routed);
  for (int i = 0; i < HOOK_COUNT; i++) state->hooks[i] = LUA_NOREF;
  state->microtasks.table = LUA_NOREF;
  state->clone = clone_context_new();
  memory_init(&state->own);
  state->own.hook = hook;
  state->own.hook_data = data;
  if (is_first_on_thread(loop)) memory_open_region(&state->own, REGION);
  state->memory = &state->own;
  lua_Alloc allocate = hook ? memory_allocate_hooked : memory_allocate;
  state->L = state->clone ? lua_newstate(allocate, state->memory) : NULL;
  if (!state->L) goto fail;
  lua_atpanic(state->L, on_panic);
  lua_pushcfunction(state->L, open_all);
  lua_pushlightuserdata(state->L, state);
  if (lua_pcall(state->L, 1, 0, 0) != LUA_OK) goto fail;
  lua_gc(state->L, LUA_GCGEN, GC_MINOR, GC_MAJOR);
  if (loop->brake) brake_fit(loop->brake, state);
  return state;
fail:
  release(state);
  return NULL;
}

void state_join(State *state, State *other) {
  state->worlds = other->worlds;
  other->worlds = state;
  memory_join(other->memory, &state->own);
  state->memory = other->memory;
  lua_setallocf(state->L, memory_allocate, state->memory);
}

static void leave_worlds(State *state) {
  State *before = state;
  while (before->worlds != state) before = before->worlds;
  before->worlds = state->worlds;
  state->worlds = state;
}

void state_free(State *state) {
  if (!state) return;
  leave_worlds(state);
  if (loop_settle(state->loop)) {
    release(state);
  } else {
    log_warn_to(state->log, "a request to the system hangs: its memory is not freed");
  }
}

State *state_from(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, KEY_STATE);
  State *state = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return state;
}
