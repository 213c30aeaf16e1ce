/* SPDX-License-Identifier: MIT
 * Why a message could not be written and where. */
#include "vm/clone_error.h"

#include "vm/clone.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
  PATH_SIZE = 512,
  KEY_SHOWN = 64, /* bytes of one key; longer ones, and longer paths, end in dots */
};

/* In a C array, because lua_pop and the raise of a full heap must not meet memory of ours. */
typedef struct Path {
  char text[PATH_SIZE + sizeof "..."];
  size_t size; /* beyond PATH_SIZE when the path is cut */
} Path;

static void add(Path *path, const char *text) {
  size_t size = strlen(text);
  if (path->size > PATH_SIZE) return;
  bool fits = path->size + size <= PATH_SIZE;
  memcpy(path->text + path->size, fits ? text : "...", fits ? size + 1 : sizeof "...");
  path->size += size;
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(const char *key, size_t size) {
  if (size == 0 || size > KEY_SHOWN || !is_letter(key[0])) return false;
  for (size_t i = 1; i < size; i++)
    if (!is_letter(key[i]) && !(key[i] >= '0' && key[i] <= '9')) return false;
  return true;
}

/* Writes a key that is no name as a Lua string literal; bytes above 127 are taken for UTF-8. */
static void add_quoted(Path *path, const char *key, size_t size) {
  char text[4 * KEY_SHOWN + sizeof "[\"...\"]"] = "[\"";
  char *at = text + 2;
  size_t shown = size < KEY_SHOWN ? size : KEY_SHOWN;
  if (shown < size) /* not in the middle of a character */
    while (shown > 0 && (key[shown] & 0xc0) == 0x80) shown--;
  for (size_t i = 0; i < shown; i++) {
    unsigned char c = (unsigned char)key[i];
    if (c < ' ' || c == 127) {
      at += sprintf(at, "\\%03d", c);
    } else {
      if (c == '"' || c == '\\') *at++ = '\\';
      *at++ = (char)c;
    }
  }
  sprintf(at, shown < size ? "...\"]" : "\"]");
  add(path, text);
}

static void add_string(Path *path, const char *key, size_t size) {
  if (!is_name(key, size)) {
    add_quoted(path, key, size);
    return;
  }
  char text[KEY_SHOWN + 2];
  snprintf(text, sizeof text, ".%s", key);
  add(path, text);
}

static void add_key(Path *path, lua_State *L, int index) {
  char text[64];
  size_t size;
  const char *key;
  switch (lua_type(L, index)) {
  case LUA_TSTRING:
    key = lua_tolstring(L, index, &size);
    add_string(path, key, size);
    return;
  case LUA_TNUMBER:
    if (lua_isinteger(L, index)) {
      snprintf(text, sizeof text, "[" LUA_INTEGER_FMT "]", lua_tointeger(L, index));
    } else {
      snprintf(text, sizeof text, "[" LUA_NUMBER_FMT "]", lua_tonumber(L, index));
    }
    break;
  case LUA_TBOOLEAN:
    snprintf(text, sizeof text, "[%s]", lua_toboolean(L, index) ? "true" : "false");
    break;
  case LUA_TLIGHTUSERDATA: snprintf(text, sizeof text, "[null]"); break;
  default: snprintf(text, sizeof text, "[a %s key]", lua_typename(L, lua_type(L, index)));
  }
  add(path, text);
}

static void find_path(Path *path, lua_State *L, const CloneError *error) {
  int top = lua_gettop(L);
  for (int key = error->base + 1; key < top; key += 2) {
    if (key == error->bad_key) {
      add(path, "[a table key]");
      return;
    }
    add_key(path, L, key);
  }
}

static const char *reason(CloneProblem problem) {
  switch (problem) {
  case PROBLEM_FUNCTION: return "a function cannot be sent";
  case PROBLEM_THREAD: return "a thread cannot be sent";
  default: return "a userdata cannot be sent";
  }
}

void clone_push_error(lua_State *L, const CloneError *error) {
  Path path = {.size = 0};
  find_path(&path, L, error);
  lua_settop(L, error->base);
  switch (error->problem) {
  case PROBLEM_MEMORY: lua_pushliteral(L, "not enough memory"); break;
  case PROBLEM_DEPTH:
    lua_pushfstring(L, "could not clone %s %d: nested deeper than %d tables (limit depth)",
                    error->what, error->argument, error->depth);
    break;
  case PROBLEM_SIZE:
    lua_pushfstring(L, "could not clone %s %d: larger than %I bytes (limit messageSize)",
                    error->what, error->argument, (LUAI_UACINT)error->size);
    break;
  case PROBLEM_WEIGHT:
    lua_pushfstring(L,
                    "could not clone %s %d: its values would take more than %I bytes of memory, "
                    "too much for a message of %I bytes (limit messageSize)",
                    error->what, error->argument, (LUAI_UACINT)clone_weight_max(error->size),
                    (LUAI_UACINT)error->size);
    break;
  default:
    lua_pushfstring(L, "could not clone %s %d%s: %s", error->what, error->argument, path.text,
                    reason(error->problem));
  }
}
