/* SPDX-License-Identifier: MIT
 * The internal C modules: `import "core.NAME"` in the runtime's Lua opens the one called NAME. */
#pragma once

#include "lunette.h"

#include <lauxlib.h>
#include <lua.h>

/* All modules: name and open function, ended by a NULL name. */
extern const luaL_Reg bind_modules[];

/* Each pushes its module's table, made anew. [-0, +1, may raise for memory] */
int open_arguments(lua_State *L); /* checks of what programs pass */
int open_bridge(lua_State *L);    /* calls between the two worlds of an isolated renderer */
int open_child(lua_State *L);     /* starting and watching processes */
int open_cjson(lua_State *L);     /* an instance of lua-cjson of our own */
int open_clone(lua_State *L);     /* the structured clone by itself */
int open_coroutine(lua_State *L); /* the program's coroutines */
int open_host(lua_State *L);      /* the program that hosts the app */
int open_lazy(lua_State *L);      /* what is loaded when it is first used */
int open_link(lua_State *L);      /* links to peers */
int open_loop(lua_State *L);      /* timers, and the life of the loop */
int open_luv(lua_State *L);       /* luv on this state's loop */
int open_os(lua_State *L);        /* files, environment, process */
int open_promise(lua_State *L);   /* what every promise does */
int open_sandbox(lua_State *L);   /* the globals of a sandboxed page */
int open_state(lua_State *L);     /* the state's memory, and versions */
int open_task(lua_State *L);      /* tasks and what is known of coroutines */
int open_thread(lua_State *L);    /* renderers on threads of this process */

/* The event in the six arguments from `first`: type, page, id, channel, text, status. Its strings
 * are those of the stack. [-0, +0, raises for bad arguments] */
LunetteEvent bind_check_event(lua_State *L, int first);
