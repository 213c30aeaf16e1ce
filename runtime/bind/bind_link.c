/* SPDX-License-Identifier: MIT
 * core.link: links to peers; their life, and what they tell. */
#include "bind/bind.h"
#include "bind/link_box.h"

#include <stdio.h>
#include <string.h>

static const char LINK[] = "lunette.Link";

/* How many listeners to its messages may wait, unless limits() says something else: a kilobyte
 * each. */
enum { WAITING_MAX = 1 << 18 };

/* Of a packet whose task failed before Lua had it, or which asked: the order would have a hole, the
 * asker no answer. */
static const char LOST[] = "more than there is memory for";

/* Between threads the other end reads the string where it lies. */
static bool lend(Link *link, lua_State *L, const char *bytes, size_t size, size_t *offset) {
  Loan *loan = memory_lend(L, bytes, size);
  return loan && link_lend(link, loan, offset);
}

static bool put_shared(void *data, lua_State *L, const char *bytes, size_t size, size_t *offset) {
  Link *link = data;
  if (link->channel) return lend(link, L, bytes, size, offset);
  uint8_t *place = link_put_shared(link, size, offset);
  if (place) memcpy(place, bytes, size);
  return place != NULL;
}

static const uint8_t *get_shared(void *link, size_t offset, size_t size) {
  return link_get_shared(link, offset, size);
}

LinkBox *link_box_check(lua_State *L) {
  if (lua_getmetatable(L, 1)) {
    bool is_link = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1);
    if (is_link) return lua_touserdata(L, 1);
  }
  luaL_typeerror(L, 1, LINK);
  return NULL;
}

/* A link that is not closed. */
static Link *check_link(lua_State *L) {
  LinkBox *box = link_box_check(L);
  if (!box->link) luaL_error(L, "the link is closed");
  return box->link;
}

void link_box_callback(lua_State *L, int box, const char *name) {
  lua_getiuservalue(L, box, BOX_CALLBACKS);
  lua_getfield(L, -1, name);
  lua_replace(L, -2);
  lua_getiuservalue(L, box, BOX_OWNER);
}

/* The task that answers a question suspended: Lua hangs a guard on it, which answers should the
 * task be collected. */
static void tell_suspended(const LinkBox *box, uint32_t id, lua_State *task) {
  lua_State *L = box->state->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  if (!lua_isuserdata(L, -1)) { /* closed meanwhile */
    lua_pop(L, 1);
    return;
  }
  lua_getiuservalue(L, -1, BOX_OWNER);
  lua_replace(L, -2);
  lua_pushinteger(L, id);
  lua_pushthread(task);
  lua_xmove(task, L, 1);
  entry_hook(box->state, HOOK_SUSPENDED, 3);
}

static bool is_question(const Packet *packet) {
  return packet->kind == PACKET_INVOKE || packet->kind == PACKET_SYNC;
}

/* No honest peer sends so much to listeners that do not return; what is here stays, but no more
 * comes. */
static void check_waiting(LinkBox *box) {
  if (!box->waiting->exceeded || !box->link) return;
  snprintf(box->fault, sizeof box->fault,
           "more than %u messages whose listeners wait (limit waitingListeners)",
           (unsigned)box->waiting->max);
  link_fail(box->link, box->fault);
}

/* Whether what the packet starts is bounded by nothing else. */
static bool is_one_way(const Packet *packet) {
  return packet->kind == PACKET_MESSAGE || packet->kind == PACKET_SEND_TO;
}

static void on_packet(Link *link, const Packet *packet) {
  LinkBox *box = link->data;
  State *state = box->state;
  lua_State *task = entry_begin(state);
  if (!task) {
    link_fail(link, LOST);
    return;
  }
  entry_enter(state);
  if (!link->data) { /* a finaliser that ran for the task's memory has closed it */
    entry_abandon(state, task);
    entry_leave(state);
    return;
  }
  bool question = is_question(packet), one_way = is_one_way(packet);
  uint32_t id = packet->id;
  box->decoding = false; /* should an error have left it */
  lua_pushcfunction(task, link_box_receive);
  lua_rawgeti(task, LUA_REGISTRYINDEX, box->self);
  box->packet = packet;
  state->receiving = one_way ? box->waiting : NULL;
  TaskStatus status = entry_run(state, task, state->L, 1);
  state->receiving = NULL;
  if (status == TASK_SUSPENDED && question && link->data) tell_suspended(box, id, task);
  if (status == TASK_FAILED && (question || link->current) && !link->closed) link_fail(link, LOST);
  if (one_way && link->data) check_waiting(link->data);
  entry_leave(state);
}

