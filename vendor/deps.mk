# What Lunette needs from the system. vendor/README.md says why each, and how it is linked.

# Debian's packages. The second list is only for `make test` and `make lint`, the third for
# `make engine-sdl` and what continuous integration plays, the fourth for `make fuzz`.
BUILD_PACKAGES = gcc libc6-dev liblua5.4-dev libuv1-dev lua-luv-dev lua-cjson-dev libseccomp-dev
TEST_PACKAGES  = lua5.4 lua-busted lua-check lua-filesystem lua-lpeg lua-yaml clang-format \
                 liblua5.1-0 liblua5.3-0 liblua5.4-0 libluajit-5.1-2 pkg-config cmake
GAME_PACKAGES  = libsdl2-dev love pkg-config
FUZZ_PACKAGES  = clang libclang-rt-14-dev

# How they are found; set these in the environment or on the command line where they live elsewhere.
# Lua goes in whole, so that C modules loaded by `require` find all of lua_*; vendor/exports says
# what they see.
DEPS_CPPFLAGS ?= -isystem /usr/include/lua5.4
DEPS_LDFLAGS  ?= -Wl,--dynamic-list=vendor/exports
DEPS_LDLIBS   ?= -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive \
                 -l:liblua5.4-luv.a -l:liblua5.4-cjson.a -l:libuv_a.a -ldl -lm
# The same archives, for the library.
DEPS_ARCHIVES ?= liblua5.4.a liblua5.4-luv.a liblua5.4-cjson.a libuv_a.a
SECCOMP_LDLIBS ?= -lseccomp
