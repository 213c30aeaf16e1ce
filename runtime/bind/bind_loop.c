/* SPDX-License-Identifier: MIT
 * core.loop: timers, signals, and what keeps the loop running. */
#include "bind/bind.h"
#include "vm/entry.h"

#include <signal.h>
#include <stdlib.h>

static const char TIMER[] = "lunette.Timer";

/* libuv's handle, and its handler of the signal. */
typedef struct SignalWatcher {
  uv_signal_t uv;
  void (*handler)(int number);
} SignalWatcher;

/* A timer, a signal watcher, a hold or what the next turn does. While it is active, the registry
 * keeps the userdata that stands for it (whose user value is the function to call), so closing the
 * state closes it. */
typedef struct Watcher {
  union {
    uv_handle_t handle;
    uv_timer_t timer;
    SignalWatcher signal;
    uv_async_t async;
    uv_check_t check;
  } uv;
  State *state;
  int self;     /* reference to the userdata */
  bool hurries; /* loop_hurry was called for it */
} Watcher;

static void on_watcher_closed(uv_handle_t *handle) { free(handle->data); }

/* A userdata with no watcher in it yet: the safe, closed state. */
static Watcher **new_box(lua_State *L, int function_index) {
  Watcher **box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = NULL;
  luaL_setmetatable(L, TIMER);
  lua_pushvalue(L, function_index);
  lua_setiuservalue(L, -2, 1);
  return box;
}

/* Fills the box, which is on top of the stack, and anchors it. The handle is yet to be initialised,
 * which cannot fail for these. NULL for a finaliser at the state's end, where nothing runs any more
 * and nobody would close it: the box is closed already. */
static Watcher *new_watcher(lua_State *L, int function_index) {
  Watcher **box = new_box(L, function_index);
  State *state = state_from(L);
  if (state->loop->closing) return NULL;
  lua_pushvalue(L, -1);
  int self = luaL_ref(L, LUA_REGISTRYINDEX);
  Watcher *watcher = calloc(1, sizeof *watcher);
  if (!watcher) {
    luaL_unref(L, LUA_REGISTRYINDEX, self);
    luaL_error(L, "not enough memory");
  }
  watcher->state = state;
  watcher->self = self;
  watcher->uv.handle.data = watcher;
  *box = watcher;
  return watcher;
}

static void call_watcher(Watcher *watcher, int count) {
  lua_State *L = watcher->state->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, watcher->self);
  lua_getiuservalue(L, -1, 1);
  lua_replace(L, -2);
  if (count > 0) lua_insert(L, -count - 1);
  entry_call(watcher->state, count);
}

static void on_timer(uv_timer_t *timer) { call_watcher(timer->data, 0); }

/* Once the signal has come it has its default effect until it is served: who sends it again to a
 * loop that is kept from its turns by an endless script wants an end, as Chromium gives it too. */
static void arm(SignalWatcher *watcher, int number) {
  struct sigaction action;
  if (sigaction(number, NULL, &action) != 0) return;
  if (!watcher->handler) watcher->handler = action.sa_handler;
  if (action.sa_handler == SIG_DFL) action.sa_handler = watcher->handler;
  action.sa_flags |= (int)SA_RESETHAND;
  sigaction(number, &action, NULL);
}

static void on_signal(uv_signal_t *signal, int number) {
  Watcher *watcher = signal->data;
  arm(&watcher->uv.signal, number);
  lua_pushinteger(watcher->state->L, number);
  call_watcher(watcher, 1);
}

/* How long from the loop's time, which stands still while timers run, to `after` from now. Moving
 * that time on instead would let timers that start each other keep the loop from all else; so they
 * can for a millisecond. Timers come late rather than early: parts of one are rounded up, but not
 * for 0. */
static uint64_t from_loop_time(uv_loop_t *loop, uint64_t after) {
  uint64_t now = uv_hrtime(), due = now / 1000000 + after, turn = uv_now(loop);
  if (after > 0 && now % 1000000 > 0) due++;
  return due > turn ? due - turn : 0;
}

/* timer(ms, repeat_ms, fn): calls fn after ms, then every repeat_ms unless that is 0. Returns the
 * timer; it runs until close(), whoever holds it. */
static int l_timer(lua_State *L) {
  lua_Integer after = luaL_checkinteger(L, 1), repeat = luaL_checkinteger(L, 2);
  luaL_argcheck(L, after >= 0, 1, "milliseconds expected");
  luaL_argcheck(L, repeat >= 0, 2, "milliseconds expected");
  Watcher *watcher = new_watcher(L, 3);
  if (!watcher) return 1;
  uv_loop_t *loop = &watcher->state->loop->uv;
  uint64_t delay = from_loop_time(loop, (uint64_t)after);
  uv_timer_init(loop, &watcher->uv.timer);
  uv_timer_start(&watcher->uv.timer, on_timer, delay, (uint64_t)repeat);
  return 1;
}

