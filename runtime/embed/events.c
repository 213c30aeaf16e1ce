/* SPDX-License-Identifier: MIT
 * The queue of events that lunette_next_event takes from. */
#include "embed/events.h"

#include <stdlib.h>
#include <string.h>

/* The event and, behind it, its strings. */
typedef struct Event {
  List node;
  LunetteEvent event;
  char bytes[];
} Event;

void events_init(Events *events) {
  *events = (Events){0};
  list_init(&events->queue);
}

/* Copies a string, with a zero byte behind it, to *at, and moves that behind it. */
static const char *put(char **at, const char *text, size_t size) {
  char *copy = *at;
  if (size > 0) memcpy(copy, text, size);
  copy[size] = 0;
  *at += size + 1;
  return copy;
}

static void count(Events *events, const Event *entry, int change) {
  events->count += change;
  if (entry->event.type == LUNETTE_EVENT_LOG) events->lines += change;
}

/* The oldest line of the log goes. */
static void drop_line(Events *events) {
  for (List *node = events->queue.next; node != &events->queue; node = node->next) {
    Event *entry = LIST_ENTRY(node, Event, node);
    if (entry->event.type != LUNETTE_EVENT_LOG) continue;
    list_remove(node);
    count(events, entry, -1);
    free(entry);
    return;
  }
}

bool events_add(Events *events, const LunetteEvent *event) {
  Event *entry = malloc(sizeof *entry + event->channel_size + event->text_size + 2);
  if (!entry) return false;
  char *at = entry->bytes;
  entry->event = *event;
  entry->event.channel = put(&at, event->channel, event->channel_size);
  entry->event.text = put(&at, event->text, event->text_size);
  list_append(&events->queue, &entry->node);
  count(events, entry, 1);
  if (events->lines > EVENTS_LOG_MOST) drop_line(events);
  return true;
}

const LunetteEvent *events_take(Events *events) {
  free(events->current);
  events->current = NULL;
  if (list_empty(&events->queue)) return NULL;
  events->current = LIST_ENTRY(events->queue.next, Event, node);
  list_remove(&events->current->node);
  count(events, events->current, -1);
  return &events->current->event;
}

void events_clear(Events *events) {
  while (events_take(events)) continue;
}
