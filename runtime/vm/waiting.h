/* SPDX-License-Identifier: MIT
 * How many tasks that the messages of one link have started wait for something: a one-way message
 * needs no answer, so nothing else bounds how many of its listeners are under way. */
#pragma once

#include "vm/state.h"

/* Those of one link. A userdata, which the registry keeps until waiting_end. */
typedef struct Waiting {
  uint32_t count; /* of those that were not seen to end; some may be garbage */
  uint32_t max;   /* settable */
  uint32_t fresh; /* counted since the collector was last run for it */
  bool exceeded;  /* there was one too many */
  int self;       /* reference; LUA_NOREF behind waiting_end */
} Waiting;

/* Prepares the state. [-0, +0, m] */
void waiting_init(lua_State *L);

/* A count for a link, with a limit. [-0, +0, m] */
Waiting *waiting_new(lua_State *L, uint32_t max);

/* The link is gone: the collector may have the count. NULL is allowed. [-0, +0, never raises] */
void waiting_end(lua_State *L, Waiting *waiting);

/* Counts `task`, which has just suspended and is pushed nowhere else. Where that is one too many,
 * those that are garbage are taken off first. [-0, +0, never raises] */
void waiting_add(State *state, Waiting *waiting, lua_State *task);

/* A task that was counted has ended. [-0, +0, never raises] */
void waiting_done(State *state, lua_State *task);
