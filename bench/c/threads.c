/* SPDX-License-Identifier: MIT
 * What threads of one process cost in bare C: an exchange over eventfds, and a thread that has a
 * loop and a Lua state.
 *
 *   threads rtt | spawn */
#include "bench.h"

#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WARM_UP = 2000, CALLS = 20000, SPAWNS = 40, APART_US = 5000, IDLE = 10, IDLE_US = 100000 };

/* ---- an exchange ---- */

/* One side of it: its loop, and the message that waits for it. */
typedef struct Side {
  uv_loop_t loop;
  uv_poll_t poll;
  pthread_mutex_t lock;
  int fd;
  char message[MESSAGE];
  bool is_full;
  struct Side *peer;
  double *samples, asked; /* of the side that asks; else NULL */
  int at, count;
} Side;

static void hand(Side *to, const char *message) {
  const uint64_t one = 1;
  pthread_mutex_lock(&to->lock);
  memcpy(to->message, message, MESSAGE);
  to->is_full = true;
  pthread_mutex_unlock(&to->lock);
  if (write(to->fd, &one, sizeof one) != sizeof one) die("write");
}

static bool take(Side *side, char *message) {
  pthread_mutex_lock(&side->lock);
  bool was_full = side->is_full;
  memcpy(message, side->message, MESSAGE);
  side->is_full = false;
  pthread_mutex_unlock(&side->lock);
  return was_full;
}

static void on_told(uv_poll_t *poll, int status, int events) {
  Side *side = poll->data;
  char message[MESSAGE];
  uint64_t count;
  (void)status, (void)events;
  if (read(side->fd, &count, sizeof count) < 0 || !take(side, message)) return;
  if (side->samples) {
    if (side->at >= 0) side->samples[side->at] = now_us() - side->asked;
    if (++side->at == side->count) {
      uv_stop(&side->loop);
      return;
    }
    side->asked = now_us();
  }
  hand(side->peer, message);
}

static void open_side(Side *side, Side *peer) {
  uv_loop_init(&side->loop);
  pthread_mutex_init(&side->lock, NULL);
  side->peer = peer;
  side->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  uv_poll_init(&side->loop, &side->poll, side->fd);
  side->poll.data = side;
  uv_poll_start(&side->poll, UV_READABLE, on_told);
}

static void *run_side(void *side) {
  uv_run(&((Side *)side)->loop, UV_RUN_DEFAULT);
  return NULL;
}

static void measure_exchange(void) {
  Side *asks = calloc(2, sizeof *asks), *answers = asks + 1;
  pthread_t thread;
  char message[MESSAGE] = {0};
  open_side(asks, answers);
  open_side(answers, asks);
  asks->count = scaled(CALLS);
  asks->samples = new_samples(asks->count);
  asks->at = -WARM_UP;
  if (pthread_create(&thread, NULL, run_side, answers) != 0) die("pthread_create");
  asks->asked = now_us();
  hand(answers, message);
  uv_run(&asks->loop, UV_RUN_DEFAULT);
  emit_samples("rtt_us", asks->samples, asks->count);
}

/* ---- a thread with a Lua state ---- */

/* What the threads tell, and wait for. */
typedef struct Nursery {
  uv_async_t up;
  uv_sem_t bye;
} Nursery;

static void on_up(uv_async_t *up) { uv_stop(up->loop); }

static void *be_idle(void *argument) {
  Nursery *nursery = argument;
  uv_loop_t loop;
  uv_loop_init(&loop);
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (luaL_dostring(L, "function handler(t) return {ok=true, id=7} end")) die("luaL_dostring");
  uv_async_send(&nursery->up);
  uv_sem_wait(&nursery->bye);
  lua_close(L);
  uv_loop_close(&loop);
  return NULL;
}

static pthread_t spawn(Nursery *nursery) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, be_idle, nursery) != 0) die("pthread_create");
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return thread;
}

static void end(Nursery *nursery, pthread_t thread) {
  uv_sem_post(&nursery->bye);
  pthread_join(thread, NULL);
}

static void measure_idle(Nursery *nursery) {
  pthread_t threads[IDLE];
  double before = pss_kib(getpid());
  for (int i = 0; i < IDLE; i++) threads[i] = spawn(nursery);
  usleep(IDLE_US);
  emit("pss_kib", (pss_kib(getpid()) - before) / IDLE);
  for (int i = 0; i < IDLE; i++) uv_sem_post(&nursery->bye);
  for (int i = 0; i < IDLE; i++) pthread_join(threads[i], NULL);
}

/* One after the other: at once, or so many microseconds later. */
static void measure_spawns(Nursery *nursery, const char *metric, useconds_t apart) {
  int count = scaled(SPAWNS);
  double *samples = new_samples(count);
  for (int i = 0; i < count; i++) {
    if (apart > 0) usleep(apart);
    double begun = now_us();
    pthread_t thread = spawn(nursery);
    samples[i] = (now_us() - begun) / 1e3;
    end(nursery, thread);
  }
  emit_samples(metric, samples, count);
}

static void measure_all(void) {
  Nursery nursery;
  uv_async_init(uv_default_loop(), &nursery.up, on_up);
  uv_sem_init(&nursery.bye, 0);
  measure_spawns(&nursery, "spawn_ms", 0);
  measure_spawns(&nursery, "spawn_apart_ms", APART_US);
  measure_idle(&nursery);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "rtt") == 0) measure_exchange();
  else if (argc == 2 && strcmp(argv[1], "spawn") == 0) measure_all();
  else die("a mode");
  return 0;
}
