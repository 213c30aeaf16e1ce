/* SPDX-License-Identifier: MIT
 * Fuzz target: the JSON text of a peer, as peer.lua decodes it. What is read must be written and
 * read again as the same values, and memory stays within bounds. */
#include "fuzz.h"

#include "vm/loader.h"
#include "vm/state.h"

#include <lauxlib.h>

enum {
  BYTES_PER_BYTE = 300, /* of Lua's heap, for a byte of text, read twice and written once */
  BYTES_FREE = 1 << 17,
  HEAP_KEPT = 4 << 20, /* beyond the runtime's own */
};

/* The chunk (json) returns what is called with each text; it raises for a finding. */
static const char script[] =
    "local json = ...\n"
    "local function same(a, b)\n"
    "  if type(a) ~= 'table' then\n"
    "    return a == b and math.type(a) == math.type(b) and (a ~= 0 or 1 / a == 1 / b)\n"
    "  end\n"
    "  if getmetatable(a) ~= getmetatable(b) then return false end\n"
    "  for key, value in next, a do\n"
    "    if not same(value, b[key]) then return false end\n"
    "  end\n"
    "  for key in next, b do\n"
    "    if a[key] == nil then return false end\n"
    "  end\n"
    "  return true\n"
    "end\n"
    "return function(text)\n"
    "  local first = table.pack(pcall(json.decode_list, text))\n"
    "  if not first[1] then\n"
    "    if type(first[2]) == 'string' and first[2]:find '^could not decode: ' then return end\n"
    "    error(first[2], 0)\n"
    "  end\n"
    "  local again = assert(json.encode_list('argument', table.unpack(first, 2, first.n)))\n"
    "  local second = table.pack(json.decode_list(again))\n"
    "  assert(second.n == first.n - 1, again)\n"
    "  for i = 1, second.n do assert(same(first[i + 1], second[i]), again) end\n"
    "end\n";

static State *state;
static int reader; /* reference to the function */

/* (): loads the script. Protected. */
static int load_script(lua_State *L) {
  if (luaL_loadstring(L, script) != LUA_OK) lua_error(L);
  loader_import(L, "common.json");
  lua_call(L, 1, 1);
  return 1;
}

static void open_state(void) {
  Loop *loop = loop_new();
  state = loop && loop_start(loop) == 0 ? state_new(loop) : NULL;
  REQUIRE(state);
  lua_pushcfunction(state->L, load_script);
  if (lua_pcall(state->L, 0, 1, 0) != LUA_OK) require_no_error(state->L, __FILE__, __LINE__);
  reader = luaL_ref(state->L, LUA_REGISTRYINDEX);
  watch_lines(state->L);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!state) open_state();
  lua_State *L = state->L;
  Memory *memory = state->memory;
  size_t before = memory->mark = memory->peak = memory->used;
  lua_rawgeti(L, LUA_REGISTRYINDEX, reader);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) require_no_error(L, __FILE__, __LINE__);
  REQUIRE(memory->peak - before <= BYTES_FREE + BYTES_PER_BYTE * size);
  if (memory->used > HEAP_KEPT) lua_gc(L, LUA_GCCOLLECT);
  REQUIRE(memory->used <= HEAP_KEPT);
  return 0;
}
