/* SPDX-License-Identifier: MIT
 * What the baselines share; see bench.h. */
#include "bench.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 4, LARGE = 1 << 16 /* is not copied to be gathered */ };

double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int scaled(int count) {
  const char *scale = getenv("BENCH_SCALE");
  int result = scale ? (int)(count * atof(scale)) : count;
  return result > 5 ? result : 5;
}

void die(const char *what) {
  perror(what);
  exit(1);
}

/* ---- results ---- */

static const char *contender(void) {
  const char *name = getenv("BENCH_NAME");
  return name ? name : "C";
}

void emit(const char *metric, double value) {
  printf("{\"c\":\"%s\",\"m\":\"%s\",\"v\":%.6g}\n", contender(), metric, value);
  fflush(stdout);
}

static int compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

double quantile(double *samples, int count, double part) {
  qsort(samples, (size_t)count, sizeof *samples, compare);
  return samples[(int)(count * part)];
}

void emit_samples(const char *metric, double *samples, int count) {
  double median = quantile(samples, count, 0.5), p99 = quantile(samples, count, 0.99);
  printf("{\"c\":\"%s\",\"m\":\"%s\",\"v\":%.6g,\"min\":%.6g,\"p99\":%.6g}\n", contender(), metric,
         median, samples[0], p99);
  fflush(stdout);
}

double *new_samples(int count) {
  double *samples = calloc((size_t)count, sizeof *samples);
  if (!samples) die("calloc");
  return samples;
}

/* ---- blocking input and output ---- */

void read_all(int fd, void *bytes, size_t size) {
  for (char *at = bytes; size > 0;) {
    ssize_t count = read(fd, at, size);
    if (count <= 0) exit(0);
    at += count;
    size -= (size_t)count;
  }
}

void write_all(int fd, const void *bytes, size_t size) {
  for (const char *at = bytes; size > 0;) {
    ssize_t count = write(fd, at, size);
    if (count <= 0) exit(0);
    at += count;
    size -= (size_t)count;
  }
}

/* ---- frames ---- */

static void grow(char **bytes, size_t *capacity, size_t needed) {
  if (needed <= *capacity) return;
  size_t size = *capacity ? *capacity : 1 << 16;
  while (size < needed) size *= 2;
  *bytes = realloc(*bytes, size);
  if (!*bytes) die("realloc");
  *capacity = size;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  Endpoint *endpoint = handle->data;
  grow(&endpoint->in, &endpoint->in_capacity, endpoint->in_size + suggested);
  buf->base = endpoint->in + endpoint->in_size;
  buf->len = endpoint->in_capacity - endpoint->in_size;
}

/* The size of the frame at `at`, its header included; more than `left` when it is not all there. */
static size_t frame_size(const char *at, size_t left) {
  uint32_t size;
  if (left < HEADER) return HEADER;
  memcpy(&size, at, sizeof size);
  return HEADER + size;
}

/* The answers to what one read brought leave in one write. */
static void dispatch(Endpoint *endpoint) {
  size_t at = 0, size;
  endpoint->corked = true;
  while ((size = frame_size(endpoint->in + at, endpoint->in_size - at)) <= endpoint->in_size - at) {
    endpoint->on_frame(endpoint, endpoint->in + at + HEADER, size - HEADER);
    at += size;
  }
  endpoint->corked = false;
  endpoint_flush(endpoint);
  endpoint->in_size -= at;
  memmove(endpoint->in, endpoint->in + at, endpoint->in_size);
  grow(&endpoint->in, &endpoint->in_capacity, size);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
  Endpoint *endpoint = stream->data;
  (void)buf;
  if (count < 0) {
    endpoint->closed = true;
    uv_stop(stream->loop);
    return;
  }
  endpoint->in_size += (size_t)count;
  dispatch(endpoint);
}

static void start(Endpoint *endpoint, OnFrame on_frame) {
  endpoint->pipe.data = endpoint;
  endpoint->on_frame = on_frame;
  if (uv_read_start((uv_stream_t *)&endpoint->pipe, on_alloc, on_read) < 0) die("uv_read_start");
}

void endpoint_open(Endpoint *endpoint, uv_loop_t *loop, OnFrame on_frame) {
  *endpoint = (Endpoint){0};
  uv_pipe_init(loop, &endpoint->pipe, 0);
  if (uv_pipe_open(&endpoint->pipe, CHILD_FD) < 0) die("uv_pipe_open");
  start(endpoint, on_frame);
}

