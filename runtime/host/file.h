/* SPDX-License-Identifier: MIT
 * Reading a whole file, if it is one. */
#pragma once

#include "base/buf.h"

/* Appends the contents of a regular file to `out`. Never waits for a device, a FIFO or the like:
 * what is not a regular file is refused. Returns 0, or a negative libuv code with what `out` held
 * unchanged: UV_EISDIR for a folder, UV_EINVAL for what is neither, UV_EFBIG for more than `limit`
 * bytes. */
int file_read(const char *path, size_t limit, Buf *out);
