/* SPDX-License-Identifier: MIT
 * What other threads have posted: a list under a lock, and a descriptor that wakes the loop. */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <uv.h>

/* One message; the strings lie behind it. */
typedef struct Post {
  List node;
  int page;
  const char *channel;
  const char *json; /* NULL for none */
  size_t size;
} Post;

typedef struct Posts {
  uv_mutex_t lock;
  List queue;    /* under the lock */
  bool is_ended; /* under the lock: nothing is taken any more */
  uv_poll_t watcher;
  bool holds; /* keeps the loop alive also while the queue is empty */
  int fd;     /* owned; an eventfd, readable while the queue may have something */
  void (*on_post)(void *data, const Post *post);
  void *data; /* borrowed */
} Posts;

/* Makes it, watched on the loop, which it keeps alive: on_post gets each post in order, some in
 * each turn. Returns 0 or a negative libuv code; then there is nothing to free. */
int posts_open(Posts *posts, uv_loop_t *loop, void (*on_post)(void *data, const Post *post),
               void *data);

/* Adds a copy, from any thread. Returns 0, UV_ECANCELED after posts_end, or UV_ENOMEM. */
int posts_add(Posts *posts, int page, const char *channel, const char *json, size_t size);

/* Nothing more is taken. */
void posts_end(Posts *posts);

/* Whether it keeps the loop alive also once nothing waits. */
void posts_hold(Posts *posts, bool hold);

/* Nothing more is told. */
void posts_stop(Posts *posts);

/* Frees what waits and closes the descriptor, once the loop has gone, and the watcher with it. */
void posts_close(Posts *posts);
