/* SPDX-License-Identifier: MIT
 * core.arguments: checks of the arguments of public functions, as far as they find nothing wrong.
 * What is wrong, or needs a closer look, goes to lua/lunette/common/argument_errors.lua.
 *
 * `level` means here what it means to `error` called in the same place: 1 is the function that asks
 * for the check, 2 (the default) its caller: the user, if the public function itself asks. */
#include "bind/bind.h"

#include <stdbool.h>
#include <string.h>

/* How many classes an object can have, by way of `_super`. A page can make a circle of tables. */
enum { MOST_CLASSES = 8 };

/* Upvalue: the module's table, which has the functions of argument_errors.lua too. */
enum { UP_MODULE = 1 };

/* Calls the function of that name with the arguments, of which the one at `level` is the level:
 * from where it stands, that is one more. */
static int look_closer(lua_State *L, const char *name, int level) {
  lua_Integer above = luaL_optinteger(L, level, 2) + 1;
  lua_settop(L, level - 1);
  lua_pushinteger(L, above);
  lua_getfield(L, lua_upvalueindex(UP_MODULE), name);
  lua_insert(L, 1);
  lua_call(L, level, 0);
  return 0;
}

/* Whether `expected` is the name, or several with | between that have it. */
static bool has_name(const char *expected, const char *name) {
  size_t size = strlen(name);
  for (const char *at = expected; at; at = strchr(at, '|')) {
    if (*at == '|') at++;
    if (strncmp(at, name, size) == 0 && (at[size] == '\0' || at[size] == '|')) return true;
  }
  return false;
}

/* check(name, index, value, expected [, level]): checks one argument of the public function `name`,
 * such as "ipcMain.handle" or "BrowserWindow:loadFile". expected: as for `is`. */
static int l_check(lua_State *L) {
  luaL_checkany(L, 3);
  const char *expected = luaL_checkstring(L, 4);
  if (has_name(expected, luaL_typename(L, 3))) return 0;
  if (lua_isfunction(L, 3) && has_name(expected, "callable")) return 0;
  return look_closer(L, "check_closely", 5);
}

/* not_colon(name, module, first [, level]): refuses the colon for a function of a singleton, which
 * is called with a dot. first: the first argument that came. */
static int l_not_colon(lua_State *L) {
  return lua_rawequal(L, 2, 3) ? look_closer(L, "refuse_colon", 4) : 0;
}

/* Whether the table at index 2 is of the class at index 3. Classes are the metatables of their
 * objects; `_super` is the class that one extends. */
static bool is_instance(lua_State *L) {
  if (!lua_istable(L, 2) || !lua_getmetatable(L, 2)) return false;
  for (int i = 0; i < MOST_CLASSES && lua_istable(L, -1); i++) {
    if (lua_rawequal(L, -1, 3)) return true;
    lua_pushliteral(L, "_super");
    lua_rawget(L, -2);
    lua_replace(L, -2);
  }
  return false;
}

/* check_self(name, self, class [, level]): refuses the dot for a method of an object, which is
 * called with a colon. self: what came as that. class: its field `_example` is the variable in the
 * message, such as "win"; without one that is the class's name, uncapitalised. */
static int l_check_self(lua_State *L) {
  luaL_checkany(L, 3);
  int count = lua_gettop(L);
  bool is_right = is_instance(L);
  lua_settop(L, count);
  return is_right ? 0 : look_closer(L, "refuse_dot", 4);
}

static const luaL_Reg functions[] = {
    {"check", l_check},
    {"check_self", l_check_self},
    {"not_colon", l_not_colon},
    {NULL, NULL},
};

int open_arguments(lua_State *L) {
  luaL_newlibtable(L, functions);
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, functions, 1);
  return 1;
}
