/* SPDX-License-Identifier: MIT
 * The runtime's own modules: Lua embedded as bytecode, and the C modules of bind/. */
#include "vm/loader.h"

#include "bind/bind.h"
#include "vm/state.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* Name of `import` in the registry, whose upvalues are the modules loaded so far and the folder to
 * load from, or false. Specs reach it there too. */
static const char IMPORT[] = "lunette.import";

static const EmbeddedModule *find_embedded(const char *name) {
  size_t low = 0, high = embedded_module_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(name, embedded_modules[middle].name);
    if (order == 0) return &embedded_modules[middle];
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return NULL;
}

static const luaL_Reg *find_core(const char *name) {
  for (const luaL_Reg *entry = bind_modules; entry->name; entry++) {
    if (strcmp(entry->name, name) == 0) return entry;
  }
  return NULL;
}

/* Pushes the chunk of the file for the module in the developer's folder. */
static int load_from_folder(lua_State *L, const char *folder, const char *name) {
  const char *path = luaL_gsub(L, name, ".", "/");
  const char *file = lua_pushfstring(L, "%s/lunette/%s.lua", folder, path);
  int status = luaL_loadfilex(L, file, "t");
  lua_replace(L, -3);
  lua_pop(L, 1);
  return status;
}

static int load_embedded(lua_State *L, const char *name) {
  const EmbeddedModule *module = find_embedded(name);
  if (!module) return luaL_error(L, "no module '%s' in the runtime", name);
  return luaL_loadbufferx(L, (const char *)module->bytes, module->size, name, "b");
}

/* Runs what makes the module; leaves its value on the stack, or an error. */
static int make_module(lua_State *L, const char *name) {
  const luaL_Reg *core = strncmp(name, "core.", 5) == 0 ? find_core(name + 5) : NULL;
  if (core) {
    lua_pushcfunction(L, core->func);
    return lua_pcall(L, 0, 1, 0);
  }
  const char *folder = lua_tostring(L, lua_upvalueindex(2));
  int status = folder ? load_from_folder(L, folder, name) : load_embedded(L, name);
  if (status != LUA_OK) return status;
  lua_getfield(L, LUA_REGISTRYINDEX, IMPORT);
  return lua_pcall(L, 1, 1, 0);
}

static int l_import(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  int modules = lua_upvalueindex(1);
  if (lua_getfield(L, modules, name) == LUA_TBOOLEAN) {
    return luaL_error(L, "module '%s' is being loaded already: a circle of imports", name);
  }
  if (!lua_isnil(L, -1)) return 1;
  lua_pushboolean(L, 0);
  lua_setfield(L, modules, name);
  if (make_module(L, name) != LUA_OK) {
    lua_pushnil(L); /* memory or the stack was short, perhaps: it may be tried again */
    lua_setfield(L, modules, name);
    return lua_error(L);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, modules, name);
  return 1;
}

void loader_init(lua_State *L) {
  lua_newtable(L);
  /* Another thread may be changing the environment, which nothing guards. */
  const char *folder = state_from(L)->loop->brake ? NULL : getenv("LUNETTE_LUA");
  if (folder && *folder) lua_pushstring(L, folder);
  else lua_pushboolean(L, 0);
  lua_pushcclosure(L, l_import, 2);
  lua_setfield(L, LUA_REGISTRYINDEX, IMPORT);
}

void loader_import(lua_State *L, const char *name) {
  lua_getfield(L, LUA_REGISTRYINDEX, IMPORT);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

void loader_seal(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, IMPORT);
  lua_pushboolean(L, 0);
  lua_setupvalue(L, -2, 2);
  lua_pop(L, 1);
}
