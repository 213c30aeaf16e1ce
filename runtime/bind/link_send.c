/* SPDX-License-Identifier: MIT
 * core.link, what goes out: messages, questions and answers. */
#include "bind/link_box.h"
#include "bind/promise.h"
#include "vm/json_weight.h"

#include <lauxlib.h>

/* Upvalues of the functions that public_functions() makes. */
enum { UP_BOX = 1, UP_REFUSE, UP_COUNT = UP_REFUSE };

/* A question that came must have its answer, whatever waits: the asker is not read any more until
 * it reads. The runtime's own packets are few. */
static bool is_always_taken(const Packet *packet) {
  return packet->kind == PACKET_REPLY || packet->kind == PACKET_CANCEL ||
         (packet->flags & PACKET_FLAG_INTERNAL);
}

CloneLimits link_box_limits(const LinkBox *box, const Packet *packet) {
  bool own = packet->flags & (PACKET_FLAG_INTERNAL | PACKET_FLAG_ERROR);
  size_t size = box->link->limits.message + (own ? LINK_OWN_ROOM : 0);
  int depth = own ? LINK_DEPTH_MAX : box->depth_max;
  return (CloneLimits){.size = size, .depth = depth, .share = &box->share};
}

static const char *name_of_values(const Packet *packet) {
  return packet->kind == PACKET_REPLY ? "result" : "argument";
}

