/* SPDX-License-Identifier: MIT
 * Stopping the Lua code of a thread from another thread: at its next instruction, for good. */
#pragma once

#include "vm/state.h"

#include <pthread.h>

/* What stops the states of one renderer on a thread. Once pulled, no instruction of theirs is run
 * any more, not behind a pcall, in other coroutines or in new ones either. What it cannot stop: a C
 * function of Lua's (string.find, io.read), finalisers, functions that debug.sethook calls. */
typedef struct Brake {
  int signal; /* by which the thread is interrupted; 0: its code looks at `pulled` by itself */
  int pulled; /* atomic */
  int code;   /* that the renderer ends with, its own end's; settable on the brake's own thread */
  lua_State *volatile running; /* the coroutine that runs now; used on the brake's own thread */
  void (*exhausted)(struct Brake *brake, bool again); /* as of Memory: the limit is hit */
  void (*panic)(struct Brake *brake);                 /* Lua cannot go on; does not return */
} Brake;

/* Makes one for a thread that is about to start. `signal` 0 costs the speed of all its Lua code. */
void brake_init(Brake *brake, int signal);

/* Takes the signal over for this process, if it is not taken already: its handler does nothing but
 * for brakes. Returns 0 or a negative errno. */
int brake_take_signal(int number);

/* Gives the signals that were taken their default back, before the handler's code is unloaded. */
void brake_give_signals_back(void);

/* A new state, before it runs anything. */
void brake_fit(Brake *brake, State *state);

/* Pulls it from another thread than `thread`, which has not been joined yet. May be repeated. */
void brake_pull(Brake *brake, pthread_t thread);

/* Pulls it on its own thread, also from within an allocation. */
void brake_pull_here(Brake *brake);

/* Whether it was pulled. NULL is allowed: never. */
bool brake_is_pulled(const Brake *brake);

/* From now on `next` is what runs on the thread; NULL for nothing that may be touched. Returns what
 * ran before. [-0, +0, never raises] */
lua_State *brake_switch(Brake *brake, lua_State *next);
