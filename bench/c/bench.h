/* SPDX-License-Identifier: MIT
 * What the baselines share: samples, results, and frames over a libuv pipe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

enum { MESSAGE = 64, MIB = 1 << 20, CHILD_FD = 3 };

/* Microseconds of a monotonic clock. */
double now_us(void);

/* A count of samples or messages, made smaller by BENCH_SCALE (0 to 1) for a quick run. */
int scaled(int count);

/* Ends the program, saying what failed. */
_Noreturn void die(const char *what);

/* Prints a result as a line of JSON; the contender is BENCH_NAME. */
void emit(const char *metric, double value);

/* Prints median, least and 99th percentile; sorts the samples. */
void emit_samples(const char *metric, double *samples, int count);

/* The value at `part` (0 to 1) of sorted samples; sorts them. */
double quantile(double *samples, int count, double part);

/* Room for `count` doubles, never freed: a baseline does one thing and ends. */
double *new_samples(int count);

/* All of the bytes, blocking; the other end's going away ends the program. */
void read_all(int fd, void *bytes, size_t size);
void write_all(int fd, const void *bytes, size_t size);

/* A libuv pipe that carries frames: four bytes of length, then the body. */
typedef struct Endpoint Endpoint;
typedef void (*OnFrame)(Endpoint *endpoint, char *body, size_t size);

struct Endpoint {
  uv_pipe_t pipe;
  uv_process_t process; /* of the other end, where endpoint_spawn started it */
  OnFrame on_frame;
  char *in, *out;
  size_t in_size, in_capacity, out_size, out_capacity;
  bool corked; /* frames gather until endpoint_flush */
  bool closed; /* by the other end */
};

/* The child's end of what endpoint_spawn made: descriptor CHILD_FD. */
void endpoint_open(Endpoint *endpoint, uv_loop_t *loop, OnFrame on_frame);

/* Starts this program anew with `argv`, whose first element is filled in, at the other end. */
void endpoint_spawn(Endpoint *endpoint, uv_loop_t *loop, OnFrame on_frame, const char **argv);

/* Sends a frame now, or gathers it when corked. */
void endpoint_send(Endpoint *endpoint, const void *body, size_t size);

/* Sends what was gathered. */
void endpoint_flush(Endpoint *endpoint);

/* Reaps the other end, which has closed the connection and ends by itself. */
void endpoint_wait(Endpoint *endpoint);

/* Kills and reaps the other end. */
void endpoint_kill(Endpoint *endpoint);

/* Starts this program anew with one argument, CHILD_FD its end of a socket pair; the other is
 * *fd. */
pid_t launch(const char *mode, int *fd);

/* Ends a process of `launch`. */
void end_launched(pid_t pid, int fd);

/* Proportional set size of a process. */
double pss_kib(pid_t pid);

/* CPU time of a process that has one thread. */
double cpu_us(pid_t pid);
