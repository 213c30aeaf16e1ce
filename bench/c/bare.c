/* SPDX-License-Identifier: MIT
 * The limit of the machine: opaque bytes between bare C programs, and what a program's start costs.
 *
 *   bare rtt | sync | echo | memcpy | fan N | paced N | exec METRIC PROGRAM [ARGUMENT...] */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM_UP = 2000, CALLS = 20000, ECHOES = 200, COPIES = 400, STARTS = 60 };
enum { PERIOD_MS = 10, PACED_MS = 2000, FAN_MS = 1000, SHOTS_MAX = 1 << 18 };

static void on_question(Endpoint *endpoint, char *body, size_t size) {
  endpoint_send(endpoint, body, size);
}

/* The parent of one caller: answers until it goes. */
static void answer(const char *mode) {
  const char *argv[] = {NULL, mode, NULL};
  Endpoint endpoint;
  endpoint_spawn(&endpoint, uv_default_loop(), on_question, argv);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  endpoint_kill(&endpoint);
}

/* ---- one caller ---- */

typedef struct Caller {
  Endpoint endpoint; /* first, so that an endpoint is its caller */
  double *samples, asked;
  int at, count;
  const char *message;
  size_t size;
} Caller;

static void ask(Caller *caller) {
  caller->asked = now_us();
  endpoint_send(&caller->endpoint, caller->message, caller->size);
}

static void on_answer(Endpoint *endpoint, char *body, size_t size) {
  Caller *caller = (Caller *)endpoint;
  (void)body, (void)size;
  if (caller->at >= 0) caller->samples[caller->at] = now_us() - caller->asked;
  if (++caller->at < caller->count) ask(caller);
  else uv_stop(endpoint->pipe.loop);
}

static void call(const char *metric, size_t size, int warm_up, int count) {
  Caller caller = {.samples = new_samples(count), .at = -warm_up, .count = count, .size = size};
  caller.message = calloc(1, size);
  endpoint_open(&caller.endpoint, uv_default_loop(), on_answer);
  ask(&caller);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  emit_samples(metric, caller.samples, count);
}

/* A caller that blocks in read: the least that a synchronous call can cost. */
static void call_blocking(void) {
  uint32_t size = MESSAGE - sizeof size;
  char message[MESSAGE] = {0};
  int count = scaled(CALLS);
  double *samples = new_samples(count);
  memcpy(message, &size, sizeof size);
  for (int i = -WARM_UP; i < count; i++) {
    double asked = now_us();
    write_all(CHILD_FD, message, sizeof message);
    read_all(CHILD_FD, message, sizeof message);
    if (i >= 0) samples[i] = now_us() - asked;
  }
  emit_samples("sync_us", samples, count);
}

static void copy(void) {
  char *from = malloc(MIB), *to = malloc(MIB);
  int count = scaled(COPIES);
  double *samples = new_samples(count);
  if (!from || !to) die("malloc");
  memset(from, 1, MIB);
  memset(to, 2, MIB);
  for (int i = 0; i < count; i++) {
    double begun = now_us();
    memcpy(to, from, MIB);
    __asm__ volatile("" : : "r"(to) : "memory");
    samples[i] = now_us() - begun;
  }
  emit_samples("mib_copy_us", samples, count);
}

/* ---- many callers: each has one question open, or asks 100 times a second ---- */

typedef struct Report {
  double calls, p50, p99;
} Report;

typedef struct Many {
  Endpoint *endpoints;
  Report *reports;
  int count, ready, done;
  double *cpu_before; /* of the children, then of this process */
} Many;

static void each_cpu(Many *many, double sign) {
  for (int i = 0; i < many->count; i++) {
    many->cpu_before[i] += sign * cpu_us(many->endpoints[i].process.pid);
  }
  many->cpu_before[many->count] += sign * cpu_us(getpid());
}

static void on_many(Endpoint *endpoint, char *body, size_t size) {
  Many *many = endpoint->pipe.loop->data;
  if (size == MESSAGE) {
    endpoint_send(endpoint, body, size);
  } else if (size == sizeof(Report)) {
    memcpy(&many->reports[many->done++], body, size);
    if (many->done == many->count) uv_stop(endpoint->pipe.loop);
  } else if (++many->ready == many->count) {
    each_cpu(many, -1);
    for (int i = 0; i < many->count; i++) endpoint_send(&many->endpoints[i], body, size);
  }
}

static double duration_us(bool paced) { return scaled(paced ? PACED_MS : FAN_MS) * 1e3; }

static void emit_many(Many *many, const char *mode) {
  char metric[64];
  double calls = 0, cpu = 0, *p50 = new_samples(many->count), *p99 = new_samples(many->count);
  for (int i = 0; i < many->count; i++) {
    calls += many->reports[i].calls;
    p50[i] = many->reports[i].p50;
    p99[i] = many->reports[i].p99;
  }
  for (int i = 0; i <= many->count; i++) cpu += many->cpu_before[i];
  snprintf(metric, sizeof metric, "%s%d_us", mode, many->count);
  printf("{\"c\":\"%s\",\"m\":\"%s\",\"v\":%.6g,\"p99\":%.6g}\n", getenv("BENCH_NAME"), metric,
         quantile(p50, many->count, 0.5), quantile(p99, many->count, 0.5));
  snprintf(metric, sizeof metric, "%s%d_cpu_us", mode, many->count);
  emit(metric, cpu / calls);
  snprintf(metric, sizeof metric, "%s%d_per_s", mode, many->count);
  emit(metric, calls / (duration_us(strcmp(mode, "paced") == 0) / 1e6));
}

