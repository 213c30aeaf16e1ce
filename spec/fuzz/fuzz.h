/* SPDX-License-Identifier: MIT
 * What the fuzz targets share. A target is a C file with LLVMFuzzerTestOneInput: `make fuzz` links
 * it to libFuzzer, `make test` to replay.c, which gives it the files of its corpus. */
#pragma once

#include "ipc/packet.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The target: one input, of bytes that a hostile peer may have chosen. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer's: changes the bytes at random and returns their new number. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Asked for by libFuzzer, where mutate.c is linked: changes an input. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Ends the process as a finding unless the condition holds. */
#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(#condition, __FILE__, __LINE__))

/* Tells what does not hold, and aborts. */
_Noreturn static inline void require_failed(const char *what, const char *file, int line) {
  fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
  abort();
}

/* The same with the error on top of a Lua stack. */
_Noreturn static inline void require_no_error(lua_State *L, const char *file, int line) {
  const char *text = lua_tostring(L, -1);
  require_failed(text ? text : "an error that is no string", file, line);
}

#ifdef LUNETTE_FUZZ

/* libFuzzer counts what it finds here as it does compiled branches: the lines of Lua that ran. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t lines_run[1 << 12];

/* Lua's hook for each line. */
static inline void count_line(lua_State *L, lua_Debug *event) {
  (void)L;
  lines_run[(unsigned)event->currentline % sizeof lines_run]++;
}

/* Lets libFuzzer see which lines of Lua run in L and in the coroutines that it makes. */
static inline void watch_lines(lua_State *L) { lua_sethook(L, count_line, LUA_MASKLINE, 0); }

#else

/* Nobody counts when a corpus is replayed. */
static inline void watch_lines(lua_State *L) { (void)L; }

#endif
