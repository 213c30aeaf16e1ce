/* SPDX-License-Identifier: MIT
 * core.sandbox: which of Lua's functions a sandboxed page has, in tables of its own. */
#include "bind/bind.h"

#include <stdbool.h>
#include <string.h>

static const char *const base_names[] = {
    "_VERSION",     "assert",   "collectgarbage", "error",  "getmetatable", "ipairs", "next",
    "pairs",        "pcall",    "rawequal",       "rawget", "rawlen",       "rawset", "select",
    "setmetatable", "tonumber", "tostring",       "type",   "warn",         "xpcall", NULL,
};
static const char *const debug_names[] = {"traceback", NULL};
static const char *const os_names[] = {"clock", "date", "difftime", "time", NULL};

/* Of each library, what a page has: those names, or everything but one. */
static const struct {
  const char *name;
  const char *const *names;
  const char *without;
} libraries[] = {
    {"coroutine", NULL, NULL}, {"debug", debug_names, NULL}, {"math", NULL, NULL},
    {"os", os_names, NULL},    {"string", NULL, "dump"},     {"table", NULL, NULL},
    {"utf8", NULL, NULL},
};

enum { LIBRARY_COUNT = sizeof libraries / sizeof *libraries, GLOBALS_COUNT = 40 };

/* Copies the fields of these names from the table below the top into the one on top. */
static void copy_named(lua_State *L, const char *const *names) {
  for (; *names; names++) {
    lua_getfield(L, -2, *names);
    lua_setfield(L, -2, *names);
  }
}

/* The same for all whose name is another than `without`. */
static void copy_all(lua_State *L, const char *without) {
  lua_pushnil(L);
  while (lua_next(L, -3)) {
    bool is_left_out =
        without && lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), without) == 0;
    if (!is_left_out) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, -4);
    } else {
      lua_pop(L, 1);
    }
  }
}

/* Replaces the library on top by a page's. */
static void copy_library(lua_State *L, size_t i) {
  lua_newtable(L);
  if (libraries[i].names) copy_named(L, libraries[i].names);
  else copy_all(L, libraries[i].without);
  lua_remove(L, -2);
}

/* globals(): the globals of a page, and a table of the libraries by name, with them as `_G`. */
static int l_globals(lua_State *L) {
  enum { OWN = 1, PAGES, LOADED };
  lua_settop(L, 0);
  lua_pushglobaltable(L);
  lua_createtable(L, 0, GLOBALS_COUNT);
  copy_named(L, base_names);
  lua_createtable(L, 0, LIBRARY_COUNT + 2); /* and _G, package */
  for (size_t i = 0; i < LIBRARY_COUNT; i++) {
    lua_getfield(L, OWN, libraries[i].name);
    copy_library(L, i);
    lua_pushvalue(L, -1);
    lua_setfield(L, PAGES, libraries[i].name);
    lua_setfield(L, LOADED, libraries[i].name);
  }
  lua_pushvalue(L, PAGES);
  lua_setfield(L, PAGES, "_G");
  lua_pushvalue(L, PAGES);
  lua_setfield(L, LOADED, "_G");
  return 2;
}

static const luaL_Reg functions[] = {{"globals", l_globals}, {NULL, NULL}};

int open_sandbox(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
