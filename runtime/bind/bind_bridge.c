/* SPDX-License-Identifier: MIT
 * core.bridge: what two worlds of one renderer say to each other. It is heard before send() returns,
 * on a task of the other world. */
#include "bind/bind.h"
#include "vm/entry.h"
#include "vm/loader.h"

#include <stdlib.h>

static const char BRIDGE[] = "lunette.Bridge";
static const char SIDE = 0; /* key of the state's side in its registry */

/* What a side was given to listen(). */
enum { RECEIVE, EXPORT, IMPORT, FUNCTIONS };

/* One world's end. */
typedef struct Side {
  State *state; /* borrowed for the first side; owned by the bridge for the second */
  struct Side *other;
  int functions[FUNCTIONS]; /* references */
  Buf in; /* what was just said to this side */
} Side;

/* Both ends; a userdata of the first world, which ends with it. */
typedef struct Bridge {
  Side sides[2];
} Bridge;

static const CloneLimits limits = {.size = CLONE_SIZE, .depth = CLONE_DEPTH};

static Side *check_side(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &SIDE);
  Side *side = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!side) luaL_error(L, "this state has no other world");
  return side;
}

static bool export_value(void *data, lua_State *L, int index, uint64_t *id, uint8_t *kind) {
  Side *side = data;
  lua_rawgeti(L, LUA_REGISTRYINDEX, side->functions[EXPORT]);
  lua_pushvalue(L, index);
  lua_call(L, 1, 2);
  bool known = lua_isinteger(L, -2);
  *id = known ? (uint64_t)lua_tointeger(L, -2) : 0;
  *kind = (uint8_t)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return known;
}

static bool import_value(void *data, lua_State *L, uint64_t id, uint8_t kind) {
  Side *side = data;
  lua_rawgeti(L, LUA_REGISTRYINDEX, side->functions[IMPORT]);
  lua_pushinteger(L, (lua_Integer)id);
  lua_pushinteger(L, kind);
  lua_call(L, 2, 1);
  if (!lua_isnil(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

static int after_receive(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 0;
}

/* (side): the task of what was said to the side: receive(op, ...). */
static int receive(lua_State *L) {
  Side *side = lua_touserdata(L, 1);
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, side->functions[RECEIVE]);
  CloneHooks hooks = {.data = side, .import_value = import_value};
  const char *error = NULL;
  int count = clone_read(side->state->clone, L, buf_front(&side->in), buf_size(&side->in), &limits,
                         &hooks, &error);
  buf_consume(&side->in, buf_size(&side->in));
  if (count < 0) return luaL_error(L, "what crossed cannot be read: %s", error);
  lua_callk(L, count, 0, 0, after_receive);
  return 0;
}

static int deliver(lua_State *L, Side *side) {
  State *state = side->state;
  lua_State *task = entry_begin(state);
  if (!task) return luaL_error(L, "not enough memory");
  lua_pushcfunction(task, receive);
  lua_pushlightuserdata(task, side);
  entry_enter(state);
  entry_run(state, task, L, 1); /* L bounds how deep calls to and fro may go */
  entry_leave(state);
  return 0;
}

/* send(op, ...): says it to the other world. Raises what cannot be cloned. */
static int l_send(lua_State *L) {
  Side *side = check_side(L), *other = side->other;
  luaL_checkstring(L, 1);
  CloneHooks hooks = {.data = side, .export_value = export_value};
  if (!clone_write(side->state->clone, L, 1, lua_gettop(L), &limits, &hooks, "argument",
                   &other->in)) {
    return lua_error(L);
  }
  return deliver(L, other);
}

/* listen(receive, export, import): the functions of this side. */
static int l_listen(lua_State *L) {
  Side *side = check_side(L);
  for (int i = 1; i <= FUNCTIONS; i++) luaL_checktype(L, i, LUA_TFUNCTION);
  for (int i = 0; i < FUNCTIONS; i++) {
    lua_pushvalue(L, i + 1);
    luaL_unref(L, LUA_REGISTRYINDEX, side->functions[i]);
    side->functions[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return 0;
}

static void init_side(Side *side, State *state, Side *other) {
  *side = (Side){.state = state, .other = other};
  for (int i = 0; i < FUNCTIONS; i++) side->functions[i] = LUA_NOREF;
}

/* (side, module): runs in the new world, protected. */
static int begin_world(lua_State *L) {
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &SIDE);
  loader_seal(L);
  loader_import(L, lua_tostring(L, 2));
  return 0;
}

static int run_world(lua_State *L, Side *side, const char *module) {
  lua_State *to = side->state->L;
  lua_pushcfunction(to, begin_world);
  lua_pushlightuserdata(to, side);
  lua_pushstring(to, module);
  if (lua_pcall(to, 2, 0, 0) == LUA_OK) return 0;
  lua_pushstring(L, lua_tostring(to, -1));
  lua_pop(to, 1);
  return lua_error(L);
}

/* open(module): makes a second world that shares this one's turns, and imports the module there. */
static int l_open(lua_State *L) {
  const char *module = luaL_checkstring(L, 1);
  State *state = state_from(L);
  Bridge *bridge = lua_newuserdatauv(L, sizeof *bridge, 0);
  init_side(&bridge->sides[0], state, &bridge->sides[1]);
  init_side(&bridge->sides[1], NULL, &bridge->sides[0]);
  luaL_setmetatable(L, BRIDGE);
  bridge->sides[1].state = state_new(state->loop);
  if (!bridge->sides[1].state) return luaL_error(L, "not enough memory");
  state_join(bridge->sides[1].state, state);
  lua_rawsetp(L, LUA_REGISTRYINDEX, bridge); /* lives as long as this world */
  lua_pushlightuserdata(L, &bridge->sides[0]);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &SIDE);
  return run_world(L, &bridge->sides[1], module);
}

static int l_bridge_gc(lua_State *L) {
  Bridge *bridge = luaL_checkudata(L, 1, BRIDGE);
  state_free(bridge->sides[1].state);
  bridge->sides[1].state = NULL;
  for (int i = 0; i < 2; i++) buf_clear(&bridge->sides[i].in);
  return 0;
}

static const luaL_Reg functions[] = {
    {"open", l_open},
    {"send", l_send},
    {"listen", l_listen},
    {NULL, NULL},
};

int open_bridge(lua_State *L) {
  luaL_newmetatable(L, BRIDGE);
  lua_pushcfunction(L, l_bridge_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
