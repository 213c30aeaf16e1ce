/* SPDX-License-Identifier: MIT
 * When the collector of a pumped main state works: in what a frame has left.
 *
 * Lua's own pace is by allocation, so that the frame in which most happens is also the one that
 * collects most; and a generational collector looks, now and then, at everything at once: 50 ms
 * with 50 MB. Here the collector is stopped and led by hand, in small steps, once the heap has
 * grown by half since the last cycle: in spare time, a millisecond at most. When there is none to
 * spare, the heap may grow to twice that; then each frame gives some all the same. Should it grow
 * far beyond, as in one long call, the allocator has Lua collect all of it at once. */
#include "embed/host.h"

#include "vm/entry.h"

enum {
  STEP_SIZE = 8,        /* 2^8 bytes' worth of work: some 0.05 ms */
  SPEED = 100,          /* of the collector, in percent: Lua's default */
  LEAST_HEAP = 1 << 20, /* bytes under which nothing is collected */
  SPARE_MOST =
      500 * 1000,       /* 0.5 ms of a frame that has it to spare: the last step may take as long */
  UNASKED = 300 * 1000, /* 0.3 ms of one that has not, while the heap has doubled */
  RUNAWAY = 4,          /* times that mark, and so many bytes, is too far */
  RUNAWAY_LEAST = 1 << 25,
  SAFETY = 100 * 1000, /* what a step may take longer than it should */
};

static void set_mark(LunetteHost *host) {
  size_t used = host->state->memory->used;
  host->heap_mark = used + (used > LEAST_HEAP ? used : LEAST_HEAP) / 2;
  host->state->memory->mark = RUNAWAY * host->heap_mark + RUNAWAY_LEAST;
}

void host_start_collector(LunetteHost *host) {
  lua_State *L = host->state->L;
  lua_gc(L, LUA_GCINC, 0, SPEED, STEP_SIZE);
  lua_gc(L, LUA_GCSTOP);
  set_mark(host);
}

void host_stop_collector(LunetteHost *host) {
  if (host->flags & LUNETTE_STANDALONE) return;
  lua_gc(host->state->L, LUA_GCRESTART);
  host->state->memory->mark = 0;
}

/* When the collector must have stopped; 0 when it is not to begin. */
static uint64_t collector_end(const LunetteHost *host, uint64_t now, uint64_t deadline) {
  size_t used = host->state->memory->used, mark = host->heap_mark;
  uint64_t spare = deadline > now + SAFETY ? deadline - now - SAFETY : 0;
  if (spare > SPARE_MOST) spare = SPARE_MOST;
  if (spare < UNASKED && used / 2 >= mark) spare = UNASKED;
  return spare > 0 ? now + spare : 0;
}

bool host_has_garbage(const LunetteHost *host) {
  return host->collecting || host->state->memory->used >= host->heap_mark;
}

/* Where the registry has the object of `renew_head`. */
static const char HEAD = 0;

/* Makes an object that lives. Lua keeps all objects in a list, the newest first, and when it begins
 * to sweep, it frees what is dead up to the first one that lives, at once: without this, all the
 * garbage since the last cycle. Protected, as it allocates. */
static int renew_head(lua_State *L) {
  lua_createtable(L, 0, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &HEAD);
  return 0;
}

void host_collect(LunetteHost *host, uint64_t deadline) {
  if (!host_has_garbage(host)) return;
  lua_State *L = host->state->L;
  uint64_t end = collector_end(host, uv_hrtime(), deadline);
  if (end == 0) return;
  entry_enter(host->state); /* finalisers may queue microtasks */
  lua_pushcfunction(L, renew_head);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1); /* then it takes longer */
  do {
    host->collecting = lua_gc(L, LUA_GCSTEP, 0) == 0;
  } while (host->collecting && uv_hrtime() < end);
  if (!host->collecting) set_mark(host);
  entry_leave(host->state);
}
