/* SPDX-License-Identifier: MIT
 * What the runtime itself has to say: a line on standard error, or for the log of a program that
 * hosts us. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 1024 };

static const char PREFIX[] = "lunette: ";

/* The formatted text in `line`, cut to what fits; its size. */
static size_t format_line(char *line, size_t room, const char *format, va_list args) {
  int length = vsnprintf(line, room, format, args);
  if (length < 0) return 0;
  return (size_t)length < room ? (size_t)length : room - 1;
}

static void write_line(const char *format, va_list args) {
  char line[LINE_MAX_SIZE];
  size_t size = (size_t)snprintf(line, sizeof line, "%s", PREFIX);
  size += format_line(line + size, sizeof line - size - 1, format, args);
  line[size++] = '\n';
  ssize_t written = write(STDERR_FILENO, line, size);
  (void)written; /* nobody is left to be told */
}

void log_warn(const char *format, ...) {
  va_list args;
  va_start(args, format);
  write_line(format, args);
  va_end(args);
}

void log_warn_to(const LogSink *sink, const char *format, ...) {
  char line[LINE_MAX_SIZE];
  va_list args;
  va_start(args, format);
  if (sink) {
    size_t size = format_line(line, sizeof line, format, args);
    sink->write(sink->data, LOG_WARNING, 0, line, size);
  } else {
    write_line(format, args);
  }
  va_end(args);
}
