/* SPDX-License-Identifier: MIT
 * Promises as the C side sees them. A promise is a table whose array part has the slots below, so
 * that making, awaiting and settling one costs no look-up by name; all that is rare is in named
 * fields, and in lua/lunette/common/promise.lua. */
#pragma once

#include "vm/state.h"

#include <lua.h>

typedef enum PromiseSlot {
  PROMISE_STATE = 1, /* a PromiseState */
  PROMISE_VALUE,     /* once settled; nil when there is not exactly one: then `_more` has them */
  PROMISE_FN,        /* the first reaction: becomes the microtask fn(a, b) */
  PROMISE_A,
  PROMISE_B,
  PROMISE_OTHERS,    /* further reactions, in threes */
  PROMISE_ON_CANCEL, /* function (promise) */
  PROMISE_ID,        /* of the question that it is for */
  PROMISE_CHANNEL,   /* of that question */
  PROMISE_SLOTS = PROMISE_CHANNEL
} PromiseSlot;

typedef enum PromiseState { PROMISE_PENDING, PROMISE_FULFILLED, PROMISE_REJECTED } PromiseState;

/* Pushes a new pending promise. [-0, +1, m] */
void promise_push(lua_State *L);

/* Settles the promise at absolute index `promise` with the `count` values on top, and pops them;
 * adopts none of them. Nothing but the popping happens when it has settled already. Of a rejection
 * that nobody has handled Lua must be told by the caller. [-count, +0, m] */
void promise_settle(State *state, lua_State *L, int promise, PromiseState outcome, int count);
