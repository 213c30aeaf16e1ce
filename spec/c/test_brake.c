/* SPDX-License-Identifier: MIT
 * Stopping Lua from another thread, by a signal and without one. More of it, where Lua is at that
 * moment, is in spec/api/thread_spec.lua. */
#include "vm/brake.h"

#include "host.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

enum { WAIT_SECONDS = 20 };

/* The thread sanitizer keeps signals back from code that never calls anything. */
#ifdef __SANITIZE_THREAD__
enum { SIGNAL = 0 };
#else
enum { SIGNAL = SIGURG };
#endif

/* Code, and how it is told that it runs. */
typedef struct Victim {
  Brake brake;
  const char *code;
  int begun; /* atomic */
  int status;
  bool collected; /* although its collector is stopped */
} Victim;

static int l_begin(lua_State *L) {
  Victim *victim = (Victim *)state_from(L)->loop->brake;
  __atomic_store_n(&victim->begun, 1, __ATOMIC_RELEASE);
  return 0;
}

static const char PREPARE[] = "collectgarbage 'stop' weak = setmetatable({ {} }, { __mode = 'v' })";

static bool has_collected(lua_State *L) {
  lua_getglobal(L, "weak");
  bool collected = lua_rawgeti(L, -1, 1) == LUA_TNIL;
  lua_pop(L, 2);
  return collected;
}

static void *run(void *argument) {
  Victim *victim = argument;
  Loop *loop = loop_new();
  loop->brake = &victim->brake;
  State *state = state_new(loop);
  lua_register(state->L, "begin", l_begin);
  CHECK(luaL_dostring(state->L, PREPARE) == LUA_OK);
  victim->status = luaL_dostring(state->L, victim->code);
  victim->collected = has_collected(state->L);
  brake_switch(&victim->brake, NULL);
  state_free(state);
  loop_free(loop);
  return victim;
}

static bool join_in_time(pthread_t thread) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WAIT_SECONDS;
  return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

static void stop(const char *code, int number) {
  Victim victim = {.code = code};
  pthread_t thread;
  brake_init(&victim.brake, number);
  CHECK(!brake_is_pulled(&victim.brake));
  CHECK(pthread_create(&thread, NULL, run, &victim) == 0);
  while (!__atomic_load_n(&victim.begun, __ATOMIC_ACQUIRE)) sched_yield();
  brake_pull(&victim.brake, thread);
  if (!CHECK(join_in_time(thread))) exit(1); /* it uses what is on this stack */
  CHECK(brake_is_pulled(&victim.brake) && victim.status != LUA_OK);
#ifndef LUNETTE_STRESS
  CHECK(!victim.collected); /* a large heap takes seconds, and is about to go */
#endif
}

static const char *const codes[] = {
    "begin() while true do end",
    "begin() local n = 0 while true do n = n + 1 end",
    "begin() while true do pcall(function() while true do end end) end",
    "begin() while true do xpcall(error, function() while true do end end) end",
    "begin() while true do local _ = { {}, {} } end",
    "begin() table.sort({ 3, 2, 1 }, function() while true do end end)",
    /* The collector is due from the second line on. */
    "local t = {} collectgarbage 'restart'\n"
    "for i = 1, 1 << 20 do t[i] = i end begin() while true do end",
};

static void test_stop(void) {
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    stop(codes[i], SIGNAL);
    stop(codes[i], 0);
  }
}

/* The handler is taken over once, and does nothing to a signal of somebody else's. */
static void test_signal(void) {
  struct sigaction first, second;
  CHECK(brake_take_signal(SIGURG) == 0 && sigaction(SIGURG, NULL, &first) == 0);
  CHECK(brake_take_signal(SIGURG) == 0 && sigaction(SIGURG, NULL, &second) == 0);
  CHECK(first.sa_sigaction == second.sa_sigaction && (first.sa_flags & SA_RESTART));
  CHECK(raise(SIGURG) == 0 && kill(getpid(), SIGURG) == 0);
  CHECK(brake_take_signal(NSIG + 1) < 0);
}

static void test_all(void) {
  test_signal();
  test_stop();
}

int main(void) { return run_test(test_all); }
