/* SPDX-License-Identifier: MIT
 * An intrusive, circular, doubly linked list: nodes live inside the structs that are listed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A list's head, or a node inside a listed struct. Initialise both with list_init. */
typedef struct List {
  struct List *next, *previous;
} List;

/* The struct of type `type` whose member `member` is the node `node`. */
#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Makes an empty list, or a node that is on no list. */
static inline void list_init(List *list) { list->next = list->previous = list; }

/* True for an empty list, and for a node that is on no list. */
static inline bool list_empty(const List *list) { return list->next == list; }

/* How many nodes are on the list. */
static inline int list_size(const List *list) {
  int size = 0;
  for (const List *node = list->next; node != list; node = node->next) size++;
  return size;
}

/* Takes the node off its list; harmless when it is on none. */
static inline void list_remove(List *node) {
  node->previous->next = node->next;
  node->next->previous = node->previous;
  list_init(node);
}

/* Puts the node, which must be on no list, at the end. */
static inline void list_append(List *list, List *node) {
  node->previous = list->previous;
  node->next = list;
  list->previous->next = node;
  list->previous = node;
}