/* Begins the packet. False, with the reason pushed, when that fails. */
static bool begin(lua_State *L, LinkBox *box, Packet *packet, int channel) {
  Link *link = box->link;
  packet->channel = channel ? lua_tolstring(L, channel, &packet->channel_size) : "";
  if (packet->channel_size > link_box_channel_max(box, packet)) {
    lua_pushfstring(L, "the channel is longer than %d bytes (limit channelSize)",
                    (int)box->channel_max);
    return false;
  }
  if (packet->kind == PACKET_SYNC && (box->decoding || link->current > 0)) {
    lua_pushliteral(L, "a finaliser cannot wait while a message is being read");
    return false;
  }
  if (!is_always_taken(packet) && link_unread(link) > link->limits.queue) {
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

/* Pushes the JSON text of the values, or the reason against it. It is made before the packet
 * begins, since it runs Lua. */
static bool to_json(lua_State *L, int index, const Packet *packet, int first, int count) {
  luaL_checkstack(L, count + LUA_MINSTACK, NULL);
  link_box_callback(L, index, "encode");
  lua_pop(L, 1);
  lua_pushstring(L, name_of_values(packet));
  for (int i = 0; i < count; i++) lua_pushvalue(L, first + i);
  lua_call(L, count + 1, 2);
  if (lua_type(L, -2) != LUA_TSTRING) return false;
  lua_pop(L, 1);
  return true;
}

static bool write_json(lua_State *L, LinkBox *box, const Packet *packet) {
  Link *link = box->link;
  size_t size;
  const char *text = lua_tolstring(L, -1, &size);
  CloneLimits limits = link_box_limits(box, packet);
  if (size > limits.size) {
    lua_pushfstring(L, "could not encode: larger than %I bytes (limit messageSize)",
                    (lua_Integer)link->limits.message);
    return false;
  }
  if (!json_depth_fits(text, size, limits.depth)) {
    lua_pushfstring(L, "could not encode: nested deeper than %d tables (limit depth)",
                    limits.depth);
    return false;
  }
  if (!json_weight_fits(text, size, clone_weight_max(link->limits.message))) {
    lua_pushfstring(L,
                    "could not encode: values that would take too much memory for a message of "
                    "%I bytes (limit messageSize)",
                    (lua_Integer)link->limits.message);
    return false;
  }
  if (buf_append(&link->out, text, size)) return true;
  lua_pushliteral(L, "not enough memory");
  return false;
}

static bool write_values(lua_State *L, LinkBox *box, const Packet *packet, int first, int count) {
  if (packet->flags & PACKET_FLAG_JSON) return write_json(L, box, packet);
  if (count == 0) return true;
  CloneLimits limits = link_box_limits(box, packet);
  return clone_write(box->state->clone, L, first, count, &limits, NULL, name_of_values(packet),
                     &box->link->out);
}

int link_box_write(lua_State *L, int index, LinkBox *box, Packet *packet, int channel, int first,
                   int count) {
  if (count > link_box_values_max(box, packet)) {
    lua_pushfstring(L, "more than %d values in one message (limit values)", box->values_max);
    return -1;
  }
  if ((packet->flags & PACKET_FLAG_JSON) && !to_json(L, index, packet, first, count)) return -1;
  if (!box->link) return 0; /* closed by what the making of JSON ran */
  if (!begin(L, box, packet, channel)) return -1;
  if (write_values(L, box, packet, first, count)) return link_commit(box->link, packet);
  link_rollback(box->link);
  return -1;
}

/* (..., reason on top) -> nil, reason */
static int refuse(lua_State *L) {
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* send(kind, flags, id, frame, channel, ...): sends the values. Returns true; false when more than
 * the high-water mark waits, or the link is closed; nil and the reason, with nothing sent, when it
 * cannot be sent. */
static int l_send(lua_State *L) {
  LinkBox *box = link_box_check(L);
  Packet packet = {
      .kind = (PacketKind)luaL_checkinteger(L, 2),
      .flags = (uint8_t)luaL_checkinteger(L, 3),
      .id = (uint32_t)luaL_checkinteger(L, 4),
      .frame = (uint32_t)luaL_checkinteger(L, 5),
  };
  luaL_checktype(L, 6, LUA_TSTRING);
  int sent = box->link ? link_box_write(L, 1, box, &packet, 6, 7, lua_gettop(L) - 6) : 0;
  if (sent < 0) return refuse(L);
  lua_pushboolean(L, sent);
  return 1;
}

/* ---- questions ---- */

/* Pushes why there is no number for a question. */
static uint32_t push_no_number(lua_State *L, const LinkBox *box) {
  if (box->numbers.last < box->questions_max) {
    lua_pushliteral(L, "not enough memory");
  } else {
    lua_pushfstring(L, "%d questions wait for their answers already (limit openInvokes)",
                    (int)box->questions_max);
  }
  return 0;
}

/* Sends the question and returns its number; 0, with the reason pushed, when it cannot be sent.
 * `index` is the box's; the channel stands at `channel`, the `count` values behind it. */
static uint32_t send_question(lua_State *L, int index, LinkBox *box, PacketKind kind, int flags,
                              int channel, int count) {
  Packet packet = {.kind = kind, .flags = (uint8_t)flags};
  packet.id = numbers_take(&box->numbers, box->questions_max);
  if (packet.id == 0) return push_no_number(L, box);
  if (link_box_write(L, index, box, &packet, channel, channel + 1, count) >= 0) return packet.id;
  numbers_put(&box->numbers, packet.id);
  return 0;
}

/* Asks the question whose channel stands at `channel`, the values behind it. Pushes a promise and
 * returns 1; 0 when the link was closed meanwhile; -1, with the reason pushed, when it cannot be
 * sent. The promise comes first, as making it may run finalisers. */
static int ask(lua_State *L, int index, LinkBox *box, int flags, int channel) {
  int count = lua_gettop(L) - channel, answer = channel + count + 1;
  Promise *promise = promise_push(L);
  promise->question = send_question(L, index, box, PACKET_INVOKE, flags, channel, count);
  if (promise->question == 0) return -1;
  if (!box->link) return 0;
  lua_getiuservalue(L, index, BOX_ON_CANCEL);
  lua_setiuservalue(L, answer, PROMISE_ON_CANCEL);
  lua_pushvalue(L, channel);
  lua_setiuservalue(L, answer, PROMISE_CHANNEL);
  lua_getiuservalue(L, index, BOX_PENDING);
  lua_pushvalue(L, answer);
  lua_rawseti(L, -2, promise->question);
  lua_settop(L, answer);
  return 1;
}

/* ask(flags, channel, ...): a promise for the answer; nil and the reason when the question cannot
 * be sent; false when the link is closed. */
static int l_ask(lua_State *L) {
  LinkBox *box = link_box_check(L);
  int flags = (int)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TSTRING);
  int asked = box->link ? ask(L, 1, box, flags, 3) : 0;
  if (asked < 0) return refuse(L);
  if (asked == 0) lua_pushboolean(L, 0);
  return 1;
}

/* Pushes the flags and the values of the reply to the question `id`, for which it waits; returns
 * how many, 0 when the link ended first. */
static int wait_reply(lua_State *L, int index, LinkBox *box, uint32_t id) {
  Link *link = box->link;
  Packet packet;
  size_t offset;
  bool here = link->fd >= 0 && link_wait_reply(link, id, &packet, &offset);
  numbers_put(&box->numbers, id);
  if (!here) return 0;
  lua_pushinteger(L, packet.flags);
  int count = link_box_read(L, index, box, &packet);
  if (count < 0) return 0;
  if (box->link) link_remove(link, offset, &packet);
  return 1 + count;
}

/* ask_sync(flags, channel, ...): blocks until the answer is here. Returns its flags and values; nil
 * and the reason when the question cannot be sent; false when the link is closed, or ended first.
 */
static int l_ask_sync(lua_State *L) {
  LinkBox *box = link_box_check(L);
  int flags = (int)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TSTRING);
  uint32_t id = 0;
  if (box->link && (id = send_question(L, 1, box, PACKET_SYNC, flags, 3, lua_gettop(L) - 3)) == 0)
    return refuse(L);
  int count = box->link && id > 0 ? wait_reply(L, 1, box, id) : 0;
  if (count > 0) return count;
  lua_pushboolean(L, 0);
  return 1;
}

/* ---- answers ---- */

bool link_box_is_open(lua_State *L, int open, lua_Integer id, int event) {
  lua_rawgeti(L, open, id);
  bool is_open = lua_rawequal(L, -1, event);
  lua_pop(L, 1);
  return is_open;
}

bool link_box_answer(lua_State *L, int index, LinkBox *box, int open, lua_Integer id, int first) {
  Packet packet = {.kind = PACKET_REPLY, .flags = box->codec, .id = (uint32_t)id};
  int count = lua_gettop(L) - first + 1;
  if (link_box_write(L, index, box, &packet, 0, first, count) < 0) return false;
  lua_pushnil(L);
  lua_rawseti(L, open, id);
  return true;
}

/* Raises the reason on top, with the place of the caller. */
static int raise_reason(lua_State *L) {
  luaL_where(L, 1);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

/* Pushes the link of the event of a question; NULL when it has none that is open. */
static LinkBox *push_event_box(lua_State *L) {
  lua_rawgeti(L, 1, SYNC_BOX);
  LinkBox *box = lua_touserdata(L, -1);
  if (!box || !lua_getmetatable(L, -1)) return NULL;
  bool is_link = lua_rawequal(L, -1, lua_upvalueindex(1));
  lua_pop(L, 1);
  return is_link && box->link ? box : NULL;
}

int link_box_return_value(lua_State *L) {
  enum { EVENT = 1, KEY, VALUE, BOX, OPEN, ANSWER };
  luaL_checktype(L, EVENT, LUA_TTABLE);
  lua_settop(L, VALUE);
  if (!lua_rawequal(L, KEY, lua_upvalueindex(2))) {
    lua_rawset(L, EVENT);
    return 0;
  }
  LinkBox *box = push_event_box(L);
  if (!box) return 0;
  lua_rawgeti(L, EVENT, SYNC_ID);
  lua_Integer id = lua_tointeger(L, -1);
  lua_settop(L, BOX);
  lua_getiuservalue(L, BOX, BOX_OPEN);
  if (!link_box_is_open(L, OPEN, id, EVENT)) return 0;
  lua_pushvalue(L, VALUE);
  return link_box_answer(L, BOX, box, OPEN, id, ANSWER) ? 0 : raise_reason(L);
}

/* ---- the functions of ipcRenderer ---- */

/* The box of a public function, whose first argument must be a channel: else refuse(value) raises.
 * The box is put in front of the arguments. */
static LinkBox *check_public(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING) {
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(UP_REFUSE));
    lua_insert(L, 1);
    lua_call(L, 1, 0);
  }
  return lua_touserdata(L, lua_upvalueindex(UP_BOX));
}

