/* SPDX-License-Identifier: MIT
 * core.link, what comes in. A packet is one task: it decodes the packet and goes on into the app's
 * function. What happens all the time is done here: a question with a handler, an answer to a
 * promise, a message with one listener. All else goes to the callbacks in Lua, by its kind. */
#include "bind/link_box.h"
#include "bind/promise.h"
#include "vm/json_weight.h"

#include <lauxlib.h>
#include <string.h>

/* The stack of a task; from TASK_OPEN on, that of one that answers a question. */
enum { TASK_BOX = 1, TASK_OPEN, TASK_CATCH, TASK_EVENT, TASK_FUNCTION };

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
  lua_geti(L, -1, packet->kind); /* loads it, perhaps */
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

/* Pushes an event of the class `which`. */
static void push_event(lua_State *L, int which) {
  lua_createtable(L, which == BOX_SYNC_EVENT ? SYNC_SLOTS : 0, 0);
  lua_getiuservalue(L, TASK_BOX, which);
  lua_setmetatable(L, -2);
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

/* ---- routes ---- */

typedef enum Found { FOUND_SEVERAL, FOUND_ONCE, FOUND_ALWAYS } Found;

/* Pushes the handler for the channel on top, or nil. One for one call is in a table, and goes. */
static Found find_handler(lua_State *L) {
  int channel = lua_gettop(L), found = channel + 1, lists = found + 1, type = LUA_TNIL;
  lua_pushnil(L);
  lua_getiuservalue(L, TASK_BOX, BOX_HANDLERS);
  for (int i = 1; type == LUA_TNIL && lua_rawgeti(L, lists, i) == LUA_TTABLE; i++) {
    lua_pushvalue(L, channel);
    type = lua_rawget(L, -2);
    lua_replace(L, found);
    if (type == LUA_TNIL) lua_pop(L, 1);
  }
  if (type == LUA_TTABLE) {
    lua_pushvalue(L, channel);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_rawgeti(L, found, 1);
    lua_replace(L, found);
  }
  lua_settop(L, found);
  return type == LUA_TTABLE ? FOUND_ONCE : FOUND_ALWAYS;
}

static bool is_watched(lua_State *L, const char *name) {
  int top = lua_gettop(L);
  lua_pushstring(L, name);
  bool watched = lua_getiuservalue(L, TASK_BOX, BOX_WATCHERS) == LUA_TTABLE;
  if (watched) {
    lua_insert(L, -2);
    watched = lua_rawget(L, -2) != LUA_TNIL;
  }
  lua_settop(L, top);
  return watched;
}

/* Pushes the only listener to the channel on top, a plain function; nil when there is none. */
static Found find_listener(lua_State *L, const char *watchers) {
  int channel = lua_gettop(L), found = channel + 1, lists = found + 1;
  bool simple = !is_watched(L, watchers);
  lua_pushnil(L);
  lua_getiuservalue(L, TASK_BOX, BOX_LISTENERS);
  for (int i = 1; simple && lua_rawgeti(L, lists, i) == LUA_TTABLE; i++) {
    lua_pushvalue(L, channel);
    if (lua_rawget(L, -2) == LUA_TTABLE) {
      simple = lua_isnil(L, found) && lua_rawlen(L, -1) == 1;
      simple = lua_rawgeti(L, -1, 1) == LUA_TFUNCTION && simple;
      lua_replace(L, found);
    }
    lua_settop(L, lists);
  }
  lua_settop(L, found);
  return simple ? FOUND_ALWAYS : FOUND_SEVERAL;
}

/* Finds the function for the packet, whose channel is on top. Once it looks, nothing is allocated
 * until the function is remembered: finalisers could add or remove one. */
static Found find(lua_State *L, const Packet *packet) {
  switch (packet->kind) {
  case PACKET_INVOKE: return find_handler(L);
  case PACKET_SYNC: return find_listener(L, "ipc-message-sync");
  default: return find_listener(L, "ipc-message");
  }
}

/* The user value that has the route's channel; the next has its function. */
static int value_of(const LinkBox *box, const Route *route) {
  return BOX_ROUTES + 2 * (int)(route - box->routes);
}

/* Where the packet's route is, if it has one. */
static Route *route_of(LinkBox *box, const Packet *packet) {
  size_t size = packet->channel_size;
  size_t last = size > 0 ? (uint8_t)packet->channel[size - 1] : 0;
  return &box->routes[(packet->kind + size + last) % BOX_ROUTES_MAX];
}

/* Remembers the function on top, or that there is none, for the channel below. */
static void remember(lua_State *L, LinkBox *box, Route *route, const Packet *packet) {
  if (!box->link) return; /* a finaliser has closed it */
  const char *channel = lua_tostring(L, -2);
  *route = (Route){channel, packet->channel_size, (uint8_t)packet->kind};
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, TASK_BOX, value_of(box, route));
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, TASK_BOX, value_of(box, route) + 1);
  if (list_empty(&box->routed)) list_append(&box->state->routed, &box->routed);
}

/* Pushes the function of the app's that the packet is for, nil when there is none. False where more
 * than one is to be called. */
