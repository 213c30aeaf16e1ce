/* SPDX-License-Identifier: MIT
 * What the runtime itself has to say: one line on standard error. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void log_warn(const char *format, ...) {
  char line[1024];
  int prefix = snprintf(line, sizeof line, "lunette: ");
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line + prefix, sizeof line - (size_t)prefix - 1, format, args);
  va_end(args);
  if (length < 0) return;
  size_t size = (size_t)prefix + (size_t)length;
  if (size > sizeof line - 1) size = sizeof line - 1;
  line[size++] = '\n';
  ssize_t written = write(STDERR_FILENO, line, size);
  (void)written; /* nobody is left to be told */
}
