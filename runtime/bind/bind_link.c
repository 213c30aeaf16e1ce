/* SPDX-License-Identifier: MIT
 * core.link: links to peers. A packet that arrives costs one entry into Lua, on a task that decodes
 * it and goes on into the owner's function. */
#include "bind/bind.h"
#include "ipc/link.h"
#include "vm/entry.h"

#include <string.h>

static const char LINK[] = "lunette.Link";

/* User values of the userdata: what the owner gave to new(), then to fail(). */
enum { OWNER = 1, RECEIVERS, ON_END, ON_DRAINED, GIVEN = ON_DRAINED, FAULT, USER_VALUES = FAULT };

/* Added to a kind: the index of its receiver for packets in JSON. */
enum { JSON_RECEIVERS = 0x100 };

/* The userdata. While the link is there, the registry keeps it, as events may still come. */
typedef struct LinkBox {
  Link *link; /* NULL once closed */
  State *state;
  int self;      /* reference */
  bool decoding; /* a packet's bytes, in the link's buffer, are being read */
} LinkBox;

enum { DEPTH_MAX = 1000 };

/* Of a packet whose task failed before Lua had it, or which asked: the order would have a hole, the
 * asker no answer. */
static const char LOST[] = "more than there is memory for";

/* What is read may always be as large as the peer's own packets. */
static CloneLimits read_limits(const Link *link) {
  return (CloneLimits){.size = link->limits.message + LINK_OWN_ROOM, .depth = DEPTH_MAX};
}

static CloneLimits write_limits(const Link *link, const Packet *packet) {
  bool own = packet->flags & (PACKET_FLAG_INTERNAL | PACKET_FLAG_ERROR);
  size_t size = link->limits.message + (own ? LINK_OWN_ROOM : 0);
  return (CloneLimits){.size = size, .depth = DEPTH_MAX};
}

/* The methods have the metatable as upvalue: one comparison instead of a look-up by name. */
static LinkBox *check_box(lua_State *L) {
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
  LinkBox *box = check_box(L);
  if (!box->link) luaL_error(L, "the link is closed");
  return box->link;
}

/* Pushes the function that is the user value `which`, and the owner. */
static void push_function(lua_State *L, const LinkBox *box, int which) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  lua_getiuservalue(L, -1, which);
  lua_getiuservalue(L, -2, OWNER);
  lua_remove(L, -3);
}

/* Pushes the values of the body: its clone decoded, or the text of JSON, which Lua decodes.
 * Finalisers may run meanwhile: they may close the link, but not wait for a reply, which would move
 * the bytes. */
static int push_body(lua_State *L, LinkBox *box, const Packet *packet, const char **error) {
  if (packet->flags & PACKET_FLAG_JSON) {
    lua_pushlstring(L, (const char *)packet->body, packet->body_size);
    return 1;
  }
  if (packet->body_size == 0) return 0;
  CloneLimits limits = read_limits(box->link);
  box->decoding = true;
  int count =
      clone_read(box->state->clone, L, packet->body, packet->body_size, &limits, NULL, error);
  box->decoding = false;
  if (count <= VALUES_MAX) return count;
  *error = "a message of too many values";
  return -1;
}

static int after_packet(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 0;
}

/* Pushes the receiver of the packet's kind, and the owner. */
static void push_receiver(lua_State *L, const LinkBox *box, const Packet *packet) {
  int index = (int)packet->kind;
  if (packet->flags & PACKET_FLAG_JSON) index |= JSON_RECEIVERS;
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  lua_getiuservalue(L, 1, RECEIVERS);
  lua_rawgeti(L, 2, index);
  lua_replace(L, 2);
  lua_getiuservalue(L, 1, OWNER);
  lua_remove(L, 1);
}

/* (box, packet): the task of one packet: receivers[kind](owner, flags, id, frame, channel, ...). */
static int receive(lua_State *L) {
  LinkBox *box = lua_touserdata(L, 1);
  const Packet *packet = lua_touserdata(L, 2);
  lua_settop(L, 0);
  push_receiver(L, box, packet);
  lua_pushinteger(L, packet->flags);
  lua_pushinteger(L, packet->id);
  lua_pushinteger(L, packet->frame);
  lua_pushlstring(L, packet->channel, packet->channel_size);
  const char *error = NULL;
  int count = push_body(L, box, packet, &error);
  if (!box->link) return 0;
  if (count < 0) {
    link_fail(box->link, error);
    return 0;
  }
  link_finish_packet(box->link);
  lua_callk(L, 5 + count, 0, 0, after_packet);
  return 0;
}