/* Calls the callback (owner, ...) with the `count` values on top; its results are ours. */
static int call_back(lua_State *L, const char *name, int count) {
  int first = lua_gettop(L) - count + 1;
  link_box_callback(L, lua_upvalueindex(UP_BOX), name);
  lua_rotate(L, first, 2);
  lua_call(L, count + 1, LUA_MULTRET);
  return lua_gettop(L) - first + 1;
}

/* send(channel, ...): see ipc_renderer.lua, as for the others. */
static int l_public_send(lua_State *L) {
  LinkBox *box = check_public(L);
  Packet packet = {.kind = PACKET_MESSAGE, .flags = box->codec};
  int sent = 0, count = lua_gettop(L) - 1;
  if (box->link) sent = link_box_write(L, lua_upvalueindex(UP_BOX), box, &packet, 1, 2, count);
  if (sent < 0) return raise_reason(L);
  lua_pushboolean(L, sent);
  return 1;
}

/* invoke(channel, ...) */
static int l_public_invoke(lua_State *L) {
  LinkBox *box = check_public(L);
  int index = lua_upvalueindex(UP_BOX);
  int asked = box->link ? ask(L, index, box, box->codec, 1) : 0;
  if (asked < 0) return raise_reason(L);
  return asked > 0 ? 1 : call_back(L, "reject_gone", 0);
}

