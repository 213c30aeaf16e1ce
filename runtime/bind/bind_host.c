/* SPDX-License-Identifier: MIT
 * core.host: what the program that hosts the app is told. */
#include "bind/bind.h"
#include "embed/host.h"

#include <dlfcn.h>

static int64_t integer_at(lua_State *L, int arg) { return luaL_optinteger(L, arg, 0); }

static const char *text_at(lua_State *L, int arg, size_t *size) {
  *size = 0;
  return lua_isnoneornil(L, arg) ? "" : luaL_checklstring(L, arg, size);
}

LunetteEvent bind_check_event(lua_State *L, int first) {
  LunetteEvent event = {.type = (int)luaL_checkinteger(L, first),
                        .page = (int)integer_at(L, first + 1),
                        .id = integer_at(L, first + 2),
                        .status = (int)integer_at(L, first + 5)};
  event.channel = text_at(L, first + 3, &event.channel_size);
  event.text = text_at(L, first + 4, &event.text_size);
  return event;
}

/* event(type, page, id, channel, text, status): for lunette_next_event. */
static int l_event(lua_State *L) {
  LunetteHost *host = state_from(L)->data;
  LunetteEvent event = bind_check_event(L, 1);
  if (!events_add(&host->events, &event)) return luaL_error(L, "not enough memory");
  if (host->events.count >= EVENTS_MOST) host->loop->sated = true;
  return 0;
}

/* owns_lua(): whether the Lua that a C module would find in this process is ours. */
static int l_owns_lua(lua_State *L) {
  void *found = dlsym(RTLD_DEFAULT, "lua_newstate");
  lua_pushboolean(L, found == (void *)(uintptr_t)&lua_newstate);
  return 1;
}

static const luaL_Reg functions[] = {
    {"event", l_event},
    {"deliver", host_deliver},
    {"owns_lua", l_owns_lua},
    {NULL, NULL},
};

/* The results and events of lunette.h that the Lua side tells. */
static const struct {
  const char *name;
  int value;
} constants[] = {
    {"OK", LUNETTE_OK},
    {"FULL", LUNETTE_FULL},
    {"NO_PAGE", LUNETTE_NO_PAGE},
    {"INVALID", LUNETTE_INVALID},
    {"FAILED", LUNETTE_FAILED},
    {"ALL_PAGES", LUNETTE_ALL_PAGES},
    {"MAIN", LUNETTE_MAIN},
    {"QUIT", LUNETTE_EVENT_QUIT},
    {"MESSAGE", LUNETTE_EVENT_MESSAGE},
    {"INVOKE", LUNETTE_EVENT_INVOKE},
    {"REPLY", LUNETTE_EVENT_REPLY},
    {"PAGE_LOADED", LUNETTE_EVENT_PAGE_LOADED},
    {"PAGE_FAILED", LUNETTE_EVENT_PAGE_FAILED},
    {"PAGE_GONE", LUNETTE_EVENT_PAGE_GONE},
    {"PAGE_UNRESPONSIVE", LUNETTE_EVENT_PAGE_UNRESPONSIVE},
    {"PAGE_RESPONSIVE", LUNETTE_EVENT_PAGE_RESPONSIVE},
    {"PAGE_CLOSED", LUNETTE_EVENT_PAGE_CLOSED},
};

int open_host(lua_State *L) {
  luaL_newlib(L, functions);
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
    lua_pushinteger(L, constants[i].value);
    lua_setfield(L, -2, constants[i].name);
  }
  return 1;
}
