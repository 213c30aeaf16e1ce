/* SPDX-License-Identifier: MIT
 * core.clone: the structured clone by itself, for specs and benchmarks. */
#include "bind/bind.h"
#include "vm/state.h"

static int l_buffer_gc(lua_State *L) {
  buf_clear(lua_touserdata(L, 1));
  return 0;
}

static const CloneLimits limits = {.size = CLONE_SIZE, .depth = CLONE_DEPTH};

/* encode(...): the bytes of the list of the values. Raises where one cannot be cloned. No Lua code
 * runs meanwhile, so one buffer, the upvalue, is enough; like a link's it keeps what it has, unless
 * that is large. */
static int l_encode(lua_State *L) {
  int count = lua_gettop(L);
  Buf *buf = lua_touserdata(L, lua_upvalueindex(1));
  buf_consume(buf, buf_size(buf)); /* a raise may have left something */
  if (!clone_write(state_from(L)->clone, L, 1, count, &limits, NULL, "argument", buf)) {
    return lua_error(L);
  }
  lua_pushlstring(L, (const char *)buf_front(buf), buf_size(buf));
  buf_consume(buf, buf_size(buf));
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

static void push_buffer(lua_State *L) {
  Buf *buf = lua_newuserdatauv(L, sizeof *buf, 0);
  *buf = (Buf){0};
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_buffer_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

int open_clone(lua_State *L) {
  lua_createtable(L, 0, 2);
  push_buffer(L);
  lua_pushcclosure(L, l_encode, 1);
  lua_setfield(L, -2, "encode");
  lua_pushcfunction(L, l_decode);
  lua_setfield(L, -2, "decode");
  return 1;
}
