/* SPDX-License-Identifier: MIT
 * What other threads have posted: a list under a lock, and a descriptor that wakes the loop.
 *
 * An eventfd under uv_poll, not uv_async: that one takes ten times as long to wake a loop. */
#include "embed/posts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POSTS_PER_TURN = 64 };

/* The oldest one, or NULL: then the descriptor is calmed. */
static Post *take(Posts *posts) {
  Post *post = NULL;
  uint64_t count;
  uv_mutex_lock(&posts->lock);
  if (!list_empty(&posts->queue)) {
    post = LIST_ENTRY(posts->queue.next, Post, node);
    list_remove(&post->node);
  } else if (read(posts->fd, &count, sizeof count) < 0) {
    errno = 0; /* it was calm already */
  }
  uv_mutex_unlock(&posts->lock);
  return post;
}

static void on_ready(uv_poll_t *watcher, int status, int events) {
  (void)status, (void)events;
  Posts *posts = watcher->data;
  Post *post = NULL;
  for (int i = 0; i < POSTS_PER_TURN && (post = take(posts)); i++) {
    posts->on_post(posts->data, post);
    free(post);
  }
  if (!post && !posts->holds) uv_unref((uv_handle_t *)&posts->watcher);
}

int posts_open(Posts *posts, uv_loop_t *loop, void (*on_post)(void *data, const Post *post),
               void *data) {
  list_init(&posts->queue);
  posts->on_post = on_post;
  posts->data = data;
  posts->holds = true;
  posts->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (posts->fd < 0) return -errno;
  int error = uv_mutex_init(&posts->lock);
  if (error == 0) {
    error = uv_poll_init(loop, &posts->watcher, posts->fd);
    if (error < 0) uv_mutex_destroy(&posts->lock);
  }
  if (error < 0) {
    close(posts->fd);
    posts->fd = -1;
    return error;
  }
  posts->watcher.data = posts;
  uv_poll_start(&posts->watcher, UV_READABLE, on_ready);
  return 0;
}

/* The strings of a new post, behind it. */
static Post *new_post(int page, const char *channel, const char *json, size_t size) {
  size_t channel_size = strlen(channel) + 1;
  Post *post = malloc(sizeof *post + channel_size + size);
  if (!post) return NULL;
  char *bytes = (char *)(post + 1);
  memcpy(bytes, channel, channel_size);
  if (json) memcpy(bytes + channel_size, json, size);
  *post = (Post){
      .page = page, .channel = bytes, .json = json ? bytes + channel_size : NULL, .size = size};
  return post;
}

int posts_add(Posts *posts, int page, const char *channel, const char *json, size_t size) {
  Post *post = new_post(page, channel, json, json ? size : 0);
  if (!post) return UV_ENOMEM;
  uint64_t one = 1;
  uv_mutex_lock(&posts->lock);
  bool takes = !posts->is_ended;
  bool was_empty = list_empty(&posts->queue);
  if (takes) list_append(&posts->queue, &post->node);
  if (takes && was_empty && write(posts->fd, &one, sizeof one) < 0) errno = 0; /* never full */
  uv_mutex_unlock(&posts->lock);
  if (takes) return 0;
  free(post);
  return UV_ECANCELED;
}

void posts_end(Posts *posts) {
  uv_mutex_lock(&posts->lock);
  posts->is_ended = true;
  uv_mutex_unlock(&posts->lock);
}

static bool is_empty(Posts *posts) {
  uv_mutex_lock(&posts->lock);
  bool empty = list_empty(&posts->queue);
  uv_mutex_unlock(&posts->lock);
  return empty;
}

void posts_hold(Posts *posts, bool hold) {
  posts->holds = hold;
  if (hold || !is_empty(posts)) uv_ref((uv_handle_t *)&posts->watcher);
  else uv_unref((uv_handle_t *)&posts->watcher);
}

void posts_stop(Posts *posts) {
  posts_end(posts);
  uv_poll_stop(&posts->watcher);
}

void posts_close(Posts *posts) {
  Post *post;
  while ((post = take(posts))) free(post);
  uv_mutex_destroy(&posts->lock);
  close(posts->fd);
}