/* The task that answers a question suspended: Lua hangs a guard on it, which answers should the
 * task be collected. */
static void tell_suspended(LinkBox *box, uint32_t id, lua_State *task) {
  lua_State *L = box->state->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  if (!lua_isuserdata(L, -1)) { /* closed meanwhile */
    lua_pop(L, 1);
    return;
  }
  lua_getiuservalue(L, -1, OWNER);
  lua_replace(L, -2);
  lua_pushinteger(L, id);
  lua_pushthread(task);
  lua_xmove(task, L, 1);
  entry_hook(box->state, HOOK_SUSPENDED, 3);
}

static bool is_question(const Packet *packet) {
  return packet->kind == PACKET_INVOKE || packet->kind == PACKET_SYNC;
}

static void on_packet(Link *link, const Packet *packet) {
  LinkBox *box = link->data;
  State *state = box->state;
  lua_State *task = entry_begin(state);
  if (!task) {
    link_fail(link, LOST);
    return;
  }
  bool question = is_question(packet);
  uint32_t id = packet->id;
  box->decoding = false; /* should an error have left it */
  lua_pushcfunction(task, receive);
  lua_pushlightuserdata(task, box);
  lua_pushlightuserdata(task, (void *)packet);
  entry_enter(state);
  TaskStatus status = entry_run(state, task, state->L, 2);
  if (status == TASK_SUSPENDED && question && link->data) tell_suspended(box, id, task);
  if (status == TASK_FAILED && (question || link->current) && !link->closed) link_fail(link, LOST);
  entry_leave(state);
}

/* (box, reason): the task of the end: on_end(owner, reason). */
static int tell_end(lua_State *L) {
  const LinkBox *box = lua_touserdata(L, 1);
  const char *reason = lua_touserdata(L, 2);
  push_function(L, box, ON_END);
  lua_pushstring(L, reason);
  lua_callk(L, 2, 0, 0, after_packet);
  return 0;
}

static void on_end(Link *link, const char *reason) {
  LinkBox *box = link->data;
  lua_State *L = box->state->L;
  lua_pushcfunction(L, tell_end);
  lua_pushlightuserdata(L, box);
  lua_pushlightuserdata(L, (void *)reason);
  entry_call(box->state, 2);
}

static void on_drained(Link *link) {
  LinkBox *box = link->data;
  push_function(box->state->L, box, ON_DRAINED);
  entry_call(box->state, 1);
}

static const LinkEvents events = {on_packet, on_end, on_drained};

/* new(role, owner, receivers, on_end, on_drained): a link without a connection, which queues.
 * role: "main" or "peer", whose end this is; receivers: functions by kind. */