/* sendSync(channel, ...) */
static int l_public_send_sync(lua_State *L) {
  LinkBox *box = check_public(L);
  int index = lua_upvalueindex(UP_BOX);
  uint32_t id = 0;
  int values = lua_gettop(L) - 1;
  if (box->link && (id = send_question(L, index, box, PACKET_SYNC, box->codec, 1, values)) == 0)
    return raise_reason(L);
  int top = lua_gettop(L), count = box->link && id > 0 ? wait_reply(L, index, box, id) : 0;
  if (count > 0 && !(lua_tointeger(L, top + 1) & PACKET_FLAG_ERROR)) return count - 1;
  lua_pushvalue(L, 1);
  if (count > 1) lua_pushvalue(L, top + 2);
  return call_back(L, count > 0 ? "raise_remote" : "raise_gone", count > 1 ? 2 : 1);
}

/* public_functions(refuse_send, refuse_invoke, refuse_sync): `send`, `invoke` and `sendSync` of
 * ipcRenderer, in the app's codec. Each refuse(value) raises for what is no channel. */
static int l_public_functions(lua_State *L) {
  link_box_check(L);
  static const lua_CFunction functions[] = {l_public_send, l_public_invoke, l_public_send_sync};
  for (int i = 0; i < 3; i++) {
    luaL_checktype(L, 2 + i, LUA_TFUNCTION);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2 + i);
    lua_pushcclosure(L, functions[i], UP_COUNT);
  }
  return 3;
}

const luaL_Reg link_send_methods[] = {
    {"send", l_send},
    {"ask", l_ask},
    {"ask_sync", l_ask_sync},
    {"public_functions", l_public_functions},
    {NULL, NULL},
};
