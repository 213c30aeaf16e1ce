/* SPDX-License-Identifier: MIT
 * The queue of events that lunette_next_event takes from. */
#pragma once

#include "base/list.h"
#include "lunette.h"

#include <stdbool.h>

enum {
  EVENTS_MOST = 16384, /* that wait, beyond which nothing is dispatched */
  EVENTS_LOG_MOST = 4096,
};

/* Zeroed memory is not one: events_init. */
typedef struct Events {
  List queue; /* oldest first */
  int count;
  int lines;             /* of them for the log */
  struct Event *current; /* owned; what was taken last */
} Events;

/* Makes it empty. */
void events_init(Events *events);

/* Adds a copy of the event at the end. False when memory is short. */
bool events_add(Events *events, const LunetteEvent *event);

/* Takes the oldest event, which is valid until the next call; NULL when there is none. */
const LunetteEvent *events_take(Events *events);

/* Frees all of it. */
void events_clear(Events *events);
