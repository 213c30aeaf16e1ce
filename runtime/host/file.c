/* SPDX-License-Identifier: MIT
 * Reading a whole file, if it is one. */
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 16 };

/* Opens a regular file; its size as far as known goes to *size. Returns a descriptor or -errno.
 * Without O_NONBLOCK, opening a FIFO would wait for a writer. */
static int open_regular(const char *path, size_t *size) {
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return -errno;
  int error = fstat(fd, &status) == 0 ? 0 : -errno;
  if (error == 0 && !S_ISREG(status.st_mode)) error = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
  if (error == 0) {
    *size = (size_t)status.st_size;
    return fd;
  }
  close(fd);
  return error;
}

/* Reads until the end of the file, which may lie elsewhere than its size said: files of /proc say
 * 0, and some of them give nothing but to a large first read. One byte more than expected is asked
 * for, so that the end of an ordinary file is found without more memory. */
static int read_all(int fd, size_t expected, size_t limit, Buf *out, size_t *total) {
  for (;;) {
    bool guided = expected > 0 && *total <= expected;
    size_t wanted = guided ? expected + 1 - *total : READ_SIZE;
    if (!buf_reserve(out, wanted)) return -ENOMEM;
    ssize_t count = read(fd, out->data + out->end, wanted);
    if (count == 0) return 0;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    out->end += (size_t)count;
    *total += (size_t)count;
    if (*total > limit) return -EFBIG;
  }
}

int file_read(const char *path, size_t limit, Buf *out) {
  size_t size = 0, total = 0;
  int fd = open_regular(path, &size);
  if (fd < 0) return fd;
  int error = size > limit ? -EFBIG : read_all(fd, size, limit, out, &total);
  if (error < 0) out->end -= total;
  close(fd);
  return error;
}