static int l_new(lua_State *L) {
  static const char *const roles[] = {"main", "peer", NULL};
  int from = luaL_checkoption(L, 1, NULL, roles) == 0 ? FROM_PEER : FROM_MAIN;
  luaL_checkany(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  for (int i = 4; i <= 5; i++) luaL_checktype(L, i, LUA_TFUNCTION);
  lua_settop(L, 5);
  LinkBox *box = lua_newuserdatauv(L, sizeof *box, USER_VALUES);
  *box = (LinkBox){.state = state_from(L), .self = LUA_NOREF};
  luaL_setmetatable(L, LINK);
  for (int i = OWNER; i <= GIVEN; i++) {
    lua_pushvalue(L, i + 1);
    lua_setiuservalue(L, -2, i);
  }
  lua_pushvalue(L, -1);
  box->self = luaL_ref(L, LUA_REGISTRYINDEX);
  box->link = link_new(box->state->loop, from, &events);
  if (!box->link) return luaL_error(L, "not enough memory");
  box->link->data = box;
  return 1;
}

/* set_receivers(receivers): from the next packet on, as those given to new(). */
static int l_set_receivers(lua_State *L) {
  check_box(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, RECEIVERS);
  return 0;
}

/* open(fd): connects; the descriptor is the link's. Returns true, or nil and the reason. */
static int l_open(lua_State *L) {
  Link *link = check_link(L);
  int status = link_open(link, (int)luaL_checkinteger(L, 2));
  if (status == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, uv_strerror(status));
  return 2;
}

/* take_queue(other): what was sent on the unopened link `other` is sent on this one. */
static int l_take_queue(lua_State *L) {
  Link *link = check_link(L);
  LinkBox *other = luaL_checkudata(L, 2, LINK);
  luaL_argcheck(L, other->link && other->link->fd < 0, 2, "not an unopened link");
  if (!link_take_queue(link, other->link)) return luaL_error(L, "not enough memory");
  return 0;
}

/* limits{messageSize=, highWaterMark=, queueSize=}: sets those that are given, in bytes. */
static int l_limits(lua_State *L) {
  Link *link = check_link(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  struct {
    const char *name;
    size_t *limit;
  } fields[] = {
      {"messageSize", &link->limits.message},
      {"highWaterMark", &link->limits.high_water},
      {"queueSize", &link->limits.queue},
  };
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (lua_getfield(L, 2, fields[i].name) != LUA_TNIL) {
      lua_Integer limit = lua_tointeger(L, -1);
      luaL_argcheck(L, limit > 0, 2, fields[i].name);
      *fields[i].limit = (size_t)limit;
    }
    lua_pop(L, 1);
  }
  if (link->limits.message > INT32_MAX) link->limits.message = INT32_MAX;
  return 0;
}

/* A question that came must have its answer, whatever waits: the asker is not read any more until
 * it reads. The runtime's own packets are few. */
static bool is_always_taken(const Packet *packet) {
  return packet->kind == PACKET_REPLY || packet->kind == PACKET_CANCEL ||
         (packet->flags & PACKET_FLAG_INTERNAL);
}

/* Reads (kind, flags, id, frame, channel) from stack index 2 on and begins the packet. False, with
 * the reason pushed, when that fails. */
static bool begin_packet(lua_State *L, LinkBox *box, Packet *packet) {
  Link *link = box->link;
  *packet = (Packet){
      .kind = (PacketKind)luaL_checkinteger(L, 2),
      .flags = (uint8_t)luaL_checkinteger(L, 3),
      .id = (uint32_t)luaL_checkinteger(L, 4),
      .frame = (uint32_t)luaL_checkinteger(L, 5),
  };
  packet->channel = luaL_checklstring(L, 6, &packet->channel_size);
  if (packet->channel_size > PACKET_CHANNEL_MAX) {
    lua_pushfstring(L, "the channel is longer than %d bytes", PACKET_CHANNEL_MAX);
    return false;
  }
  if (packet->kind == PACKET_SYNC && box->decoding) {
    lua_pushliteral(L, "a finaliser cannot wait while a message is being read");
    return false;
  }
  if (link_queued(link) > link->limits.queue && !is_always_taken(packet)) {
    lua_pushfstring(L, "more than %I bytes wait for the receiver already (limit queueSize)",
                    (lua_Integer)link->limits.queue);
    return false;
  }
  if (link_begin(link) && buf_append(&link->out, packet->channel, packet->channel_size)) {
    return true;
  }
  link_rollback(link);
  lua_pushliteral(L, "not enough memory");
  return false;
}

/* (..., reason on top) -> nil, reason */
static int refuse(lua_State *L) {
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* A link that is closed sends nothing. */
static int drop(lua_State *L) {
  lua_pushboolean(L, 0);
  return 1;
}

/* send(kind, flags, id, frame, channel, ...): sends the values. Returns true; false when more than
 * the high-water mark waits, or the link is closed; nil and the reason, with nothing sent, when it
 * cannot be sent. */
static int l_send(lua_State *L) {
  LinkBox *box = check_box(L);
  Link *link = box->link;
  if (!link) return drop(L);
  Packet packet;
  int count = lua_gettop(L) - 6;
  if (count > VALUES_MAX) {
    lua_pushfstring(L, "more than %d values in one message", VALUES_MAX);
    return refuse(L);
  }
  if (!begin_packet(L, box, &packet)) return refuse(L);
  CloneLimits limits = write_limits(link, &packet);
  const char *what = packet.kind == PACKET_REPLY ? "result" : "argument";
  if (count > 0 && !clone_write(box->state->clone, L, 7, count, &limits, NULL, what, &link->out)) {
    link_rollback(link);
    return refuse(L);
  }
  lua_pushboolean(L, link_commit(link, &packet));
  return 1;
}

/* send_raw(kind, flags, id, frame, channel, body): the same with the body's bytes. */
static int l_send_raw(lua_State *L) {
  LinkBox *box = check_box(L);
  Link *link = box->link;
  if (!link) return drop(L);
  size_t size;
  const char *body = luaL_checklstring(L, 7, &size);
  if (size > link->limits.message) {
    lua_pushfstring(L, "could not encode: larger than %I bytes (limit messageSize)",
                    (lua_Integer)link->limits.message);
    return refuse(L);
  }
  Packet packet;
  if (!begin_packet(L, box, &packet)) return refuse(L);
  if (!buf_append(&link->out, body, size)) {
    link_rollback(link);
    lua_pushliteral(L, "not enough memory");
    return refuse(L);
  }
  lua_pushboolean(L, link_commit(link, &packet));
  return 1;
}

/* wait_reply(id): blocks until the reply to `id` is here. Returns its flags and values, or nil when
 * the link ended first. */
static int l_wait_reply(lua_State *L) {
  LinkBox *box = check_box(L);
  Link *link = box->link;
  Packet packet;
  size_t offset;
  lua_settop(L, 2);
  if (!link || link->fd < 0 ||
      !link_wait_reply(link, (uint32_t)luaL_checkinteger(L, 2), &packet, &offset)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, packet.flags);
  const char *error = NULL;
  int count = push_body(L, box, &packet, &error);
  if (count < 0) {
    link_fail(link, error);
    lua_pushnil(L);
    return 1;
  }
  link_remove(link, offset, &packet);
  return 1 + count;
}

/* is_full(): more waits to be written than the high-water mark. */
static int l_is_full(lua_State *L) {
  const Link *link = check_link(L);
  lua_pushboolean(L, link_queued(link) > link->limits.high_water);
  return 1;
}

/* drain(ms): blocks until all is written, for ms at most. */
static int l_drain(lua_State *L) {
  link_drain(check_link(L), (int)luaL_checkinteger(L, 2));
  return 0;
}

/* fail(reason): the peer broke the protocol. Nothing more is read; on_end follows. */
static int l_fail(lua_State *L) {
  Link *link = check_box(L)->link;
  const char *reason = luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, FAULT); /* keeps the text */
  if (link) link_fail(link, reason);
  return 0;
}

/* close(), and the collector's end of it. Idempotent. */
static int l_close(lua_State *L) {
  LinkBox *box = check_box(L);
  if (!box->link) return 0;
  box->link->data = NULL;
  link_close(box->link);
  box->link = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, box->self);
  box->self = LUA_NOREF;
  return 0;
}

static const luaL_Reg methods[] = {
    {"open", l_open},
    {"set_receivers", l_set_receivers},
    {"take_queue", l_take_queue},
    {"limits", l_limits},
    {"send", l_send},
    {"send_raw", l_send_raw},
    {"wait_reply", l_wait_reply},
    {"is_full", l_is_full},
    {"drain", l_drain},
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
  lua_pushinteger(L, JSON_RECEIVERS);
  lua_setfield(L, -2, "JSON_RECEIVERS");
  lua_pushinteger(L, VALUES_MAX);
  lua_setfield(L, -2, "VALUES_MAX");
  lua_pushinteger(L, QUESTION_ID_MAX);
  lua_setfield(L, -2, "QUESTION_ID_MAX");
  lua_pushinteger(L, PROTOCOL_VERSION);
  lua_setfield(L, -2, "PROTOCOL_VERSION");
}

/* Pushes a table of the methods, whose upvalue is the metatable on top of the stack. */
static void push_methods(lua_State *L) {
  lua_newtable(L);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 1);
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
  lua_getfield(L, -2, "send"); /* for callers that know what they have */
  lua_setfield(L, -2, "send");
  set_constants(L);
  return 1;
}
