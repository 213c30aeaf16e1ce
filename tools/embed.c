/* SPDX-License-Identifier: MIT
 * Build-time helper: `embed lua/lunette/FILE.lua...` compiles the Lua side and prints it as the C
 * array that runtime/vm/loader.h declares, sorted by module name.
 *
 * Line information is kept: tracebacks of a user's error pass through these modules. */
#include "strip.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a chunk name leaves out of its path, and what a module name leaves out at both ends. */
#define CHUNK_ROOT "lua/"
#define MODULE_ROOT "lua/lunette/"
#define EXTENSION ".lua"

enum { BYTES_PER_LINE = 24 };

typedef struct Module {
  const char *path;
  char *name; /* owned */
} Module;

/* The name of lua/lunette/common/promise.lua is common.promise; NULL for a path of another form.
 * The caller frees it. */
static char *module_name(const char *path) {
  size_t root = strlen(MODULE_ROOT), extension = strlen(EXTENSION), size = strlen(path);
  if (size <= root + extension || strncmp(path, MODULE_ROOT, root) != 0) return NULL;
  if (strcmp(path + size - extension, EXTENSION) != 0) return NULL;
  char *name = strndup(path + root, size - root - extension);
  for (char *at = name; at && *at; at++) {
    if (*at == '/') *at = '.';
  }
  return name;
}

static int by_name(const void *left, const void *right) {
  return strcmp(((const Module *)left)->name, ((const Module *)right)->name);
}

/* Pushes the text of the file, or returns false. */
static bool push_text(lua_State *L, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  size_t got;
  do {
    got = fread(luaL_prepbuffer(&text), 1, LUAL_BUFFERSIZE, file);
    luaL_addsize(&text, got);
  } while (got > 0);
  luaL_pushresult(&text);
  bool whole = !ferror(file);
  fclose(file);
  return whole;
}

/* Pushes the compiled chunk. False, with the reason on standard error, when it does not compile. */
static bool push_chunk(lua_State *L, const char *path) {
  if (!push_text(L, path)) {
    perror(path);
    return false;
  }
  size_t size;
  const char *text = lua_tolstring(L, -1, &size);
  const char *chunk = lua_pushfstring(L, "=%s", path + strlen(CHUNK_ROOT));
  if (luaL_loadbufferx(L, text, size, chunk, "t") == LUA_OK) return true;
  fprintf(stderr, CHUNK_ROOT "%s\n", lua_tostring(L, -1));
  return false;
}

/* A chunk; `data` is owned. */
typedef struct Bytes {
  uint8_t *data;
  size_t size;
} Bytes;

/* A lua_Writer that appends to Bytes. */
static int add_bytes(lua_State *L, const void *bytes, size_t size, void *data) {
  (void)L;
  Bytes *chunk = data;
  uint8_t *grown = realloc(chunk->data, chunk->size + size);
  if (!grown) return 1;
  memcpy(grown + chunk->size, bytes, size);
  *chunk = (Bytes){grown, chunk->size + size};
  return 0;
}

static void print_bytes(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    printf("%u,%s", bytes[i], (i + 1) % BYTES_PER_LINE == 0 ? "\n" : "");
  }
}

static bool print_module(lua_State *L, const Module *module, int index) {
  if (!push_chunk(L, module->path)) return false;
  Bytes chunk = {0};
  bool dumped = lua_dump(L, add_bytes, &chunk, 0) == 0;
  size_t size = dumped ? strip_names(chunk.data, chunk.size) : 0;
  printf("static const unsigned char module_%d[] = {\n", index);
  print_bytes(chunk.data, size);
  printf("\n};\n\n");
  free(chunk.data);
  lua_settop(L, 0);
  if (size == 0) fprintf(stderr, "embed: %s: bytecode of an unknown form\n", module->path);
  return size > 0;
}

/* All of embedded.c. The entry after the last keeps the array from being empty. */
static bool print_modules(lua_State *L, const Module *modules, int count) {
  bool ok = true;
  printf("/* Made by tools/embed.c from lua/lunette. */\n#include \"vm/loader.h\"\n\n");
  for (int i = 0; i < count; i++) ok = print_module(L, &modules[i], i) && ok;
  printf("const EmbeddedModule embedded_modules[] = {\n");
  for (int i = 0; i < count; i++) {
    printf("  {\"%s\", module_%d, sizeof module_%d},\n", modules[i].name, i, i);
  }
  printf("  {NULL, NULL, 0},\n};\n\nconst size_t embedded_module_count = %d;\n", count);
  return ok && fflush(stdout) == 0 && !ferror(stdout);
}

int main(int argc, char **argv) {
  int count = argc - 1;
  Module *modules = calloc((size_t)argc, sizeof *modules);
  lua_State *L = luaL_newstate();
  bool ok = modules && L;
  for (int i = 0; ok && i < count; i++) {
    modules[i] = (Module){argv[i + 1], module_name(argv[i + 1])};
    ok = modules[i].name != NULL;
    if (!ok) fprintf(stderr, "embed: %s: not " MODULE_ROOT "*" EXTENSION "\n", argv[i + 1]);
  }
  if (ok) {
    qsort(modules, (size_t)count, sizeof *modules, by_name);
    ok = print_modules(L, modules, count);
  }
  for (int i = 0; modules && i < count; i++) free(modules[i].name);
  free(modules);
  if (L) lua_close(L);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
