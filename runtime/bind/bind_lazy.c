/* SPDX-License-Identifier: MIT
 * core.lazy: what is loaded when it is first used. Most renderers use a part of the runtime only,
 * and each has its own copy of what it loads. In C, as each would have a copy of this too. */
#include "bind/bind.h"
#include "vm/loader.h"

#include <stdbool.h>
#include <string.h>

/* Key in the registry of the list of those that load_all() has to see to. */
static const char WAITING = 0;

/* ---- modules ---- */

/* Upvalue of index_module. */
enum { MODULE_NAME = 1 };

/* __index(stand-in, key): from now on without a call. */
static int index_module(lua_State *L) {
  const char *name = lua_tostring(L, lua_upvalueindex(MODULE_NAME));
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_argcheck(L, lua_getmetatable(L, 1), 1, "no stand-in");
  loader_import(L, name);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  return 1;
}

/* ---- fields ---- */

/* Upvalues of index_field and of index_hidden; both have the __index that was there before. */
enum { FIELD_NAMES = 1, FIELD_MAKE, FIELD_BEFORE, FIELD_COUNT = FIELD_BEFORE };

/* Whether the name, of which no such one begins with _, is among the names. It may be anything,
 * also text with zeros in it. */
static bool is_word(const char *names, const char *name, size_t size) {
  if (size == 0 || *name == '_' || memchr(name, ' ', size) || memchr(name, '\0', size))
    return false;
  for (const char *at = names; (at = strstr(at, name)) != NULL; at += size) {
    bool begins = at == names || at[-1] == ' ', ends = at[size] == ' ' || at[size] == '\0';
    if (begins && ends) return true;
  }
  return false;
}

/* Pushes what the __index that was there before has for the key at index 2. */
static int index_before(lua_State *L) {
  int before = lua_upvalueindex(FIELD_BEFORE);
  if (lua_isnil(L, before)) return 0;
  if (lua_isfunction(L, before)) {
    lua_pushvalue(L, before);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
  } else {
    lua_pushvalue(L, 2);
    lua_gettable(L, before);
  }
  return 1;
}

/* Pushes the value of the field whose name is at index 2. */
static void make_field(lua_State *L) {
  int make = lua_upvalueindex(FIELD_MAKE);
  if (lua_isfunction(L, make)) {
    lua_pushvalue(L, make);
    lua_pushvalue(L, 2);
    lua_call(L, 1, 1);
  } else {
    loader_import(L, lua_tostring(L, make));
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    lua_replace(L, -2);
  }
}

/* Keeps the value on top as the field, unless making it has led to one; returns the field. */
static int keep_field(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, 1) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return 1;
}

/* __index(t, key). A page can get hold of it, and call it with anything. */
static int index_field(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  size_t size;
  const char *names = lua_tostring(L, lua_upvalueindex(FIELD_NAMES));
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &size) : NULL;
  if (!name || !is_word(names, name, size)) return index_before(L);
  make_field(L);
  return keep_field(L);
}

/* __index(t, key) of a table with a field that pairs does not show: FIELD_MAKE is a module, which
 * is its value. */
static int index_hidden(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (!lua_rawequal(L, 2, lua_upvalueindex(FIELD_NAMES))) return index_before(L);
  loader_import(L, lua_tostring(L, lua_upvalueindex(FIELD_MAKE)));
  return keep_field(L);
}

/* Reads each of the names on top as a field of the table at index 1. */
static void read_fields(lua_State *L) {
  const char *names = lua_tostring(L, -1);
  while (*names) {
    size_t size = strcspn(names, " ");
    lua_pushlstring(L, names, size);
    lua_gettable(L, 1);
    lua_pop(L, 1);
    names += size + strspn(names + size, " ");
  }
}

