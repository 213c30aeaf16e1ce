/* SPDX-License-Identifier: MIT
 * The floor of the whole idea: C, libuv, one Lua state a side, and Lunette's codec; no names are
 * checked, no errors handled, no limits kept.
 *
 *   floor rtt | full SCRIPT     (floor.lua: what both sides run)
 *   floor spawn | codec */
#include "bench.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm/clone.h"

enum { SPAWNS = 40, IDLE = 10, IDLE_US = 100000, COPIES = 400 };
enum { CALL = 'c', SEND = 's', ANSWER = 'a', HEADER = 5 };

/* One side; a frame is a kind, four bytes of id, and a body of the codec. */
typedef struct Side {
  Endpoint endpoint; /* first */
  lua_State *L;
  CloneContext *context;
  Buf out;
  uint32_t id;
  int handlers, waiting; /* references: handler by name; coroutine by id */
} Side;

static const CloneLimits limits = {.size = CLONE_SIZE, .depth = CLONE_DEPTH};

static void fail(lua_State *L) {
  fprintf(stderr, "floor: %s\n", lua_tostring(L, -1));
  exit(1);
}

static Side *side_of(lua_State *L) { return *(Side **)lua_getextraspace(L); }

static void post(Side *side, lua_State *L, char kind, uint32_t id, int first) {
  int count = lua_gettop(L) - first + 1;
  buf_append(&side->out, &kind, 1);
  buf_append(&side->out, &id, sizeof id);
  if (!clone_write(side->context, L, first, count, &limits, NULL, "argument", &side->out)) fail(L);
  endpoint_send(&side->endpoint, buf_front(&side->out), buf_size(&side->out));
  buf_consume(&side->out, buf_size(&side->out));
}

static int read_values(Side *side, lua_State *L, char *body, size_t size) {
  const char *error;
  const uint8_t *bytes = (const uint8_t *)body + HEADER;
  int count = clone_read(side->context, L, bytes, size - HEADER, &limits, NULL, &error);
  if (count < 0) die(error);
  return count;
}

static void resume_caller(Side *side, uint32_t id, char *body, size_t size) {
  lua_State *L = side->L;
  int results;
  lua_rawgeti(L, LUA_REGISTRYINDEX, side->waiting);
  lua_rawgeti(L, -1, id);
  lua_State *co = lua_tothread(L, -1);
  lua_pushnil(L);
  lua_rawseti(L, -3, id);
  int count = read_values(side, co, body, size);
  if (lua_resume(co, L, count, &results) > LUA_YIELD) fail(co);
  lua_pop(L, 2);
}

static void call_handler(Side *side, char kind, uint32_t id, char *body, size_t size) {
  lua_State *L = side->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, side->handlers);
  int count = read_values(side, L, body, size);
  lua_pushvalue(L, -count);
  lua_rawget(L, -count - 2);
  lua_replace(L, -count - 1); /* the name gives way to its handler */
  lua_call(L, count - 1, 1);
  if (kind == CALL) post(side, L, ANSWER, id, lua_gettop(L));
  lua_settop(L, 0);
}

static void on_frame(Endpoint *endpoint, char *body, size_t size) {
  Side *side = (Side *)endpoint;
  uint32_t id;
  memcpy(&id, body + 1, sizeof id);
  if (body[0] == ANSWER) resume_caller(side, id, body, size);
  else call_handler(side, body[0], id, body, size);
}

/* invoke(name, ...): what the other side's handler returns. */
static int l_invoke(lua_State *L) {
  Side *side = side_of(L);
  post(side, L, CALL, ++side->id, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, side->waiting);
  lua_pushthread(L);
  lua_rawseti(L, -2, side->id);
  lua_settop(L, 0);
  return lua_yield(L, 0);
}

/* send(name, ...) */
static int l_send(lua_State *L) {
  post(side_of(L), L, SEND, 0, 1);
  return 0;
}

/* cork(yes): gathers frames, or sends what was gathered. */
static int l_cork(lua_State *L) {
  Endpoint *endpoint = &side_of(L)->endpoint;
  endpoint->corked = lua_toboolean(L, 1);
  if (!endpoint->corked) endpoint_flush(endpoint);
  return 0;
}

/* now(): microseconds. */
static int l_now(lua_State *L) {
  lua_pushnumber(L, now_us());
  return 1;
}

