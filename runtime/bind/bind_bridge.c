/* SPDX-License-Identifier: MIT
 * core.bridge: what the two worlds of an isolated renderer ask each other. The answer is there when
 * ask() returns; the question runs as a task of the other world.
 *
 * Arguments and results are clones. A function or promise among them is sent as a number:
 * `exported` maps it back in the world that it is from, and the other world has a proxy for it.
 * Neither world is trusted by the other, and both run programs' finalisers whenever they allocate.
 * So every question has buffers of its own, and export_value does nothing that could run the
 * collector. */
#include "bind/bind.h"
#include "vm/entry.h"
#include "vm/loader.h"
#include "vm/pacer.h"

#include <stdlib.h>

static const char BRIDGE[] = "lunette.Bridge";
static const char EXCHANGE[] = "lunette.Exchange";
static const char SIDE = 0; /* key of the state's side in its registry */

enum { HOPS_MAX = 32 }; /* questions inside one another: below Lua's own limit of C calls */

/* How a question came out: the first result of ask(), and, but for UNSENT, of `receive`. */
enum { DONE, FAILED, PENDING, UNSENT };

/* What stands in a message for a function or promise of the sender, or for the receiver's own. */
enum { PROXY_FUNCTION, PROXY_OWN, PROXY_PROMISE };

/* What a side gives to listen(), by name; kept as references. */
enum { RECEIVE, IMPORT, SENT, NUMBERS, EXPORTED, REMOTE, PROMISE, FIELDS };
static const char *const field_names[FIELDS] = {"receive",  "import", "sent",   "numbers",
                                                "exported", "remote", "promise"};

typedef struct Bridge Bridge;

/* One world's end. */
typedef struct Side {
  State *state; /* borrowed for the first side; owned by the bridge for the second */
  Bridge *bridge;
  int fields[FIELDS];  /* references */
  lua_Integer last_id; /* of what this side has exported */
} Side;

/* Both ends; a userdata of the first world, which ends with it. */
struct Bridge {
  Side sides[2];
  int hops; /* questions that are being answered */
  bool closed;
};

/* One question and its answer; a userdata of the world that asks, so that no error leaks them. */
typedef struct Exchange {
  Side *to;
  const char *op; /* borrowed from the stack of the world that asks */
  lua_Integer id;
  Buf question, answer;
  int status;
} Exchange;

static const CloneLimits limits = {.size = CLONE_SIZE, .depth = CLONE_DEPTH};

static Side *check_side(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &SIDE);
  Side *side = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!side || side->bridge->closed) luaL_error(L, "this state has no other world");
  return side;
}

static Side *other_side(const Side *side) {
  Side *sides = side->bridge->sides;
  return side == &sides[0] ? &sides[1] : &sides[0];
}

static void push_field(const Side *side, lua_State *L, int field) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, side->fields[field]);
}

/* Functions and promises */

/* The number of the value in a table of the side's, or false. */
static bool find_number(const Side *side, lua_State *L, int table, int index, uint64_t *id) {
  push_field(side, L, table);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  bool found = lua_isinteger(L, -1);
  if (found) *id = (uint64_t)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return found;
}

static uint64_t give_number(Side *side, lua_State *L, int index) {
  lua_Integer id = ++side->last_id;
  push_field(side, L, EXPORTED);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, id);
  push_field(side, L, NUMBERS);
  lua_pushvalue(L, index);
  lua_pushinteger(L, id);
  lua_rawset(L, -3);
  lua_pop(L, 2);
  return (uint64_t)id;
}

static bool is_promise(const Side *side, lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  push_field(side, L, PROMISE);
  bool equal = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return equal;
}

static bool export_value(void *data, lua_State *L, int index, uint64_t *id, uint8_t *kind) {
  Side *side = data;
  bool is_function = lua_type(L, index) == LUA_TFUNCTION;
  if (!is_function && !is_promise(side, L, index)) return false;
  *kind = is_function ? PROXY_FUNCTION : PROXY_PROMISE;
  if (find_number(side, L, REMOTE, index, id)) {
    *kind = PROXY_OWN;
  } else if (!find_number(side, L, NUMBERS, index, id)) {
    *id = give_number(side, L, index);
  }
  return true;
}