/* Makes all fields that were not read yet of the table at index 1. */
static void load_fields(lua_State *L) {
  if (luaL_getmetafield(L, 1, "__index") == LUA_TNIL) return;
  lua_CFunction index;
  while ((index = lua_tocfunction(L, -1)) == index_field || index == index_hidden) {
    if (index == index_field) {
      lua_getupvalue(L, -1, FIELD_NAMES);
      read_fields(L);
      lua_pop(L, 1);
    }
    lua_getupvalue(L, -1, FIELD_BEFORE);
    lua_replace(L, -2);
  }
}

static int next_field(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  return lua_next(L, 1) ? 2 : 0;
}

/* __pairs(t) */
static int pairs_of_fields(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  load_fields(L);
  lua_pushcfunction(L, next_field);
  lua_pushvalue(L, 1);
  return 2;
}

/* ---- functions ---- */

/* Puts the table at the index on the list of load_all(). */
static void wait_for(lua_State *L, int index) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &WAITING) != LUA_TTABLE) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &WAITING);
    lua_replace(L, -2);
  }
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

/* module(name [, t]): t, or a new table, stands for the module, of which nothing but its fields is
 * used; those that t has already precede it. */
static int l_module(lua_State *L) {
  luaL_checkstring(L, 1);
  if (lua_isnoneornil(L, 2)) lua_newtable(L);
  luaL_checktype(L, -1, LUA_TTABLE);
  int table = lua_gettop(L);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, index_module, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, table);
  wait_for(L, table);
  lua_settop(L, table);
  return 1;
}

/* (t, names, make): makes the function the __index of t, with these upvalues. Leaves the metatable
 * on top. */
static void set_index(lua_State *L, lua_CFunction function) {
  lua_settop(L, FIELD_COUNT);
  if (!lua_getmetatable(L, 1)) lua_createtable(L, 0, 2);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_getfield(L, -3, "__index");
  lua_pushcclosure(L, function, FIELD_COUNT);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, -1);
  lua_setmetatable(L, 1);
}

/* fields(t, names, make): t gets fields that are made when they are first read, or when somebody
 * walks through all of t with pairs. names: with a space between them. make: the name of the module
 * that has them, or a function that makes the one of the name it gets. */
static int l_fields(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkstring(L, 2);
  luaL_argexpected(L, lua_isfunction(L, 3) || lua_isstring(L, 3), 3, "function or string");
  set_index(L, index_field);
  lua_pushcfunction(L, pairs_of_fields);
  lua_setfield(L, -2, "__pairs");
  wait_for(L, 1);
  return 0;
}

/* hide(t, name, module): t gets one more such field, which pairs does not show before it was read:
 * the module. */
static int l_hide(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkstring(L, 2);
  luaL_checkstring(L, 3);
  set_index(L, index_hidden);
  return 0;
}

/* load(t): loads what t stands for, or its fields, if it is such a table. */
static int l_load(lua_State *L) {
  if (luaL_getmetafield(L, 1, "__index") != LUA_TFUNCTION) return 0; /* loaded */
  if (lua_tocfunction(L, -1) == index_module) {
    lua_getupvalue(L, -1, MODULE_NAME);
    loader_import(L, lua_tostring(L, -1));
  } else {
    load_fields(L);
  }
  return 0;
}

/* load_all(): for a zygote, whose renderers share what it has loaded. */
static int l_load_all(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &WAITING) != LUA_TTABLE) return 0;
  for (lua_Integer count; (count = (lua_Integer)lua_rawlen(L, -1)) > 0;) {
    lua_pushcfunction(L, l_load);
    lua_rawgeti(L, -2, count);
    lua_pushnil(L);
    lua_rawseti(L, -4, count);
    lua_call(L, 1, 0);
  }
  return 0;
}

static const luaL_Reg functions[] = {
    {"fields", l_fields},     {"hide", l_hide},     {"load", l_load},
    {"load_all", l_load_all}, {"module", l_module}, {NULL, NULL},
};

int open_lazy(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
