/* SPDX-License-Identifier: MIT
 * A growing byte buffer that is written at its end and read from its front. */
#pragma once

#include "base/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed Buf is empty and owns nothing. Embed it; end its life with buf_clear. */
typedef struct Buf {
  uint8_t *data; /* owned; the bytes still to be read start at data + start */
  size_t start;  /* bytes at the front that were read already */
  size_t end;    /* one past the last byte written */
  size_t capacity;
  Store *store; /* borrowed: whence more than BUF_KEEP comes, and where it goes; or NULL */
} Buf;

/* The first unread byte. NULL only while nothing was ever written. */
static inline uint8_t *buf_front(const Buf *buf) {
  return buf->data ? buf->data + buf->start : NULL;
}

/* How many bytes wait to be read. */
static inline size_t buf_size(const Buf *buf) { return buf->end - buf->start; }

/* buf_reserve where there is no room yet. */
bool buf_make_room(Buf *buf, size_t extra);

/* Makes room for `extra` more bytes behind the end; may move the unread bytes to the front of the
 * allocation, so pointers into the buffer are void afterwards. False, with the buffer as it was,
 * when memory is short or the size would overflow. Inline, as there is nearly always room. */
static inline bool buf_reserve(Buf *buf, size_t extra) {
  return extra <= buf->capacity - buf->end || buf_make_room(buf, extra);
}

/* Appends a copy of `size` bytes. False, with the buffer as it was, when memory is short. */
bool buf_append(Buf *buf, const void *bytes, size_t size);

/* Marks the first `size` unread bytes as read. An emptied buffer gives back what it grew beyond
 * BUF_KEEP bytes for one large message, to its store or to malloc, so that this message does not
 * tax the later ones. */
void buf_consume(Buf *buf, size_t size);

/* Frees the bytes; the buffer is empty and usable again, with the same store. */
void buf_clear(Buf *buf);

enum { BUF_KEEP = 1 << 18 };
