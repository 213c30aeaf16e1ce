/* SPDX-License-Identifier: MIT
 * What the runtime itself has to say: one line on standard error. */
#pragma once

/* Writes "lunette: " and the formatted text as one line, in a single write. Thread-safe; text
 * beyond 1,000 bytes is cut. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
