/* SPDX-License-Identifier: MIT
 * A growing byte buffer that is written at its end and read from its front. */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

enum { BUF_SMALLEST = 256 };

static void move_to_front(Buf *buf) {
  if (buf->start == 0) return;
  memmove(buf->data, buf_front(buf), buf_size(buf));
  buf->end -= buf->start;
  buf->start = 0;
}

/* Goes on in a block of the store that is large enough, if there is one. */
static bool move_to_stored(Buf *buf, size_t needed) {
  if (!buf->store || needed <= BUF_KEEP) return false;
  size_t capacity;
  uint8_t *data = store_take(buf->store, needed, &capacity);
  if (!data) return false;
  if (buf->end > 0) memcpy(data, buf->data, buf->end);
  free(buf->data);
  buf->data = data;
  buf->capacity = capacity;
  return true;
}

static bool grow(Buf *buf, size_t needed) {
  if (move_to_stored(buf, needed)) return true;
  size_t capacity = buf->capacity ? buf->capacity : BUF_SMALLEST;
  while (capacity < needed) {
    if (capacity > SIZE_MAX / 2) return false;
    capacity *= 2;
  }
  uint8_t *data = realloc(buf->data, capacity);
  if (!data) return false;
  buf->data = data;
  buf->capacity = capacity;
  return true;
}

bool buf_make_room(Buf *buf, size_t extra) {
  size_t size = buf_size(buf);
  if (extra > SIZE_MAX - size) return false;
  /* Moving is worth it only while it frees more than it copies. */
  if (buf->start >= size) move_to_front(buf);
  if (extra <= buf->capacity - buf->end) return true;
  return grow(buf, buf->end + extra);
}

bool buf_append(Buf *buf, const void *bytes, size_t size) {
  if (!buf_reserve(buf, size)) return false;
  if (size > 0) memcpy(buf->data + buf->end, bytes, size);
  buf->end += size;
  return true;
}

/* Emptied, it has no use for as much as it has. */
static void give_back(Buf *buf) {
  if (buf->store && store_give(buf->store, buf->data, buf->capacity)) buf->data = NULL;
  buf_clear(buf);
}

void buf_consume(Buf *buf, size_t size) {
  buf->start += size;
  if (buf->start < buf->end) return;
  buf->start = buf->end = 0;
  if (buf->capacity > BUF_KEEP) give_back(buf);
}

void buf_clear(Buf *buf) {
  free(buf->data);
  *buf = (Buf){.store = buf->store};
}
