/* SPDX-License-Identifier: MIT
 * Promises as the C side sees them: a userdata, so that one costs one allocation, and making,
 * awaiting and settling it no look-up by name. All that is rare is in the table of its fields, and
 * in lua/lunette/common/settle.lua and promise_methods.lua. */
#pragma once

#include "vm/state.h"

#include <lua.h>

typedef enum PromiseState { PROMISE_PENDING, PROMISE_FULFILLED, PROMISE_REJECTED } PromiseState;

/* A reaction is a triple (fn, a, b) that becomes the microtask fn(a, b) when the promise settles. A
 * coroutine that waits is the triple (wake, coroutine, number of the wait); while it is the only
 * reaction, no list has to be made. */
typedef struct Promise {
  uint8_t state;      /* a PromiseState */
  uint8_t handled;    /* somebody has looked at the rejection, or will */
  uint32_t question;  /* number of the question that it is for, else 0 */
  uint32_t wait;      /* of the coroutine, when that is the only reaction */
  uint32_t reactions; /* how many */
  int count;          /* of the values, once settled */
} Promise;

/* User values of the userdata. */
enum {
  PROMISE_VALUE = 1,                 /* once settled; a list when there is not exactly one */
  PROMISE_ON_CANCEL = PROMISE_VALUE, /* while pending: function (promise), or nil */
  PROMISE_REACTIONS,                 /* the only reaction's coroutine, or a list of triples */
  PROMISE_FIELDS,                    /* a table, made when it is needed */
  PROMISE_CHANNEL,                   /* of the question */
  PROMISE_VALUES = PROMISE_CHANNEL
};

/* Pushes a new pending promise. [-0, +1, m] */
Promise *promise_push(lua_State *L);

/* The promise at `index`, or NULL for any other value. [-0, +0, never raises] */
Promise *promise_at(lua_State *L, int index);

/* Settles the promise at absolute index `index` with the `count` values on top, and pops them;
 * adopts none of them. Nothing but the popping happens when it has settled already. Of a rejection
 * that nobody has handled Lua must be told by the caller. [-count, +0, m] */
void promise_settle(State *state, lua_State *L, int index, PromiseState outcome, int count);
