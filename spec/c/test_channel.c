/* SPDX-License-Identifier: MIT
 * Channels: what goes in comes out in order, whoever waits for whom, and the ends of both sides. */
#include "ipc/channel.h"

#include "host.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

enum { TOTAL = 64 << 20, PIECE_MAX = 300000, SHORT_WAIT = 20 };

static bool is_readable(int fd) {
  struct pollfd entry = {.fd = fd, .events = POLLIN};
  return poll(&entry, 1, 0) == 1;
}

static void put(Buf *buf, const char *text) { CHECK(buf_append(buf, text, strlen(text))); }

static void test_order(void) {
  ChannelEnd *a, *b;
  Buf out = {0}, in = {0};
  CHECK(channel_new(&a, &b));
  CHECK(channel_read(b, &in) == -1 && errno == EAGAIN);
  put(&out, "one");
  CHECK(channel_write(a, &out) == 3 && buf_size(&out) == 0);
  put(&out, "two");
  CHECK(channel_write(a, &out) == 3);
  CHECK(channel_read(b, &in) == 6 && memcmp(buf_front(&in), "onetwo", 6) == 0);
  put(&out, "back");
  CHECK(channel_write(b, &out) == 4 && channel_read(a, &in) == 4);
  CHECK(memcmp(buf_front(&in), "onetwoback", 10) == 0);
  channel_close(a);
  channel_close(b);
  buf_clear(&in);
  buf_clear(&out);
}

static void test_descriptor(void) {
  ChannelEnd *a, *b;
  Buf out = {0}, in = {0};
  CHECK(channel_new(&a, &b));
  put(&out, "x");
  channel_write(a, &out);
  int fd = channel_descriptor(b);
  CHECK(fd >= 0 && is_readable(fd));
  channel_clear(b);
  CHECK(!is_readable(fd));
  channel_look_again(b);
  CHECK(is_readable(fd));
  channel_clear(b);
  CHECK(channel_read(b, &in) == 1);
  channel_look_again(b);
  CHECK(!is_readable(fd));
  channel_close(a);
  CHECK(is_readable(fd) && channel_read(b, &in) == 0);
  channel_close(b);
  buf_clear(&in);
  buf_clear(&out);
}

/* A writer that is too fast is told when there is room again. */
static void test_room(void) {
  ChannelEnd *a, *b;
  Buf out = {0}, in = {0};
  CHECK(channel_new(&a, &b));
  int fd = channel_descriptor(a);
  ssize_t written = 1;
  for (int i = 0; written > 0 && i < 1000; i++) {
    CHECK(buf_reserve(&out, 10000));
    out.end += 10000;
    written = channel_write(a, &out);
  }
  CHECK(written == -1 && errno == EAGAIN && buf_size(&out) > 0 && !is_readable(fd));
  channel_wait(a, CHANNEL_ROOM, SHORT_WAIT);
  CHECK(channel_write(a, &out) == -1 && errno == EAGAIN);
  CHECK(channel_read(b, &in) > 0 && is_readable(fd));
  CHECK(channel_write(a, &out) > 0);
  channel_close(b);
  CHECK(channel_write(a, &out) == -1 && errno == EPIPE);
  channel_close(a);
  buf_clear(&in);
  buf_clear(&out);
}

/* Ended from outside, while both ends are there, and after. */
static void test_break(void) {
  ChannelEnd *a, *b;
  Buf out = {0}, in = {0};
  CHECK(channel_new(&a, &b));
  channel_hold(a);
  put(&out, "last");
  channel_write(a, &out);
  channel_break(a);
  channel_wait(b, CHANNEL_BYTES, -1);
  CHECK(channel_read(b, &in) == 4 && channel_read(b, &in) == 0);
  put(&out, "lost");
  CHECK(channel_write(b, &out) == -1 && errno == EPIPE);
  channel_close(b);
  channel_close(b);
  channel_close(a);
  channel_break(a);
  channel_drop(a);
  buf_clear(&in);
  buf_clear(&out);
}

/* Sends TOTAL bytes that count, in pieces of every size, blocking. Returns `end` if it went well.
 */
static void *send_all(void *end) {
  Buf out = {0};
  uint8_t next = 0;
  bool ok = true;
  for (size_t sent = 0, piece = 1; ok && sent < TOTAL; sent += piece) {
    piece = piece * 7 % PIECE_MAX + 1;
    if (piece > TOTAL - sent) piece = TOTAL - sent;
    ok = buf_reserve(&out, piece);
    for (size_t i = 0; ok && i < piece; i++) out.data[out.end++] = next++;
    while (buf_size(&out) > 0) {
      if (channel_write(end, &out) < 0) channel_wait(end, CHANNEL_ROOM, -1);
    }
  }
  buf_clear(&out);
  channel_close(end);
  return ok ? end : NULL;
}

static void test_threads(void) {
  ChannelEnd *a, *b;
  Buf in = {0};
  pthread_t thread;
  uint8_t next = 0;
  size_t wrong = 0, total = 0;
  CHECK(channel_new(&a, &b));
  CHECK(pthread_create(&thread, NULL, send_all, a) == 0);
  for (ssize_t got; (got = channel_read(b, &in)) != 0;) {
    if (got < 0) got = channel_await(b, &in);
    for (ssize_t i = 0; i < got; i++) wrong += *(buf_front(&in) + i) != next++;
    if (got > 0) buf_consume(&in, (size_t)got);
    total += got > 0 ? (size_t)got : 0;
  }
  void *result;
  pthread_join(thread, &result);
  CHECK(result == a && wrong == 0 && total == TOTAL);
  channel_close(b);
  buf_clear(&in);
}

static void test_all(void) {
  test_order();
  test_descriptor();
  test_room();
  test_break();
  test_threads();
}

int main(void) { return run_test(test_all); }
