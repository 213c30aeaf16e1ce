/* SPDX-License-Identifier: MIT
 * Changing the environment of a process with threads.
 *
 * Pages that are threads read it whenever they begin (package.path), or ask for the local time
 * (TZ), and setenv frees the list that they may be reading. Here no list is freed, nor any entry:
 * each has the one that it took the place of before it, so that nothing counts as lost. A list with
 * twice the room is made when there is none left, so all of them together are no larger than the
 * last. */
#include "host/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEAST_ROOM = 64 };

typedef struct List {
  char **before;   /* environ, until this took its place */
  char **own;      /* the one of ours before this */
  char *entries[]; /* what environ leads to */
} List;

/* Where the variable stands, or its end; *count is how many there are. */
static size_t find(char *const *list, const char *name, size_t *count) {
  size_t size = strlen(name), at = 0;
  for (*count = 0; list && list[*count]; ++*count) {
    const char *entry = list[*count];
    bool is_it = strncmp(entry, name, size) == 0 && entry[size] == '=';
    if (!is_it && at == *count) at++;
  }
  return at;
}

/* Readers see the pointer only when what it points to is written. */
static void publish(char **place, char *entry) { __atomic_store_n(place, entry, __ATOMIC_RELEASE); }

/* "NAME=VALUE", behind a pointer to what it replaces. */
static char *new_entry(const char *name, const char *value, char *before) {
  size_t name_size = strlen(name), value_size = strlen(value) + 1;
  char *block = malloc(sizeof before + name_size + 1 + value_size);
  if (!block) return NULL;
  memcpy(block, &before, sizeof before);
  char *entry = block + sizeof before;
  memcpy(entry, name, name_size);
  entry[name_size] = '=';
  memcpy(entry + name_size + 1, value, value_size);
  return entry;
}

/* Makes a list of the `count` entries of now, but for that at `without`, the one of environ. */
static bool renew(Environment *own, size_t count, size_t without) {
  size_t room = 2 * count > LEAST_ROOM ? 2 * count : LEAST_ROOM, kept = 0;
  List *list = calloc(1, sizeof *list + (room + 1) * sizeof *list->entries);
  if (!list) return false;
  *list = (List){.before = environ, .own = own->list};
  for (size_t i = 0; i < count; i++) {
    if (i != without) list->entries[kept++] = environ[i];
  }
  *own = (Environment){.list = list->entries, .room = room};
  __atomic_store_n(&environ, own->list, __ATOMIC_RELEASE);
  return true;
}

int environment_set(Environment *own, const char *name, const char *value) {
  size_t count, at = find(environ, name, &count);
  bool is_there = at < count, has_room = environ && environ == own->list && count < own->room;
  if (!value) return !is_there || renew(own, count, at) ? 0 : -ENOMEM;
  char *entry = new_entry(name, value, is_there ? environ[at] : NULL);
  if (!entry) return -ENOMEM;
  if (!is_there && !has_room && !renew(own, count, count)) {
    free(entry - sizeof(char *));
    return -ENOMEM;
  }
  publish(&environ[at], entry);
  return 0;
}
