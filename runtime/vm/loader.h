/* SPDX-License-Identifier: MIT
 * The runtime's own modules: Lua embedded as bytecode, and the C modules of bind/. */
#pragma once

#include <lua.h>
#include <stddef.h>

/* One Lua file of lua/lunette, compiled by the Lua that is linked. */
typedef struct EmbeddedModule {
  const char *name; /* "common.promise" */
  const unsigned char *bytes;
  size_t size;
} EmbeddedModule;

/* All of them, sorted by name; made by tools/embed.c at build time. */
extern const EmbeddedModule embedded_modules[];
extern const size_t embedded_module_count;

/* Makes `import` in a new state. With LUNETTE_LUA set, Lua modules are read from that folder
 * instead, for development. [-0, +0, may raise for memory] */
void loader_init(lua_State *L);

/* Pushes the module `name`: "core.link" is the C module of bind/bind_link.c, any other a file of
 * lua/lunette, run once per state with `import` as its argument. [-0, +1, raises what the module
 * raises, and an error for an unknown name or a circle] */
void loader_import(lua_State *L, const char *name);

/* From now on modules come from the executable alone, whatever the environment says.
 * [-0, +0, never raises] */
void loader_seal(lua_State *L);
