/* SPDX-License-Identifier: MIT
 * core.link, what comes in. A packet is one task: it decodes the packet and goes on into the app's
 * function. What happens all the time is done here: a question with a handler, an answer to a
 * promise, a message with one listener. All else goes to the callbacks in Lua, by its kind. */
#include "bind/link_box.h"
#include "bind/promise.h"
#include "vm/json_weight.h"

#include <lauxlib.h>
#include <string.h>

/* The stack of a task that runs a function of the app's. */
enum { TASK_BOX = 1, TASK_CHANNEL, TASK_CATCH, TASK_FUNCTION, TASK_EVENT };

static int read_clone(lua_State *L, LinkBox *box, const Packet *packet) {
  if (packet->body_size == 0) return 0;
  CloneLimits limits = link_box_limits(box, packet);
  limits.size = box->link->limits.message + LINK_OWN_ROOM; /* the sender knows which these are */
  const char *error = NULL;
  box->decoding = true;
  int count =
      clone_read(box->state->clone, L, packet->body, packet->body_size, &limits, NULL, &error);
  box->decoding = false;
  if (count < 0 && box->link) link_fail(box->link, error);
  return count;
}

/* decode(owner, text) has failed the link itself if it returns false. */
static int read_json(lua_State *L, int index, LinkBox *box, const Packet *packet) {
  int top = lua_gettop(L);
  size_t weight_max = clone_weight_max(box->link->limits.message);
  if (!json_weight_fits((const char *)packet->body, packet->body_size, weight_max)) {
    link_fail(box->link, "values that take too much memory (limit messageSize)");
    return -1;
  }
  const char *text = (const char *)packet->body;
  if (!json_depth_fits(text, packet->body_size, link_box_limits(box, packet).depth)) {
    link_fail(box->link, "tables inside one another beyond the limit depth");
    return -1;
  }
  link_box_callback(L, index, "decode");
  box->decoding = true;
  lua_pushlstring(L, (const char *)packet->body, packet->body_size);
  lua_call(L, 2, LUA_MULTRET);
  box->decoding = false;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  bool ok = lua_toboolean(L, top + 1);
  lua_remove(L, top + 1);
  return ok ? lua_gettop(L) - top : -1;
}

int link_box_read(lua_State *L, int index, LinkBox *box, const Packet *packet) {
  if (!box->link) return -1; /* a finaliser has closed it */
  bool is_json = packet->flags & PACKET_FLAG_JSON;
  int count = is_json ? read_json(L, index, box, packet) : read_clone(L, box, packet);
  if (count <= link_box_values_max(box, packet)) return count;
  if (box->link) link_fail(box->link, "more values in one message than the limit values");
  return -1;
}

/* Reads the values; false when the packet ends here: the link failed, or was closed meanwhile. */
static bool read_all(lua_State *L, LinkBox *box, const Packet *packet, int *count) {
  *count = link_box_read(L, TASK_BOX, box, packet);
  if (*count < 0 || !box->link) return false;
  link_finish_packet(box->link);
  return true;
}

static int after_call(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 0;
}

/* ---- to Lua, whatever it is ---- */

/* callbacks[kind](owner, flags, id, frame, channel, ...) */
static int pass_to_lua(lua_State *L, LinkBox *box, const Packet *packet) {
  int count;
  lua_settop(L, TASK_BOX);
  lua_getiuservalue(L, TASK_BOX, BOX_CALLBACKS);
  lua_rawgeti(L, -1, packet->kind);
  lua_replace(L, -2);
  lua_getiuservalue(L, TASK_BOX, BOX_OWNER);
  lua_pushinteger(L, packet->flags);
  lua_pushinteger(L, packet->id);
  lua_pushinteger(L, packet->frame);
  lua_pushlstring(L, packet->channel, packet->channel_size);
  if (!read_all(L, box, packet, &count)) return 0;
  lua_callk(L, 5 + count, 0, 0, after_call);
  return 0;
}