static void parent_of_many(const char *mode, const char *child, int count) {
  size_t number = (size_t)count;
  Many many = {.count = count,
               .endpoints = calloc(number, sizeof(Endpoint)),
               .reports = calloc(number, sizeof(Report)),
               .cpu_before = new_samples(count + 1)};
  uv_loop_t *loop = uv_default_loop();
  loop->data = &many;
  for (int i = 0; i < count; i++) {
    const char *argv[] = {NULL, child, NULL};
    endpoint_spawn(&many.endpoints[i], loop, on_many, argv);
  }
  uv_run(loop, UV_RUN_DEFAULT);
  each_cpu(&many, 1);
  for (int i = 0; i < count; i++) endpoint_kill(&many.endpoints[i]);
  emit_many(&many, mode);
}

typedef struct Shooter {
  Endpoint endpoint; /* first */
  uv_timer_t timer;
  bool paced;
  double until, asked, *samples;
  int count;
} Shooter;

static void shoot(Shooter *shooter) {
  static const char message[MESSAGE] = {0};
  shooter->asked = now_us();
  endpoint_send(&shooter->endpoint, message, MESSAGE);
}

static void finish(Shooter *shooter) {
  Report report = {.calls = shooter->count,
                   .p50 = quantile(shooter->samples, shooter->count, 0.5),
                   .p99 = quantile(shooter->samples, shooter->count, 0.99)};
  endpoint_send(&shooter->endpoint, &report, sizeof report);
}

static void on_tick(uv_timer_t *timer) {
  Shooter *shooter = timer->data;
  if (now_us() < shooter->until) {
    shoot(shooter);
    return;
  }
  uv_timer_stop(timer);
  finish(shooter);
}

static void begin(Shooter *shooter) {
  shooter->until = now_us() + duration_us(shooter->paced);
  if (!shooter->paced) {
    shoot(shooter);
    return;
  }
  uv_timer_init(shooter->endpoint.pipe.loop, &shooter->timer);
  shooter->timer.data = shooter;
  uv_timer_start(&shooter->timer, on_tick, (uint64_t)(getpid() % PERIOD_MS), PERIOD_MS);
}

static void on_shooter(Endpoint *endpoint, char *body, size_t size) {
  Shooter *shooter = (Shooter *)endpoint;
  (void)body;
  if (size != MESSAGE) {
    begin(shooter);
    return;
  }
  if (shooter->count < SHOTS_MAX) shooter->samples[shooter->count++] = now_us() - shooter->asked;
  if (shooter->paced) return;
  if (now_us() < shooter->until) shoot(shooter);
  else finish(shooter);
}

static void one_of_many(bool paced) {
  Shooter shooter = {.paced = paced, .samples = new_samples(SHOTS_MAX)};
  endpoint_open(&shooter.endpoint, uv_default_loop(), on_shooter);
  endpoint_send(&shooter.endpoint, "ready", 5);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* ---- how long a program takes from its start to its end ---- */

static void start_program(char **argv) {
  pid_t pid;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0) die(argv[0]);
  posix_spawn_file_actions_destroy(&actions);
  int status;
  waitpid(pid, &status, 0);
  if (status != 0) die(argv[0]);
}

static void time_program(const char *metric, char **argv) {
  int count = scaled(STARTS);
  double *samples = new_samples(count);
  for (int i = -2; i < count; i++) {
    double begun = now_us();
    start_program(argv);
    if (i >= 0) samples[i] = (now_us() - begun) / 1e3;
  }
  emit_samples(metric, samples, count);
}

/* The modes that take no argument. */
static bool run_plain(const char *mode) {
  if (strcmp(mode, "rtt") == 0) answer("rtt-caller");
  else if (strcmp(mode, "rtt-caller") == 0) call("rtt_us", MESSAGE - 4, WARM_UP, scaled(CALLS));
  else if (strcmp(mode, "sync") == 0) answer("sync-caller");
  else if (strcmp(mode, "sync-caller") == 0) call_blocking();
  else if (strcmp(mode, "echo") == 0) answer("echo-caller");
  else if (strcmp(mode, "echo-caller") == 0) call("mib_echo_us", MIB, 5, scaled(ECHOES));
  else if (strcmp(mode, "memcpy") == 0) copy();
  else if (strcmp(mode, "fan-one") == 0) one_of_many(false);
  else if (strcmp(mode, "paced-one") == 0) one_of_many(true);
  else return false;
  return true;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  signal(SIGPIPE, SIG_IGN);
  if (run_plain(mode)) return 0;
  if (argc < 3) return 2;
  if (strcmp(mode, "fan") == 0) parent_of_many("fan", "fan-one", atoi(argv[2]));
  else if (strcmp(mode, "paced") == 0) parent_of_many("paced", "paced-one", atoi(argv[2]));
  else if (strcmp(mode, "exec") == 0 && argc > 3) time_program(argv[2], argv + 3);
  else return 2;
  return 0;
}
