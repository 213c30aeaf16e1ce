/* SPDX-License-Identifier: MIT
 * What the runtime itself has to say: a line on standard error, or for the log of a program that
 * hosts us. */
#pragma once

#include <stddef.h>

/* Of how much weight a line is; as LUNETTE_LOG_* of lunette.h. */
typedef enum LogLevel { LOG_INFO, LOG_WARNING, LOG_ERROR } LogLevel;

/* Where lines go instead of to standard error. `page` is the one that printed it, or 0. */
typedef struct LogSink {
  void (*write)(void *data, LogLevel level, int page, const char *text, size_t size);
  void *data; /* borrowed */
} LogSink;

/* Writes "lunette: " and the formatted text as one line, in a single write. Thread-safe; text
 * beyond 1,000 bytes is cut. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, as a warning, for the sink; without one (NULL) as log_warn. */
void log_warn_to(const LogSink *sink, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
