/* SPDX-License-Identifier: MIT
 * The list of the internal C modules, and those that only open a library. */
#include "bind/bind.h"

#include "vm/entry.h"

#include <lua-cjson.h>
#include <luv/luv.h>

const luaL_Reg bind_modules[] = {
    {"arguments", open_arguments}, {"bridge", open_bridge},   {"child", open_child},
    {"cjson", open_cjson},         {"clone", open_clone},     {"coroutine", open_coroutine},
    {"host", open_host},           {"lazy", open_lazy},       {"link", open_link},
    {"loop", open_loop},           {"luv", open_luv},         {"os", open_os},
    {"promise", open_promise},     {"sandbox", open_sandbox}, {"state", open_state},
    {"task", open_task},           {"thread", open_thread},   {NULL, NULL},
};

int open_cjson(lua_State *L) {
  luaopen_cjson(L);
  lua_getfield(L, -1, "new"); /* so that nobody else's settings are ours */
  lua_call(L, 0, 1);
  return 1;
}

int open_luv(lua_State *L) {
  State *state = state_from(L);
  state->has_luv = true;
  luv_set_loop(state->L, &state->loop->uv);
  luv_set_callback(state->L, entry_luv_call);
  lua_pushcfunction(state->L, luaopen_luv); /* luv keeps the thread that opens it */
  if (lua_pcall(state->L, 0, 1, 0) != LUA_OK) {
    lua_xmove(state->L, L, 1);
    return lua_error(L);
  }
  lua_xmove(state->L, L, 1);
  return 1;
}