void endpoint_spawn(Endpoint *endpoint, uv_loop_t *loop, OnFrame on_frame, const char **argv) {
  uv_stdio_container_t stdio[CHILD_FD + 1] = {{.flags = UV_IGNORE}};
  for (int fd = 1; fd < CHILD_FD; fd++) {
    stdio[fd].flags = UV_INHERIT_FD;
    stdio[fd].data.fd = fd;
  }
  *endpoint = (Endpoint){0};
  uv_pipe_init(loop, &endpoint->pipe, 0);
  stdio[CHILD_FD].flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE;
  stdio[CHILD_FD].data.stream = (uv_stream_t *)&endpoint->pipe;
  argv[0] = program_invocation_name;
  uv_process_options_t options = {
      .file = argv[0], .args = (char **)argv, .stdio = stdio, .stdio_count = CHILD_FD + 1};
  if (uv_spawn(loop, &endpoint->process, &options) < 0) die("uv_spawn");
  start(endpoint, on_frame);
}

typedef struct Write {
  uv_write_t request;
  char bytes[];
} Write;

static void on_written(uv_write_t *request, int status) {
  (void)status;
  free(request);
}

/* Queues a copy of what the pipe did not take at once. */
static void write_later(Endpoint *endpoint, const uv_buf_t *bufs, unsigned count, size_t skip) {
  size_t size = 0;
  for (unsigned i = 0; i < count; i++) size += bufs[i].len;
  Write *write = malloc(sizeof *write + size);
  if (!write) die("malloc");
  uv_buf_t rest = {.base = write->bytes, .len = size - skip};
  char *at = write->bytes;
  for (unsigned i = 0; i < count; i++) {
    size_t skipped = skip < bufs[i].len ? skip : bufs[i].len;
    memcpy(at, bufs[i].base + skipped, bufs[i].len - skipped);
    at += bufs[i].len - skipped;
    skip -= skipped;
  }
  uv_write(&write->request, (uv_stream_t *)&endpoint->pipe, &rest, 1, on_written);
}

static void write_now(Endpoint *endpoint, const uv_buf_t *bufs, unsigned count) {
  size_t size = 0;
  for (unsigned i = 0; i < count; i++) size += bufs[i].len;
  int written = uv_try_write((uv_stream_t *)&endpoint->pipe, bufs, count);
  if (written < 0) written = 0;
  if ((size_t)written < size) write_later(endpoint, bufs, count, (size_t)written);
}

void endpoint_send(Endpoint *endpoint, const void *body, size_t size) {
  uint32_t header = (uint32_t)size;
  if (!endpoint->corked || size >= LARGE) {
    endpoint_flush(endpoint);
    uv_buf_t bufs[] = {{.base = (char *)&header, .len = HEADER},
                       {.base = (char *)body, .len = size}};
    write_now(endpoint, bufs, 2);
    return;
  }
  grow(&endpoint->out, &endpoint->out_capacity, endpoint->out_size + HEADER + size);
  memcpy(endpoint->out + endpoint->out_size, &header, HEADER);
  memcpy(endpoint->out + endpoint->out_size + HEADER, body, size);
  endpoint->out_size += HEADER + size;
}

void endpoint_flush(Endpoint *endpoint) {
  uv_buf_t buf = {.base = endpoint->out, .len = endpoint->out_size};
  if (endpoint->out_size > 0) write_now(endpoint, &buf, 1);
  endpoint->out_size = 0;
}

void endpoint_wait(Endpoint *endpoint) { waitpid(endpoint->process.pid, NULL, 0); }

void endpoint_kill(Endpoint *endpoint) {
  kill(endpoint->process.pid, SIGKILL);
  waitpid(endpoint->process.pid, NULL, 0);
}

/* ---- processes ---- */

pid_t launch(const char *mode, int *fd) {
  int pair[2];
  pid_t pid;
  const char *argv[] = {program_invocation_name, mode, NULL};
  posix_spawn_file_actions_t actions;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) die("socketpair");
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pair[1], CHILD_FD);
  if (posix_spawn(&pid, argv[0], &actions, NULL, (char **)argv, environ) != 0) die("posix_spawn");
  posix_spawn_file_actions_destroy(&actions);
  close(pair[1]);
  *fd = pair[0];
  return pid;
}

void end_launched(pid_t pid, int fd) {
  close(fd);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

static FILE *open_proc(pid_t pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  FILE *file = fopen(path, "r");
  if (!file) die(path);
  return file;
}

double pss_kib(pid_t pid) {
  char line[256];
  double value = 0;
  FILE *file = open_proc(pid, "smaps_rollup");
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "Pss: %lf", &value) == 1) break;
  }
  fclose(file);
  return value;
}

double cpu_us(pid_t pid) {
  double nanoseconds = 0;
  FILE *file = open_proc(pid, "schedstat");
  if (fscanf(file, "%lf", &nanoseconds) != 1) die("schedstat");
  fclose(file);
  return nanoseconds / 1e3;
}