static bool push_route(lua_State *L, LinkBox *box, const Packet *packet) {
  Route *route = route_of(box, packet);
  if (route->kind == packet->kind && route->size == packet->channel_size &&
      memcmp(route->channel, packet->channel, route->size) == 0) {
    lua_getiuservalue(L, TASK_BOX, value_of(box, route) + 1);
    return true;
  }
  lua_pushlstring(L, packet->channel, packet->channel_size);
  Found found = find(L, packet);
  if (found == FOUND_ALWAYS) remember(L, box, route, packet);
  lua_remove(L, -2);
  return found != FOUND_SEVERAL;
}

/* ---- questions ---- */

/* Puts the table of open questions at TASK_OPEN. Returns whether this one is not among them: that
 * each has a number of its own, up to a limit, bounds how many can be open. */
static bool is_new_question(lua_State *L, const LinkBox *box, const Packet *packet) {
  if (packet->id > box->questions_max || packet->frame != 0) return false;
  lua_getiuservalue(L, TASK_BOX, BOX_OPEN);
  bool is_new = lua_rawgeti(L, TASK_OPEN, packet->id) == LUA_TNIL;
  lua_pop(L, 1);
  return is_new;
}

/* Whether the question is still this task's to answer. */
static bool is_open(lua_State *L, lua_Integer id) {
  return link_box_is_open(L, TASK_OPEN, id, TASK_EVENT);
}

/* Pushes what is to answer the question: at TASK_FUNCTION its function, and the event, of the class
 * `which`. False when there is none, or more than one. */
static bool find_answerer(lua_State *L, LinkBox *box, const Packet *packet, int which) {
  if (!is_new_question(L, box, packet)) return false;
  lua_getiuservalue(L, TASK_BOX, BOX_CATCH);
  push_event(L, which);
  if (!push_route(L, box, packet) || lua_isnil(L, TASK_FUNCTION)) return false;
  lua_pushvalue(L, TASK_EVENT);
  return true;
}

/* The question is open. Calls the function with the event and the values, then done. */
static int call_answerer(lua_State *L, LinkBox *box, const Packet *packet, lua_KFunction done) {
  int count;
  lua_Integer id = packet->id;
  lua_pushvalue(L, TASK_EVENT);
  lua_rawseti(L, TASK_OPEN, id);
  if (!read_all(L, box, packet, &count)) return 0;
  int status = lua_pcallk(L, 1 + count, LUA_MULTRET, TASK_CATCH, id, done);
  return done(L, status, id);
}

/* ---- questions to a handler ---- */

/* Whether what a handler returned may be a promise, or like one: then its outcome answers. */
static bool may_be_promise(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TUSERDATA) return promise_at(L, index) != NULL;
  if (lua_type(L, index) != LUA_TTABLE) return false;
  if (lua_getmetatable(L, index)) {
    lua_pop(L, 1);
    return true;
  }
  lua_getiuservalue(L, TASK_BOX, BOX_AND_THEN);
  bool is_plain = lua_rawget(L, index) == LUA_TNIL;
  lua_getiuservalue(L, TASK_BOX, BOX_NEXT);
  is_plain = lua_rawget(L, index) == LUA_TNIL && is_plain;
  lua_pop(L, 2);
  return !is_plain;
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
  if (!link_box_answer(L, TASK_BOX, box, TASK_OPEN, id, first))
    return call_back(L, "answer_error", id, 1);
  return 0;
}

static int receive_invoke(lua_State *L, LinkBox *box, const Packet *packet) {
  if (!find_answerer(L, box, packet, BOX_EVENT)) return pass_to_lua(L, box, packet);
  return call_answerer(L, box, packet, answer);
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
  if (!find_answerer(L, box, packet, BOX_SYNC_EVENT)) return pass_to_lua(L, box, packet);
  lua_pushinteger(L, packet->id);
  lua_rawseti(L, TASK_EVENT, SYNC_ID);
  lua_getiuservalue(L, TASK_BOX, value_of(box, route_of(box, packet)));
  lua_rawseti(L, TASK_EVENT, SYNC_CHANNEL);
  lua_pushvalue(L, TASK_BOX);
  lua_rawseti(L, TASK_EVENT, SYNC_BOX);
  return call_answerer(L, box, packet, sync_done);
}

/* ---- messages ---- */

/* An error leaves the task, and is reported as uncaught. */
static int receive_message(lua_State *L, LinkBox *box, const Packet *packet) {
  enum { LISTENER = TASK_BOX + 1 };
  int count;
  bool simple = packet->frame == 0 && packet->id == 0;
  if (!simple || !push_route(L, box, packet)) return pass_to_lua(L, box, packet);
  push_event(L, BOX_EVENT);
  if (!read_all(L, box, packet, &count) || lua_isnil(L, LISTENER)) return 0;
  lua_callk(L, 1 + count, 0, 0, after_call);
  return 0;
}

int link_box_receive(lua_State *L) {
  LinkBox *box = lua_touserdata(L, TASK_BOX);
  const Packet *packet = box->packet;
  if (packet->channel_size > link_box_channel_max(box, packet)) {
    link_fail(box->link, "a channel longer than the limit channelSize");
    return 0;
  }
  bool greets = packet->kind == PACKET_HELLO || packet->kind == PACKET_BOOT;
  if (!box->greeted && !greets) {
    link_fail(box->link, "something before its greeting");
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