static bool import_value(void *data, lua_State *L, uint64_t id, uint8_t kind) {
  push_field(data, L, IMPORT);
  lua_pushinteger(L, (lua_Integer)id);
  lua_pushinteger(L, kind);
  lua_call(L, 2, 1);
  if (!lua_isnil(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

/* Tells Lua which numbers a message gave away, and whether it was sent. */
static void tell_sent(Side *side, lua_State *L, lua_Integer first, bool sent) {
  if (first > side->last_id) return;
  push_field(side, L, SENT);
  lua_pushinteger(L, first);
  lua_pushinteger(L, side->last_id);
  lua_pushboolean(L, sent);
  lua_call(L, 3, 0);
}

/* Appends `count` values from `first` on. False, with the reason pushed, when one cannot cross. */
static bool write_values(Side *side, lua_State *L, int first, int count, const char *what,
                         Buf *out) {
  CloneHooks hooks = {.data = side, .export_value = export_value};
  lua_Integer next_id = side->last_id + 1;
  bool sent = clone_write(side->state->clone, L, first, count, &limits, &hooks, what, out);
  tell_sent(side, L, next_id, sent);
  return sent;
}

/* Pushes what the buffer holds, and returns how many values; frees it. */
static int read_values(Side *side, lua_State *L, Buf *in) {
  CloneHooks hooks = {.data = side, .import_value = import_value};
  const char *error = NULL;
  int count =
      clone_read(side->state->clone, L, buf_front(in), buf_size(in), &limits, &hooks, &error);
  if (count < 0) luaL_error(L, "what the other world sent cannot be read: %s", error);
  buf_clear(in);
  return count;
}

/* Asking */

/* (exchange): the task in the other world: status, ... = receive(op, id, ...). */
static int hear(lua_State *L) {
  Exchange *exchange = lua_touserdata(L, 1);
  Side *side = exchange->to;
  lua_settop(L, 0);
  push_field(side, L, RECEIVE);
  lua_pushstring(L, exchange->op);
  lua_pushinteger(L, exchange->id);
  int count = read_values(side, L, &exchange->question);
  lua_call(L, 2 + count, LUA_MULTRET);
  exchange->status = (int)lua_tointeger(L, 1);
  if (write_values(side, L, 2, lua_gettop(L) - 1, "result", &exchange->answer)) return 0;
  exchange->status = FAILED;
  write_values(side, L, lua_gettop(L), 1, "result", &exchange->answer);
  return 0;
}

static Exchange *push_exchange(lua_State *L, Side *to) {
  Exchange *exchange = lua_newuserdatauv(L, sizeof *exchange, 0);
  *exchange = (Exchange){.to = to, .op = lua_tostring(L, 1), .id = lua_tointeger(L, 2)};
  luaL_setmetatable(L, EXCHANGE);
  return exchange;
}

/* Lets the other world answer. False when it could not. */
static bool run_exchange(lua_State *L, Exchange *exchange) {
  State *state = exchange->to->state;
  Bridge *bridge = exchange->to->bridge;
  lua_State *task = entry_begin(state);
  if (!task) return false;
  lua_pushcfunction(task, hear);
  lua_pushlightuserdata(task, exchange);
  bridge->hops++;
  entry_enter(state);
  TaskStatus status = entry_run(state, task, L, 1); /* from L, as its C calls count on */
  entry_leave(state);
  bridge->hops--;
  return status == TASK_DONE;
}

/* The question was not asked: UNSENT and the reason, which is on top. */
static int refuse(lua_State *L) {
  lua_pushinteger(L, UNSENT);
  lua_insert(L, -2);
  return 2;
}

/* ask(op, id, ...): asks the other world. Returns what its `receive` returned: a status, and
 * values; or UNSENT and the reason. */
static int l_ask(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_checkinteger(L, 2);
  Side *side = check_side(L);
  int count = lua_gettop(L) - 2;
  Exchange *exchange = push_exchange(L, other_side(side));
  if (side->bridge->hops >= HOPS_MAX) {
    lua_pushliteral(L, "too many calls between page and preload inside one another");
    return refuse(L);
  }
  if (!write_values(side, L, 3, count, "argument", &exchange->question)) return refuse(L);
  if (!run_exchange(L, exchange)) {
    lua_pushliteral(L, "the other world could not answer");
    return refuse(L);
  }
  lua_settop(L, count + 3);
  lua_pushinteger(L, exchange->status);
  return 1 + read_values(side, L, &exchange->answer);
}

static int l_exchange_gc(lua_State *L) {
  Exchange *exchange = luaL_checkudata(L, 1, EXCHANGE);
  buf_clear(&exchange->question);
  buf_clear(&exchange->answer);
  return 0;
}

/* listen{receive=, import=, sent=, numbers=, exported=, remote=, promise=}: this side's functions
 * receive(op, id, ...), import(id, kind) and sent(first, last, ok); its tables, value to number and
 * back, and proxy to number; the metatable of promises. */
static int l_listen(lua_State *L) {
  Side *side = check_side(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  for (int i = 0; i < FIELDS; i++) {
    if (lua_getfield(L, 1, field_names[i]) == LUA_TNIL) return luaL_argerror(L, 1, field_names[i]);
    luaL_unref(L, LUA_REGISTRYINDEX, side->fields[i]);
    side->fields[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return 0;
}

/* Making the second world */

static void init_side(Side *side, State *state, Bridge *bridge) {
  *side = (Side){.state = state, .bridge = bridge};
  for (int i = 0; i < FIELDS; i++) side->fields[i] = LUA_NOREF;
}

/* (side, module): runs in the new world, protected. */
static int begin_world(lua_State *L) {
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &SIDE);
  loader_seal(L);
  pacer_start(state_from(L));
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
  *bridge = (Bridge){.hops = 0};
  init_side(&bridge->sides[0], state, bridge);
  init_side(&bridge->sides[1], NULL, bridge);
  luaL_setmetatable(L, BRIDGE);
  bridge->sides[1].state = state_new(state->loop);
  if (bridge->sides[1].state) bridge->sides[1].state->log = state->log;
  if (!bridge->sides[1].state) return luaL_error(L, "not enough memory");
  state_join(bridge->sides[1].state, state);
  lua_rawsetp(L, LUA_REGISTRYINDEX, bridge); /* lives as long as this world */
  lua_pushlightuserdata(L, &bridge->sides[0]);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &SIDE);
  return run_world(L, &bridge->sides[1], module);
}

/* The first world ends: neither reaches the other any more, not even from a finaliser. */
static int l_bridge_gc(lua_State *L) {
  Bridge *bridge = luaL_checkudata(L, 1, BRIDGE);
  bridge->closed = true;
  state_free(bridge->sides[1].state);
  bridge->sides[1].state = NULL;
  return 0;
}

static const luaL_Reg functions[] = {
    {"open", l_open},
    {"ask", l_ask},
    {"listen", l_listen},
    {NULL, NULL},
};

static void new_class(lua_State *L, const char *name, lua_CFunction collect) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

static void set_constants(lua_State *L) {
  static const struct {
    const char *name;
    int value;
  } constants[] = {
      {"DONE", DONE},     {"FAILED", FAILED}, {"PENDING", PENDING},
      {"UNSENT", UNSENT}, {"OWN", PROXY_OWN}, {"PROMISE", PROXY_PROMISE},
  };
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
    lua_pushinteger(L, constants[i].value);
    lua_setfield(L, -2, constants[i].name);
  }
}

int open_bridge(lua_State *L) {
  new_class(L, BRIDGE, l_bridge_gc);
  new_class(L, EXCHANGE, l_exchange_gc);
  luaL_newlib(L, functions);
  set_constants(L);
  return 1;
}