static int after_call(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 0;
}

/* (userdata, name, argument or NULL): the task of a callback: callbacks[name](owner, argument). */
static int tell(lua_State *L) {
  const LinkBox *box = lua_touserdata(L, 1);
  const char *name = lua_touserdata(L, 2), *argument = lua_touserdata(L, 3);
  if (!box->link) return 0; /* a finaliser that ran for the task's memory has closed it */
  link_box_callback(L, 1, name);
  lua_pushstring(L, argument);
  lua_callk(L, 2, 0, 0, after_call);
  return 0;
}

static void run_tell(const LinkBox *box, const char *name, const char *argument) {
  lua_State *L = box->state->L;
  lua_pushcfunction(L, tell);
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  lua_pushlightuserdata(L, (void *)name);
  lua_pushlightuserdata(L, (void *)argument);
  entry_call(box->state, 3);
}

static void on_end(Link *link, const char *reason) { run_tell(link->data, "on_end", reason); }

static void on_drained(Link *link) { run_tell(link->data, "on_drained", NULL); }

static const LinkEvents events = {on_packet, on_end, on_drained};

/* Of the box on top, from the arguments of new(). */
static void set_values(lua_State *L) {
  for (int i = BOX_OWNER; i <= BOX_GIVEN; i++) {
    lua_pushvalue(L, i + 1);
    lua_setiuservalue(L, -2, i);
  }
  lua_pushliteral(L, "andThen");
  lua_setiuservalue(L, -2, BOX_AND_THEN);
  lua_pushliteral(L, "next");
  lua_setiuservalue(L, -2, BOX_NEXT);
}

/* new(role, owner, callbacks, pending, open): a link without a connection, which queues. role:
 * "main" or "peer", whose end this is; for the others see link_box.h and peer.lua. */
static int l_new(lua_State *L) {
  static const char *const roles[] = {"main", "peer", NULL};
  int from = luaL_checkoption(L, 1, NULL, roles) == 0 ? FROM_PEER : FROM_MAIN;
  luaL_checkany(L, 2);
  for (int i = 3; i <= 1 + BOX_GIVEN; i++) luaL_checktype(L, i, LUA_TTABLE);
  lua_settop(L, 1 + BOX_GIVEN);
  LinkBox *box = lua_newuserdatauv(L, sizeof *box, BOX_VALUES);
  *box = (LinkBox){.state = state_from(L),
                   .questions_max = QUESTION_ID_MAX,
                   .depth_max = LINK_DEPTH_MAX,
                   .values_max = VALUES_MAX,
                   .channel_max = PACKET_CHANNEL_MAX,
                   .self = LUA_NOREF};
  list_init(&box->routed);
  luaL_setmetatable(L, LINK);
  set_values(L);
  box->waiting = waiting_new(L, WAITING_MAX);
  lua_pushvalue(L, -1);
  box->self = luaL_ref(L, LUA_REGISTRYINDEX);
  box->link = link_new(box->state->loop, from, &events);
  if (!box->link) return luaL_error(L, "not enough memory");
  box->link->data = box;
  box->share = (CloneShare){box->link, SHARE_LEAST, SHARE_REGION, put_shared, get_shared};
  return 1;
}

/* route{handlers=, listeners=, watchers=, event=, sync_event=, catch=, on_cancel=}: where packets
 * go that need nothing special; see link_box.h. */
static int l_route(lua_State *L) {
  static const struct {
    const char *name;
    int value;
  } routes[] = {
      {"handlers", BOX_HANDLERS},   {"listeners", BOX_LISTENERS},   {"watchers", BOX_WATCHERS},
      {"event", BOX_EVENT},         {"sync_event", BOX_SYNC_EVENT}, {"catch", BOX_CATCH},
      {"on_cancel", BOX_ON_CANCEL},
  };
  link_box_check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
    int type = lua_getfield(L, 2, routes[i].name);
    bool fits = type == LUA_TTABLE || routes[i].value > BOX_LISTENERS;
    luaL_argcheck(L, fits, 2, routes[i].name);
    lua_setiuservalue(L, 1, routes[i].value);
  }
  return 0;
}

/* ---- routes ---- */

