/* SPDX-License-Identifier: MIT
 * What the tests of lunette.h share: hosts with files in memory, and pumping until an event comes.
 */
#pragma once

#include "host.h"

#include "lunette.h"

#include <time.h>

/* Milliseconds of a monotonic clock. */
static inline double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* An app of a main script and a page, either of which may be NULL. */
static inline LunetteHost *open_app(const char *code, const char *page) {
  LunetteFile file = {.path = "page.lua", .data = page, .size = page ? strlen(page) : 0};
  LunetteOptions options = {.size = sizeof options,
                            .code = code,
                            .files = page ? &file : NULL,
                            .file_count = page ? 1 : 0,
                            .flags = LUNETTE_CALLS_CHILD_MAIN};
  LunetteHost *host = NULL;
  int status = lunette_open(&options, &host);
  if (!CHECK(status == LUNETTE_OK)) printf("%s\n", lunette_error(host));
  return host;
}

/* The next event of the type, with those before it dropped; of type NONE after the deadline. */
static inline const LunetteEvent *await_event(LunetteHost *host, int type) {
  double end = now_ms() + patience();
  for (;;) {
    const LunetteEvent *event = lunette_next_event(host);
    if (event->type == type) return event;
    if (event->type == LUNETTE_EVENT_LOG) printf("log: %s\n", event->text);
    if (event->type != LUNETTE_EVENT_NONE) continue;
    if (now_ms() > end) return event;
    lunette_wait(host, 100);
    lunette_pump(host, 2000);
  }
}

/* Whether the next event of the type has this text. */
static inline bool await_text(LunetteHost *host, int type, const char *text) {
  const LunetteEvent *event = await_event(host, type);
  bool same = event->type == type && strcmp(event->text, text) == 0;
  if (!same) printf("event %d: %s\n", event->type, event->text);
  return same;
}

/* Sends the JSON text. */
static inline int send_text(LunetteHost *host, int page, const char *channel, const char *json) {
  return lunette_send(host, page, channel, json, json ? strlen(json) : 0);
}

/* Answers with the JSON text. */
static inline int reply_text(LunetteHost *host, int64_t id, const char *json) {
  return lunette_reply(host, id, json, strlen(json));
}