/* emit(metric, value | samples) */
static int l_emit(lua_State *L) {
  const char *metric = luaL_checkstring(L, 1);
  if (lua_isnumber(L, 2)) {
    emit(metric, lua_tonumber(L, 2));
    return 0;
  }
  int count = (int)lua_rawlen(L, 2);
  double *samples = new_samples(count);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    samples[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  emit_samples(metric, samples, count);
  free(samples);
  return 0;
}

/* scaled(count) */
static int l_scaled(lua_State *L) {
  lua_pushinteger(L, scaled((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* stop(): ends the loop. */
static int l_stop(lua_State *L) {
  uv_stop(side_of(L)->endpoint.pipe.loop);
  return 0;
}

static const luaL_Reg functions[] = {
    {"cork", l_cork},     {"emit", l_emit}, {"invoke", l_invoke}, {"now", l_now},
    {"scaled", l_scaled}, {"send", l_send}, {"stop", l_stop},     {NULL, NULL},
};

static void side_open(Side *side) {
  *side = (Side){.L = luaL_newstate(), .context = clone_context_new()};
  if (!side->L || !side->context) die("memory");
  *(Side **)lua_getextraspace(side->L) = side;
  luaL_openlibs(side->L);
  lua_newtable(side->L);
  side->waiting = luaL_ref(side->L, LUA_REGISTRYINDEX);
  lua_settop(side->L, 0);
}

/* Runs the script with the role, the mode and our functions; it returns the handlers. */
static void run_script(Side *side, const char *path, const char *role, const char *mode) {
  lua_State *L = side->L;
  if (luaL_loadfile(L, path)) fail(L);
  lua_pushstring(L, role);
  lua_pushstring(L, mode);
  luaL_newlib(L, functions);
  if (lua_pcall(L, 3, 1, 0)) fail(L);
  side->handlers = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void run_parent(const char *mode, const char *script) {
  Side side;
  const char *argv[] = {NULL, "child", mode, script, NULL};
  side_open(&side);
  run_script(&side, script, "parent", mode);
  endpoint_spawn(&side.endpoint, uv_default_loop(), on_frame, argv);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  endpoint_wait(&side.endpoint);
}

static void run_child(const char *mode, const char *script) {
  Side side;
  side_open(&side);
  endpoint_open(&side.endpoint, uv_default_loop(), on_frame);
  run_script(&side, script, "child", mode);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* ---- a process with a state ---- */

/* Says that it is there, then waits for the end of the connection. */
static void greet(void) {
  Side side;
  side_open(&side);
  if (luaL_dostring(side.L, "function handler(t) return { ok = true, id = 7 } end")) fail(side.L);
  endpoint_open(&side.endpoint, uv_default_loop(), on_frame);
  endpoint_send(&side.endpoint, "!", 1);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static pid_t launch_greeter(int *fd) {
  char greeting[HEADER];
  pid_t pid = launch("greet", fd);
  read_all(*fd, greeting, sizeof greeting);
  return pid;
}

static void measure_spawns(void) {
  int count = scaled(SPAWNS);
  double *samples = new_samples(count);
  for (int i = 0; i < count; i++) {
    int fd;
    double begun = now_us();
    pid_t pid = launch_greeter(&fd);
    samples[i] = (now_us() - begun) / 1e3;
    end_launched(pid, fd);
  }
  emit_samples("spawn_ms", samples, count);
}

static void measure_memory(void) {
  pid_t pids[IDLE];
  int fds[IDLE];
  double sum = 0;
  for (int i = 0; i < IDLE; i++) pids[i] = launch_greeter(&fds[i]);
  usleep(IDLE_US);
  for (int i = 0; i < IDLE; i++) sum += pss_kib(pids[i]);
  for (int i = 0; i < IDLE; i++) end_launched(pids[i], fds[i]);
  emit("pss_kib", sum / IDLE);
}

/* ---- the codec from buffer to value, as a link uses it ---- */

static void measure_codec(void) {
  Side side;
  int count = scaled(COPIES);
  double *samples = new_samples(count);
  side_open(&side);
  lua_State *L = side.L;
  if (luaL_dostring(L, "return ('x'):rep(1 << 20)")) fail(L);
  for (int i = 0; i < count; i++) {
    const char *error;
    double begun = now_us();
    if (!clone_write(side.context, L, 1, 1, &limits, NULL, "argument", &side.out)) fail(L);
    clone_read(side.context, L, buf_front(&side.out), buf_size(&side.out), &limits, NULL, &error);
    samples[i] = now_us() - begun;
    side.out.end = side.out.start = 0; /* keeps its memory, as a busy link does */
    lua_settop(L, 1);
  }
  emit_samples("codec_mib_us", samples, count);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  signal(SIGPIPE, SIG_IGN);
  if (strcmp(mode, "greet") == 0) {
    greet();
  } else if (strcmp(mode, "spawn") == 0) {
    measure_spawns();
    measure_memory();
  } else if (strcmp(mode, "codec") == 0) {
    measure_codec();
  } else if (strcmp(mode, "child") == 0 && argc > 3) {
    run_child(argv[2], argv[3]);
  } else if (argc > 2) {
    run_parent(argv[1], argv[2]);
  } else {
    die("floor: no such mode");
  }
  return 0;
}
