/* SPDX-License-Identifier: MIT
 * The build stops here when a library is not the one that Lunette was written for. */
#include <lauxlib.h>
#include <lua-cjson.h>
#include <lua.h>
#include <luv/luv.h>
#include <seccomp.h>
#include <uv.h>

_Static_assert(LUA_VERSION_NUM == 504, "Lua 5.4 is needed (Debian: liblua5.4-dev)");
_Static_assert(sizeof(lua_Integer) == 8 && sizeof(lua_Number) == 8,
               "Lua with 64-bit integers and floats is needed");
_Static_assert(LUA_EXTRASPACE >= sizeof(void *), "Lua with room beside each thread is needed");
_Static_assert(UV_VERSION_HEX >= 0x012c00, "libuv 1.44 or later is needed (Debian: libuv1-dev)");
_Static_assert(LUVF_CALLBACK_NOERRMSG, "luv 1.44 or later is needed (Debian: lua-luv-dev)");
_Static_assert(SCMP_VER_MAJOR == 2 && SCMP_VER_MINOR >= 5,
               "libseccomp 2.5 or later is needed (Debian: libseccomp-dev)");
