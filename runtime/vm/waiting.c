/* SPDX-License-Identifier: MIT
 * How many tasks that the messages of one link have started wait for something.
 *
 * A weak table has the count of each such task. What ends is taken off at once; what nobody can
 * wake any more is collected without a word, and found when the limit seems to be reached. */
#include "vm/waiting.h"

#include "vm/entry.h"

#include <lauxlib.h>

/* So large a part of the limit must be new for a collection to be worth it: else there would be one
 * for each message. */
enum { COLLECTED_PART = 8 };

/* The key in the registry of the table of counts by task. */
static const char TASKS = 0;

void waiting_init(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &TASKS);
}

Waiting *waiting_new(lua_State *L, uint32_t max) {
  Waiting *waiting = lua_newuserdatauv(L, sizeof *waiting, 0);
  *waiting = (Waiting){.max = max, .self = LUA_NOREF};
  waiting->self = luaL_ref(L, LUA_REGISTRYINDEX);
  return waiting;
}

void waiting_end(lua_State *L, Waiting *waiting) {
  if (!waiting) return;
  int self = waiting->self;
  waiting->self = LUA_NOREF;
  luaL_unref(L, LUA_REGISTRYINDEX, self);
}

/* Whether a task that was counted still waits: the program may have closed it. */
static bool still_waits(lua_State *task) {
  return lua_status(task) == LUA_YIELD && thread_mark(task)->counted;
}

/* Counts anew, in the table on top of the stack. */
static void recount(lua_State *L, Waiting *waiting) {
  int tasks = lua_gettop(L);
  waiting->count = 0;
  for (lua_pushnil(L); lua_next(L, tasks); lua_pop(L, 1)) {
    if (lua_touserdata(L, -1) != waiting) continue;
    if (still_waits(lua_tothread(L, -2))) {
      waiting->count++;
    } else {
      lua_pushvalue(L, -2);
      lua_pushnil(L);
      lua_rawset(L, tasks);
    }
  }
}

/* (waiting, task). Protected, as it allocates. */
static int add(lua_State *L) {
  Waiting *waiting = lua_touserdata(L, 1);
  lua_State *task = lua_touserdata(L, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &TASKS);
  lua_pushthread(task);
  lua_xmove(task, L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, waiting->self);
  lua_rawset(L, -3);
  thread_mark(task)->counted = 1;
  if (++waiting->count > waiting->max) recount(L, waiting);
  waiting->fresh++;
  if (waiting->count > waiting->max && waiting->fresh >= waiting->max / COLLECTED_PART) {
    waiting->fresh = 0;
    lua_gc(L, LUA_GCCOLLECT);
    recount(L, waiting);
  }
  waiting->exceeded = waiting->count > waiting->max;
  return 0;
}

void waiting_add(State *state, Waiting *waiting, lua_State *task) {
  lua_State *L = state->L;
  if (waiting->self == LUA_NOREF) return;
  lua_pushcfunction(L, add);
  lua_pushlightuserdata(L, waiting);
  lua_pushlightuserdata(L, task);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1); /* no memory: one that is not counted */
}

void waiting_done(State *state, lua_State *task) {
  lua_State *L = state->L;
  thread_mark(task)->counted = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &TASKS);
  lua_pushthread(task);
  lua_xmove(task, L, 1);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  Waiting *waiting = lua_touserdata(L, -1);
  if (waiting && waiting->count > 0) waiting->count--;
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}
