/* SPDX-License-Identifier: MIT
 * Pages and messages: the functions of lunette.h that main/engine.lua does the work of. */
#include "embed/host.h"

#include "bind/bind.h"

#include <string.h>

/* A request, as a function of lunette.h: its result is the Lua function's, or an error; `ended`
 * when the app has ended, or a hook closes the host meanwhile. */
static int64_t ask_until(LunetteHost *host, Request request, int ended) {
  int status = host_enter(host);
  if (status != LUNETTE_OK) return status;
  if (host->loop->stopped) {
    if (request.values) lua_pop(request.values, request.count);
    return host_leave(host, host_fail(host, ended, "the app has ended"));
  }
  status = host_request(host, &request);
  bool is_closed = host->close_wanted && host->depth == 1;
  host_leave(host, LUNETTE_OK);
  return is_closed ? ended : status == LUNETTE_OK ? request.result : status;
}

static int64_t ask(LunetteHost *host, Request request) {
  return ask_until(host, request, LUNETTE_ENDED);
}

/* For results above zero that are numbers of something. */
static int64_t ask_number(LunetteHost *host, Request request) {
  return ask_until(host, request, LUNETTE_FAILED);
}

/* Why the Lua side gave an error that it did not raise. */
static int64_t explain(LunetteHost *host, int64_t result, int64_t about) {
  if (result == LUNETTE_NO_PAGE) {
    host_fail(host, LUNETTE_NO_PAGE, "there is no page %d, or its renderer has gone", (int)about);
  } else if (result == LUNETTE_INVALID) {
    host_fail(host, LUNETTE_INVALID, "no invoke waits for an answer under that number");
  }
  return result;
}

static int missing(LunetteHost *host, const char *what) {
  int status = host_enter(host);
  if (status != LUNETTE_OK) return status;
  return (int)host_leave(host, host_fail(host, LUNETTE_INVALID, "%s is missing", what));
}

static size_t size_of(const char *text) { return text ? strlen(text) : 0; }

/* ---- pages ---- */

int lunette_page_open(LunetteHost *host, const char *file, const char *options) {
  if (!file) return missing(host, "the file");
  Request request = {
      .name = "page_open", .channel = file, .text = options, .size = size_of(options)};
  return (int)ask_number(host, request);
}

static int ask_page(LunetteHost *host, const char *name, int page) {
  int64_t result = ask(host, (Request){.name = name, .number = page});
  return (int)explain(host, result, page);
}

int lunette_page_reload(LunetteHost *host, int page) { return ask_page(host, "page_reload", page); }

int lunette_page_stop(LunetteHost *host, int page) { return ask_page(host, "page_stop", page); }

int lunette_page_close(LunetteHost *host, int page) { return ask_page(host, "page_close", page); }

/* ---- from pages ---- */

/* A callback and its data, on the Lua side a userdata that the closure `deliver` has. */
typedef struct Callback {
  LunetteCallback function;
  void *data;
} Callback;

/* What the one who asks for a callback passes: it is copied. */
static int set_up(LunetteHost *host, const char *name, const char *channel,
                  LunetteCallback callback, void *data) {
  if (!channel) return missing(host, "the channel");
  Callback given = {.function = callback, .data = data};
  Request request = {.name = name, .channel = channel};
  if (callback) {
    request.text = (const char *)&given;
    request.size = sizeof given;
  }
  return (int)ask(host, request);
}

/* (callback, type, page, id, channel, text, status): calls it at once. The bytes of the callback
 * are a string. */
int host_deliver(lua_State *L) {
  LunetteHost *host = state_from(L)->data;
  Callback callback;
  LunetteEvent event = bind_check_event(L, 2);
  memcpy(&callback, luaL_checkstring(L, 1), sizeof callback);
  callback.function(callback.data, host, &event);
  return 0;
}

int lunette_on(LunetteHost *host, const char *channel, LunetteCallback callback, void *data) {
  return set_up(host, "on", channel, callback, data);
}

int lunette_off(LunetteHost *host, const char *channel) {
  return set_up(host, "off", channel, NULL, NULL);
}

int lunette_handle(LunetteHost *host, const char *channel, LunetteCallback callback, void *data) {
  return set_up(host, "handle", channel, callback, data);
}

int lunette_remove_handler(LunetteHost *host, const char *channel) {
  return set_up(host, "remove_handler", channel, NULL, NULL);
}

int lunette_reply(LunetteHost *host, int64_t id, const char *json, size_t size) {
  Request request = {.name = "reply", .number = id, .text = json, .size = size};
  return (int)explain(host, ask(host, request), id);
}

int lunette_reply_error(LunetteHost *host, int64_t id, const char *message) {
  if (!message) return missing(host, "the message");
  Request request = {.name = "reply_error", .number = id, .text = message, .size = strlen(message)};
  return (int)explain(host, ask(host, request), id);
}

/* ---- to pages ---- */

int host_send(LunetteHost *host, int page, const char *channel, const char *json, size_t size) {
  Request request = {
      .name = "send", .number = page, .channel = channel, .text = json, .size = size};
  return (int)explain(host, ask(host, request), page);
}

int lunette_send(LunetteHost *host, int page, const char *channel, const char *json, size_t size) {
  if (!channel) return missing(host, "the channel");
  return host_send(host, page, channel, json, size);
}

int64_t lunette_invoke(LunetteHost *host, int page, const char *channel, const char *json,
                       size_t size) {
  if (!channel) return missing(host, "the channel");
  Request request = {
      .name = "invoke", .number = page, .channel = channel, .text = json, .size = size};
  return explain(host, ask_number(host, request), page);
}

int lunette_post(LunetteHost *host, int page, const char *channel, const char *json, size_t size) {
  if (!channel) return LUNETTE_INVALID;
  int error = posts_add(&host->posts, page, channel, json, size);
  if (error == 0) return LUNETTE_OK;
  return error == UV_ECANCELED ? LUNETTE_ENDED : LUNETTE_NO_MEMORY;
}

/* ---- Lua values ---- */

lua_State *lunette_state(LunetteHost *host) { return host_is_owned(host) ? host->state->L : NULL; }

int lunette_call(LunetteHost *host, int (*function)(lua_State *), void *data) {
  if (!function) return missing(host, "the function");
  return (int)ask(host, (Request){.function = function, .data = data});
}

int lunette_handle_lua(LunetteHost *host, const char *channel, int (*function)(lua_State *),
                       void *data) {
  if (!channel) return missing(host, "the channel");
  if (!function) return missing(host, "the function");
  Request request = {.name = "handle_lua", .channel = channel, .function = function, .data = data};
  return (int)ask(host, request);
}

/* Whether L is a thread of the host's main state that has so many values; true on a wrong thread,
 * which is told later. */
static bool is_stack(const LunetteHost *host, lua_State *L, int count) {
  if (!host_is_owned(host)) return true;
  return L && count >= 0 && state_from(L) == host->state && count <= lua_gettop(L);
}

int lunette_send_lua(LunetteHost *host, int page, const char *channel, lua_State *L, int count) {
  if (!channel) return missing(host, "the channel");
  if (!is_stack(host, L, count)) return missing(host, "the Lua state, or a value,");
  Request request = {
      .name = "send_lua", .number = page, .channel = channel, .values = L, .count = count};
  return (int)explain(host, ask(host, request), page);
}