/* ---- answers ---- */

static int receive_reply(lua_State *L, LinkBox *box, const Packet *packet) {
  enum { PENDING = TASK_BOX + 1, PROMISE };
  int count;
  lua_getiuservalue(L, TASK_BOX, BOX_PENDING);
  bool expected = lua_rawgeti(L, PENDING, packet->id) == LUA_TUSERDATA;
  if (!expected || (packet->flags & PACKET_FLAG_ERROR)) return pass_to_lua(L, box, packet);
  if ((count = link_box_read(L, TASK_BOX, box, packet)) < 0) return 0;
  promise_settle(box->state, L, PROMISE, PROMISE_FULFILLED, count);
  /* Not sooner: what fails until here ends the link, which rejects what is pending. */
  lua_pushnil(L);
  lua_rawseti(L, PENDING, packet->id);
  numbers_put(&box->numbers, packet->id);
  if (box->link) link_finish_packet(box->link);
  return 0;
}

/* ---- functions of the app's ---- */

/* As a rule it is the last packet's: then Lua need not look for its string. */
static void push_channel(lua_State *L, LinkBox *box, const Packet *packet) {
  size_t size = packet->channel_size;
  if (box->channel && size == box->channel_size &&
      memcmp(packet->channel, box->channel, size) == 0) {
    lua_getiuservalue(L, TASK_BOX, BOX_CHANNEL);
    return;
  }
  const char *channel = lua_pushlstring(L, packet->channel, size);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, TASK_BOX, BOX_CHANNEL);
  box->channel = channel;
  box->channel_size = size;
}

/* Puts an event of the class `which` at TASK_EVENT. */
static void push_event(lua_State *L, int which) {
  lua_createtable(L, which == BOX_SYNC_EVENT ? SYNC_SLOTS : 0, 0);
  lua_getiuservalue(L, TASK_BOX, which);
  lua_setmetatable(L, -2);
}

static void set_open(lua_State *L, lua_Integer id) {
  lua_getiuservalue(L, TASK_BOX, BOX_OPEN);
  lua_insert(L, -2);
  lua_rawseti(L, -2, id);
  lua_pop(L, 1);
}

/* Whether the question is still this task's to answer. */
static bool is_open(lua_State *L, lua_Integer id) {
  return link_box_is_open(L, TASK_BOX, id, TASK_EVENT);
}

/* That each has a number of its own, up to a limit, bounds how many can be open. */
static bool is_new_question(lua_State *L, const LinkBox *box, const Packet *packet) {
  if (packet->id > box->questions_max || packet->frame != 0) return false;
  lua_getiuservalue(L, TASK_BOX, BOX_OPEN);
  bool is_new = lua_rawgeti(L, -1, packet->id) == LUA_TNIL;
  lua_pop(L, 2);
  return is_new;
}

/* Calls callbacks[name](owner, id, ...) with the `count` values on top. */
static int call_back(lua_State *L, const char *name, lua_Integer id, int count) {
  int first = lua_gettop(L) - count + 1;
  link_box_callback(L, TASK_BOX, name);
  lua_pushinteger(L, id);
  lua_rotate(L, first, 3);
  lua_callk(L, count + 2, 0, 0, after_call);
  return 0;
}

/* ---- questions ---- */

/* The handler for the channel in the list of tables on top, which it replaces. One for one call is
 * in a table, and goes. False, with nothing pushed, when there is none. */
static bool find_handler(lua_State *L) {
  int lists = lua_gettop(L), type = LUA_TNIL;
  for (int i = 1; type == LUA_TNIL && lua_rawgeti(L, lists, i) == LUA_TTABLE; i++) {
    lua_pushvalue(L, TASK_CHANNEL);
    type = lua_rawget(L, -2);
    if (type != LUA_TNIL) break;
    lua_pop(L, 2);
  }
  if (type == LUA_TTABLE) {
    lua_pushvalue(L, TASK_CHANNEL);
    lua_pushnil(L);
    lua_rawset(L, -4);
    lua_rawgeti(L, -1, 1);
  }
  if (type != LUA_TNIL) lua_replace(L, lists);
  lua_settop(L, type == LUA_TNIL ? lists - 1 : lists);
  return type != LUA_TNIL;
}

