/* SPDX-License-Identifier: MIT
 * Stopping the Lua code of a thread from another thread.
 *
 * Lua's means is a hook. It makes the coroutine yield, which nothing in it can catch; where it must
 * not, as below table.sort or in a message handler, Lua's error for want of memory is raised, which
 * is the one that no message handler hears of: it would run inside of the hook. It is raised by its
 * text: to have a request refused would collect a heap that is given up. To set a hook from
 * outside would be a race with Lua's own lists, so a signal has the thread do it itself, wherever
 * it is: it costs nothing until then. Hooks belong to coroutines. The one that runs gets it there;
 * those beneath it, and those that are resumed later, when they go on: see brake_switch. New ones
 * inherit it.
 *
 * Without a signal, as in a program that has not named one, a hook looks at a flag every so many
 * instructions from the start. With any such hook Lua 5.4 takes a slower way at each of them. */
#include "vm/brake.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_EVERY = 10000 }; /* instructions */

void brake_init(Brake *brake, int signal) { *brake = (Brake){.signal = signal}; }

bool brake_is_pulled(const Brake *brake) {
  return brake && __atomic_load_n(&brake->pulled, __ATOMIC_ACQUIRE);
}

_Static_assert(LUA_VERSION_RELEASE_NUM >= 50401, "lua_error knows the text from Lua 5.4.1 on");

/* The hook once the brake was pulled. The collector rests: to push a text may have it work. */
static void stop(lua_State *L, lua_Debug *unused) {
  (void)unused;
  if (lua_isyieldable(L)) {
    lua_yield(L, 0);
  } else {
    lua_gc(L, LUA_GCSTOP);
    lua_pushliteral(L, "not enough memory");
    lua_error(L);
  }
}

static void set_stop(lua_State *L) { lua_sethook(L, stop, LUA_MASKCOUNT, 1); }

/* The hook until then, when there is no signal. */
static void look(lua_State *L, lua_Debug *event) {
  if (!brake_is_pulled(state_from(L)->loop->brake)) return;
  set_stop(L);
  stop(L, event);
}

static void on_signal(int number, siginfo_t *info, void *unused) {
  (void)number, (void)unused;
  if (info->si_code != SI_QUEUE || info->si_pid != getpid()) return;
  const Brake *brake = info->si_value.sival_ptr;
  if (brake->running) set_stop(brake->running);
}

static bool is_ours(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_signal;
}

int brake_take_signal(int number) {
  struct sigaction action = {.sa_sigaction = on_signal,
                             .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
  struct sigaction now;
  if (sigaction(number, NULL, &now) != 0) return -errno;
  if (is_ours(&now)) return 0;
  sigemptyset(&action.sa_mask);
  return sigaction(number, &action, NULL) == 0 ? 0 : -errno;
}

void brake_give_signals_back(void) {
  struct sigaction now;
  for (int number = 1; number < NSIG; number++) {
    if (sigaction(number, NULL, &now) == 0 && is_ours(&now)) signal(number, SIG_DFL);
  }
}

void brake_fit(Brake *brake, State *state) {
  if (brake->signal == 0) lua_sethook(state->L, look, LUA_MASKCOUNT, LOOK_EVERY);
  if (!brake->running) brake->running = state->L;
}

void brake_pull(Brake *brake, pthread_t thread) {
  __atomic_store_n(&brake->pulled, 1, __ATOMIC_RELEASE);
  if (brake->signal == 0) return;
  const union sigval value = {.sival_ptr = brake};
  pthread_sigqueue(thread, brake->signal, value); /* should the queue be full, it is repeated */
}

void brake_pull_here(Brake *brake) {
  __atomic_store_n(&brake->pulled, 1, __ATOMIC_RELEASE);
  if (brake->running) set_stop(brake->running);
}

lua_State *brake_switch(Brake *brake, lua_State *next) {
  lua_State *before = brake->running;
  brake->running = next;
  if (next && brake_is_pulled(brake)) set_stop(next); /* the signal came before that */
  return before;
}
