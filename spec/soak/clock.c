/* SPDX-License-Identifier: MIT
 * A Lua module for the soak: lets the monotonic clock jump, for this process alone. It moves into a
 * time namespace of its own, which takes a capability; the machine's clocks are not touched. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NEW_TIME = 0x80 }; /* CLONE_NEWTIME, which older headers lack */

int luaopen_clock(lua_State *L);

static bool write_offset(int seconds) {
  FILE *file = fopen("/proc/self/timens_offsets", "w");
  if (!file) return false;
  fprintf(file, "monotonic %d 0\nboottime %d 0\n", seconds, seconds);
  return fclose(file) == 0;
}

static bool enter_namespace(void) {
  int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  int result = setns(fd, NEW_TIME);
  close(fd);
  return result == 0;
}

/* set(seconds): how far this process's clock is before the machine's. Returns true, or nil and why
 * that cannot be. [-0, +1|2] */
static int set(lua_State *L) {
  int seconds = (int)luaL_checkinteger(L, 1);
  if (unshare(NEW_TIME) == 0 && write_offset(seconds) && enter_namespace()) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(errno));
  return 2;
}

__attribute__((visibility("default"))) int luaopen_clock(lua_State *L) {
  lua_pushcfunction(L, set);
  return 1;
}