static bool has_field(lua_State *L, int table, const char *name) {
  lua_pushstring(L, name);
  bool has = lua_rawget(L, table) != LUA_TNIL;
  lua_pop(L, 1);
  return has;
}

/* Whether what a handler returned may be a promise, or like one: then its outcome answers. */
static bool may_be_promise(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TUSERDATA) return promise_at(L, index) != NULL;
  if (lua_type(L, index) != LUA_TTABLE) return false;
  if (lua_getmetatable(L, index)) {
    lua_pop(L, 1);
    return true;
  }
  return has_field(L, index, "andThen") || has_field(L, index, "next");
}

/* The handler has returned, or failed: its results, or the error, are behind the event. */
static int answer(lua_State *L, int status, lua_KContext id) {
  LinkBox *box = lua_touserdata(L, TASK_BOX);
  luaL_checkstack(L, LUA_MINSTACK, NULL); /* the results may have taken all */
  int first = TASK_EVENT + 1;
  if (!box->link || !is_open(L, id)) return 0;
  if (status != LUA_OK && status != LUA_YIELD) return call_back(L, "answer_raised", id, 1);
  if (lua_gettop(L) >= first && may_be_promise(L, first))
    return call_back(L, "answer_promise", id, lua_gettop(L) - first + 1);
  if (!link_box_answer(L, TASK_BOX, box, id, first)) return call_back(L, "answer_error", id, 1);
  return 0;
}

/* Calls the function at TASK_FUNCTION with the event and the `count` values above it, so that the
 * event stays where it is. */
static int call_function(lua_State *L, int count, lua_KContext id, lua_KFunction done) {
  lua_pushvalue(L, TASK_FUNCTION);
  lua_pushvalue(L, TASK_EVENT);
  lua_rotate(L, TASK_EVENT + 1, 2);
  int status = lua_pcallk(L, 1 + count, LUA_MULTRET, TASK_CATCH, id, done);
  return done(L, status, id);
}

static int receive_invoke(lua_State *L, LinkBox *box, const Packet *packet) {
  int count;
  lua_Integer id = packet->id;
  if (!is_new_question(L, box, packet)) return pass_to_lua(L, box, packet);
  push_channel(L, box, packet);
  lua_getiuservalue(L, TASK_BOX, BOX_CATCH);
  lua_getiuservalue(L, TASK_BOX, BOX_HANDLERS);
  if (!find_handler(L)) return pass_to_lua(L, box, packet);
  push_event(L, BOX_EVENT);
  lua_pushvalue(L, TASK_EVENT);
  set_open(L, id);
  if (!read_all(L, box, packet, &count)) return 0;
  return call_function(L, count, id, answer);
}

/* ---- messages ---- */

/* Puts the only listener to the channel, a plain function, in the place of the list of tables on
 * top; nil when there is none. False if it is not so simple. */
static bool find_only_listener(lua_State *L) {
  int lists = lua_gettop(L), found = lists + 1;
  bool simple = true;
  lua_pushnil(L);
  for (int i = 1; simple && lua_rawgeti(L, lists, i) == LUA_TTABLE; i++) {
    lua_pushvalue(L, TASK_CHANNEL);
    if (lua_rawget(L, -2) == LUA_TTABLE) {
      simple = lua_isnil(L, found) && lua_rawlen(L, -1) == 1;
      simple = lua_rawgeti(L, -1, 1) == LUA_TFUNCTION && simple;
      lua_replace(L, found);
    }
    lua_settop(L, found);
  }
  lua_settop(L, found);
  lua_replace(L, lists);
  return simple;
}