void link_box_forget_routes(lua_State *L, LinkBox *box) {
  if (list_empty(&box->routed)) return;
  list_remove(&box->routed);
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  for (int i = 0; i < BOX_ROUTES_MAX; i++) {
    if (box->routes[i].kind == 0) continue;
    box->routes[i].kind = 0;
    lua_pushnil(L);
    lua_setiuservalue(L, -2, BOX_ROUTES + 2 * i);
    lua_pushnil(L);
    lua_setiuservalue(L, -2, BOX_ROUTES + 2 * i + 1);
  }
  lua_pop(L, 1);
}

/* forget_routes(): a listener or a handler has come or gone. */
static int l_forget_routes(lua_State *L) {
  State *state = state_from(L);
  while (!list_empty(&state->routed))
    link_box_forget_routes(L, LIST_ENTRY(state->routed.next, LinkBox, routed));
  return 0;
}

/* ---- other methods ---- */

/* greeted(): the other side may send what it likes now. False when it had greeted already. */
static int l_greeted(lua_State *L) {
  LinkBox *box = link_box_check(L);
  lua_pushboolean(L, !box->greeted);
  box->greeted = true;
  return 1;
}

/* set_codec(flag): FLAG_JSON or 0, for answers and the public functions. */
static int l_set_codec(lua_State *L) {
  link_box_check(L)->codec = (uint8_t)luaL_checkinteger(L, 2);
  return 0;
}

/* open(end): connects to a descriptor, or to a channel's end as light userdata; the descriptor is
 * the link's. Returns true, or nil and the reason. */
static int l_open(lua_State *L) {
  Link *link = check_link(L);
  LinkBox *box = lua_touserdata(L, 1);
  ChannelEnd *end = lua_touserdata(L, 2);
  if (end) box->share.most = SIZE_MAX; /* what is lent lies in no region */
  int status = end ? link_join(link, end) : link_open(link, (int)luaL_checkinteger(L, 2));
  if (status == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", uv_err_name(status), uv_strerror(status));
  return 2;
}

/* take_queue(other): what was sent on the unopened link `other` is sent on this one, and its
 * questions are open here. */
static int l_take_queue(lua_State *L) {
  Link *link = check_link(L);
  LinkBox *box = lua_touserdata(L, 1), *other = luaL_checkudata(L, 2, LINK);
  luaL_argcheck(L, other->link && other->link->fd < 0, 2, "not an unopened link");
  if (!link_take_queue(link, other->link)) return luaL_error(L, "not enough memory");
  numbers_clear(&box->numbers);
  box->numbers = other->numbers;
  other->numbers = (Numbers){0};
  return 0;
}

/* Reads a positive field of the table at index 2 into *limit, if it is there. */
static void read_limit(lua_State *L, const char *name, size_t *limit, size_t most) {
  if (lua_getfield(L, 2, name) != LUA_TNIL) {
    lua_Integer value = lua_tointeger(L, -1);
    luaL_argcheck(L, value > 0, 2, name);
    *limit = (size_t)value < most ? (size_t)value : most;
  }
  lua_pop(L, 1);
}

/* limits{messageSize=, highWaterMark=, queueSize=, backlog=, channelSize=, openInvokes=, depth=,
 * values=, waitingListeners=}: sets those that are given: bytes, but for the last four, which are
 * numbers. */
static int l_limits(lua_State *L) {
  LinkLimits *limits = &check_link(L)->limits;
  LinkBox *box = lua_touserdata(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t questions = box->questions_max, depth = (size_t)box->depth_max;
  size_t values = (size_t)box->values_max, waiting = box->waiting->max;
  read_limit(L, "messageSize", &limits->message, INT32_MAX);
  read_limit(L, "highWaterMark", &limits->high_water, SIZE_MAX);
  read_limit(L, "queueSize", &limits->queue, SIZE_MAX);
  read_limit(L, "backlog", &limits->backlog, INT32_MAX);
  read_limit(L, "depth", &depth, LINK_DEPTH_MAX);
  read_limit(L, "channelSize", &box->channel_max, PACKET_CHANNEL_MAX);
  read_limit(L, "openInvokes", &questions, QUESTION_ID_MAX);
  read_limit(L, "values", &values, VALUES_MAX);
  read_limit(L, "waitingListeners", &waiting, INT32_MAX);
  box->questions_max = (uint32_t)questions;
  box->depth_max = (int)depth;
  box->values_max = (int)values;
  box->waiting->max = (uint32_t)waiting;
  return 0;
}

/* is_number(id): a question may have it. */
static int l_is_number(lua_State *L) {
  const LinkBox *box = link_box_check(L);
  lua_pushboolean(L, luaL_checkinteger(L, 2) <= box->questions_max);
  return 1;
}

/* free_number(id): the question `id` has its answer, or never got one. */
static int l_free_number(lua_State *L) {
  numbers_put(&link_box_check(L)->numbers, (uint32_t)luaL_checkinteger(L, 2));
  return 0;
}

/* is_full(): more waits than the high-water mark. */
static int l_is_full(lua_State *L) {
  const Link *link = check_link(L);
  lua_pushboolean(L, link_is_full(link));
  return 1;
}

/* sent(): how many bytes were sent in all, those included that wait to be written. */
static int l_sent(lua_State *L) {
  const Link *link = check_link(L);
  lua_pushinteger(L, (lua_Integer)(link->written + link_queued(link)));
  return 1;
}

/* drain(ms): blocks until all is written, for ms at most. */
static int l_drain(lua_State *L) {
  link_drain(check_link(L), (int)luaL_checkinteger(L, 2));
  return 0;
}

/* ref(keep): whether it keeps the loop running, as it does once it is open. */
static int l_ref(lua_State *L) {
  link_ref(check_link(L), lua_toboolean(L, 2));
  return 0;
}

/* fail(reason): the peer broke the protocol. Nothing more is read; on_end follows. */
static int l_fail(lua_State *L) {
  Link *link = link_box_check(L)->link;
  const char *reason = luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, BOX_FAULT); /* keeps the text */
  if (link) link_fail(link, reason);
  return 0;
}

/* close(), and the collector's end of it. Idempotent. */
static int l_close(lua_State *L) {
  LinkBox *box = link_box_check(L);
  numbers_clear(&box->numbers);
  if (!box->link) return 0;
  link_box_forget_routes(L, box);
  box->link->data = NULL;
  link_close(box->link);
  box->link = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, box->self);
  box->self = LUA_NOREF;
  if (box->state->receiving == box->waiting) box->state->receiving = NULL;
  waiting_end(L, box->waiting);
  box->waiting = NULL;
  return 0;
}

