/* SPDX-License-Identifier: MIT
 * core.clone: the structured clone by itself, for specs and benchmarks. */
#include "bind/bind.h"
#include "vm/state.h"

static const char BUFFER[] = "lunette.Buffer";

static int l_buffer_gc(lua_State *L) {
  buf_clear(luaL_checkudata(L, 1, BUFFER));
  return 0;
}

static const CloneLimits limits = {.size = CLONE_SIZE, .depth = CLONE_DEPTH};

/* encode(...): the bytes of the list of the values. Raises where one cannot be cloned. */
static int l_encode(lua_State *L) {
  int count = lua_gettop(L);
  Buf *buf = lua_newuserdatauv(L, sizeof *buf, 0);
  *buf = (Buf){0};
  luaL_setmetatable(L, BUFFER);
  if (!clone_write(state_from(L)->clone, L, 1, count, &limits, NULL, "argument", buf)) {
    return lua_error(L);
  }
  lua_pushlstring(L, (const char *)buf_front(buf), buf_size(buf));
  buf_clear(buf);
  return 1;
}

/* decode(bytes): the values, or nil and the reason. */
static int l_decode(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  const char *error = NULL;
  int count =
      clone_read(state_from(L)->clone, L, (const uint8_t *)bytes, size, &limits, NULL, &error);
  if (count >= 0) return count;
  lua_pushnil(L);
  lua_pushstring(L, error);
  return 2;
}

static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {NULL, NULL}};

int open_clone(lua_State *L) {
  luaL_newmetatable(L, BUFFER);
  lua_pushcfunction(L, l_buffer_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
