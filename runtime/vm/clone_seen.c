/* SPDX-License-Identifier: MIT
 * Which tables and string keys the message being written has met. */
#include "vm/clone_seen.h"

#include <stdlib.h>
#include <string.h>

enum {
  SEEN_SMALLEST = 64,
  SEEN_KEEP = 1 << 14, /* what grew beyond this for one message goes with the next: see BUF_KEEP */
};

CloneContext *clone_context_new(void) { return calloc(1, sizeof(CloneContext)); }

void clone_context_free(CloneContext *context) {
  if (context) free(context->tables);
  free(context);
}

static bool shrink(CloneContext *context) {
  free(context->tables);
  context->tables = calloc(SEEN_SMALLEST, sizeof *context->tables);
  context->capacity = context->tables ? SEEN_SMALLEST : 0;
  return context->tables != NULL;
}

bool seen_begin(CloneContext *context) {
  if (!context->tables || context->capacity > SEEN_KEEP)
    if (!shrink(context)) return false;
  context->count = 0;
  context->key_count = 0;
  if (++context->generation != 0) return true;
  /* After 2^32 messages the marks of the first ones would come alive again. */
  memset(context->tables, 0, context->capacity * sizeof *context->tables);
  memset(context->keys, 0, sizeof context->keys);
  context->generation = 1;
  return true;
}

static bool grow(CloneContext *context) {
  SeenTable *tables = calloc(context->capacity * 2, sizeof *tables);
  if (!tables) return false;
  CloneContext old = {.tables = context->tables, .capacity = context->capacity};
  context->tables = tables;
  context->capacity *= 2;
  for (size_t i = 0; i < old.capacity; i++)
    if (old.tables[i].generation == context->generation)
      *seen_find_table(context, old.tables[i].table) = old.tables[i];
  free(old.tables);
  return true;
}

bool seen_add_table(CloneContext *context, SeenTable *entry, const void *table, size_t offset) {
  *entry = (SeenTable){table, context->generation, (uint32_t)offset};
  return ++context->count * 2 <= context->capacity || grow(context);
}