static const luaL_Reg methods[] = {
    {"open", l_open},
    {"route", l_route},
    {"greeted", l_greeted},
    {"set_codec", l_set_codec},
    {"take_queue", l_take_queue},
    {"limits", l_limits},
    {"is_number", l_is_number},
    {"free_number", l_free_number},
    {"is_full", l_is_full},
    {"sent", l_sent},
    {"drain", l_drain},
    {"ref", l_ref},
    {"fail", l_fail},
    {"close", l_close},
    {NULL, NULL},
};

/* Sets fields named as in protocol.h: INVOKE, FLAG_ERROR ... */
static void set_constants(lua_State *L) {
#define X(name, value, from)                                                                       \
  lua_pushinteger(L, value);                                                                       \
  lua_setfield(L, -2, #name);
  PACKET_KINDS(X)
#undef X
  lua_pushinteger(L, PACKET_FLAG_ERROR);
  lua_setfield(L, -2, "FLAG_ERROR");
  lua_pushinteger(L, PACKET_FLAG_INTERNAL);
  lua_setfield(L, -2, "FLAG_INTERNAL");
  lua_pushinteger(L, PACKET_FLAG_JSON);
  lua_setfield(L, -2, "FLAG_JSON");
  lua_pushinteger(L, PROTOCOL_VERSION);
  lua_setfield(L, -2, "PROTOCOL_VERSION");
}

/* Pushes a table of the methods, whose upvalue is the metatable on top of the stack. */
static void push_methods(lua_State *L) {
  lua_newtable(L);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 1);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, link_send_methods, 1);
}

int open_link(lua_State *L) {
  luaL_newmetatable(L, LINK);
  push_methods(L);
  lua_getfield(L, -1, "close");
  lua_setfield(L, -3, "__gc");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  lua_newtable(L);
  lua_pushcfunction(L, l_new);
  lua_setfield(L, -2, "new");
  lua_pushcfunction(L, l_forget_routes);
  lua_setfield(L, -2, "forget_routes");
  luaL_getmetatable(L, LINK);
  lua_pushliteral(L, "returnValue");
  lua_pushcclosure(L, link_box_return_value, 2);
  lua_setfield(L, -2, "return_value");
  set_constants(L);
  return 1;
}