static bool is_watched(lua_State *L, const char *name) {
  bool watched = false;
  if (lua_getiuservalue(L, TASK_BOX, BOX_WATCHERS) == LUA_TTABLE) {
    watched = has_field(L, lua_gettop(L), name);
  }
  lua_pop(L, 1);
  return watched;
}

/* Pushes what comes before the event. False where more than one function is to be called. */
static bool push_listener(lua_State *L, LinkBox *box, const Packet *packet, const char *watchers) {
  if (is_watched(L, watchers)) return false;
  push_channel(L, box, packet);
  lua_getiuservalue(L, TASK_BOX, BOX_CATCH);
  lua_getiuservalue(L, TASK_BOX, BOX_LISTENERS);
  return find_only_listener(L);
}

/* An error leaves the task, and is reported as uncaught. */
static int receive_message(lua_State *L, LinkBox *box, const Packet *packet) {
  int count;
  bool simple = packet->frame == 0 && packet->id == 0;
  if (!simple || !push_listener(L, box, packet, "ipc-message")) return pass_to_lua(L, box, packet);
  push_event(L, BOX_EVENT);
  if (!read_all(L, box, packet, &count) || lua_isnil(L, TASK_FUNCTION)) return 0;
  lua_callk(L, 1 + count, 0, 0, after_call);
  return 0;
}

/* ---- questions whose asker blocks ---- */

/* The listener has returned, or failed: should it not have answered, nobody will. */
static int sync_done(lua_State *L, int status, lua_KContext id) {
  const LinkBox *box = lua_touserdata(L, TASK_BOX);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (status != LUA_OK && status != LUA_YIELD) {
    link_box_callback(L, TASK_BOX, "uncaught");
    lua_pushvalue(L, -3);
    lua_call(L, 2, 0);
  }
  if (!box->link || !is_open(L, id)) return 0;
  link_box_callback(L, TASK_BOX, "answer_unset");
  lua_pushvalue(L, TASK_EVENT);
  lua_callk(L, 2, 0, 0, after_call);
  return 0;
}

static int receive_sync(lua_State *L, LinkBox *box, const Packet *packet) {
  int count;
  lua_Integer id = packet->id;
  if (!is_new_question(L, box, packet)) return pass_to_lua(L, box, packet);
  bool simple = push_listener(L, box, packet, "ipc-message-sync");
  if (!simple || lua_isnil(L, TASK_FUNCTION)) return pass_to_lua(L, box, packet);
  push_event(L, BOX_SYNC_EVENT);
  lua_pushinteger(L, id);
  lua_rawseti(L, TASK_EVENT, SYNC_ID);
  lua_pushvalue(L, TASK_CHANNEL);
  lua_rawseti(L, TASK_EVENT, SYNC_CHANNEL);
  lua_pushvalue(L, TASK_BOX);
  lua_rawseti(L, TASK_EVENT, SYNC_BOX);
  lua_pushvalue(L, TASK_EVENT);
  set_open(L, id);
  if (!read_all(L, box, packet, &count)) return 0;
  return call_function(L, count, id, sync_done);
}

int link_box_receive(lua_State *L) {
  LinkBox *box = lua_touserdata(L, 1);
  const Packet *packet = lua_touserdata(L, 2);
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  if (packet->channel_size > link_box_channel_max(box, packet)) {
    link_fail(box->link, "a channel longer than the limit channelSize");
    return 0;
  }
  if (!box->greeted || (packet->flags & PACKET_FLAG_INTERNAL)) return pass_to_lua(L, box, packet);
  switch (packet->kind) {
  case PACKET_REPLY: return receive_reply(L, box, packet);
  case PACKET_INVOKE: return receive_invoke(L, box, packet);
  case PACKET_MESSAGE: return receive_message(L, box, packet);
  case PACKET_SYNC: return receive_sync(L, box, packet);
  default: return pass_to_lua(L, box, packet);
  }
}