/* signal(number, fn): calls fn(number) when the signal comes; one more, before that, has the effect
 * that it has without us. Does not keep the loop running. */
static int l_signal(lua_State *L) {
  int number = (int)luaL_checkinteger(L, 1);
  Watcher *watcher = new_watcher(L, 2);
  if (!watcher) return 1;
  uv_signal_t *signal = &watcher->uv.signal.uv;
  uv_signal_init(&watcher->state->loop->uv, signal);
  uv_unref(&watcher->uv.handle);
  if (uv_signal_start(signal, on_signal, number) == 0) arm(&watcher->uv.signal, number);
  return 1;
}

static void on_hold(uv_async_t *async) { (void)async; }

/* hold(): keeps the loop running until the result's close(). */
static int l_hold(lua_State *L) {
  lua_pushnil(L);
  Watcher *watcher = new_watcher(L, lua_gettop(L));
  if (watcher) uv_async_init(&watcher->state->loop->uv, &watcher->uv.async, on_hold);
  return 1;
}

static void calm(Watcher *watcher) {
  if (watcher->hurries) loop_calm(watcher->state->loop);
  watcher->hurries = false;
}

static void on_turn(uv_check_t *check) {
  uv_check_stop(check);
  calm(check->data);
  call_watcher(check->data, 0);
}

/* next_turn(fn): calls fn once the loop has polled, so that what it does is not a part of this
 * turn. Returns what close() keeps from happening; fn, or somebody, is to close it. */
static int l_next_turn(lua_State *L) {
  Watcher *watcher = new_watcher(L, 1);
  if (!watcher) return 1;
  Loop *loop = watcher->state->loop;
  uv_check_init(&loop->uv, &watcher->uv.check);
  uv_check_start(&watcher->uv.check, on_turn);
  watcher->hurries = true;
  loop_hurry(loop);
  return 1;
}

static Watcher **check_watcher(lua_State *L) { return luaL_checkudata(L, 1, TIMER); }

/* close(), and the collector's end of it. Idempotent. What the function holds is let go. */
static int l_timer_close(lua_State *L) {
  Watcher **box = check_watcher(L);
  Watcher *watcher = *box;
  if (!watcher) return 0;
  *box = NULL;
  calm(watcher);
  lua_pushnil(L);
  lua_setiuservalue(L, 1, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, watcher->self);
  uv_close(&watcher->uv.handle, on_watcher_closed);
  return 0;
}

/* ref(keep): whether it keeps the loop running. */
static int l_timer_ref(lua_State *L) {
  Watcher **box = check_watcher(L);
  if (!*box) return 0;
  if (lua_toboolean(L, 2)) uv_ref(&(*box)->uv.handle);
  else uv_unref(&(*box)->uv.handle);
  return 0;
}

/* spin(us): how long the loop polls before it sleeps. */
static int l_spin(lua_State *L) {
  lua_Integer us = luaL_checkinteger(L, 1);
  luaL_argcheck(L, us >= 0 && us <= 1000000, 1, "microseconds expected, a second at most");
  state_from(L)->loop->spin = (uint64_t)us * 1000;
  return 0;
}

/* Active handles by their type; not the loop's own. */
typedef struct Census {
  const Loop *loop;
  int counts[UV_HANDLE_TYPE_MAX];
} Census;

static void count_handle(uv_handle_t *handle, void *data) {
  Census *census = data;
  bool holds = uv_is_active(handle) && uv_has_ref(handle) && !uv_is_closing(handle);
  bool is_own = handle == (const uv_handle_t *)&census->loop->idle;
  if (holds && !is_own) census->counts[handle->type]++;
}

/* held_by(): what keeps the loop running: how many handles of each type, by libuv's name of it. */
static int l_held_by(lua_State *L) {
  Census census = {.loop = state_from(L)->loop};
  uv_walk(&state_from(L)->loop->uv, count_handle, &census);
  lua_newtable(L);
  for (int type = 0; type < UV_HANDLE_TYPE_MAX; type++) {
    if (census.counts[type] == 0) continue;
    lua_pushinteger(L, census.counts[type]);
    lua_setfield(L, -2, uv_handle_type_name((uv_handle_type)type));
  }
  return 1;
}

/* stop(): ends the run of the loop after this turn. */
static int l_stop(lua_State *L) {
  loop_stop(state_from(L)->loop);
  return 0;
}

static const luaL_Reg functions[] = {
    {"timer", l_timer}, {"signal", l_signal}, {"hold", l_hold},       {"next_turn", l_next_turn},
    {"spin", l_spin},   {"stop", l_stop},     {"held_by", l_held_by}, {NULL, NULL},
};

static const luaL_Reg timer_methods[] = {
    {"close", l_timer_close},
    {"ref", l_timer_ref},
    {NULL, NULL},
};

int open_loop(lua_State *L) {
  luaL_newmetatable(L, TIMER);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable"); /* a promise's timer can be seen by a page */
  luaL_newlib(L, timer_methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_timer_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
