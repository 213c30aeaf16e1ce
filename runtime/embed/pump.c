/* SPDX-License-Identifier: MIT
 * lunette_pump and lunette_wait: the host's loop in turns that somebody else decides on. */
#include "embed/host.h"

#include <limits.h>
#include <poll.h>
#include <string.h>

static bool is_full(const LunetteHost *host) { return host->events.count >= EVENTS_MOST; }

/* What a pump leaves: whether there is more to do. */
static int outcome(LunetteHost *host) {
  if (host->loop->stopped) {
    posts_end(&host->posts);
    return LUNETTE_ENDED;
  }
  return loop_timeout(host->loop) == 0 ? LUNETTE_MORE : LUNETTE_OK;
}

/* Whether there is nothing to do, not even to take SIGPIPE out of the way for. */
static bool is_idle(LunetteHost *host) {
  if (host->depth > 0 || host_has_garbage(host)) return false;
  return loop_is_idle(host->loop);
}

int lunette_pump(LunetteHost *host, int budget_us) {
  if (!host_is_owned(host)) return LUNETTE_WRONG_THREAD;
  if (!host->failed && is_idle(host)) return LUNETTE_OK;
  int status = host_enter_running(host);
  if (status != LUNETTE_OK) return status;
  if (host->loop->stopped || is_full(host)) {
    return (int)host_leave(host, host->loop->stopped ? LUNETTE_ENDED : LUNETTE_MORE);
  }
  uint64_t deadline = uv_hrtime() + (budget_us > 0 ? (uint64_t)budget_us * 1000 : 0);
  loop_pump(host->loop, deadline);
  host_collect(host, deadline);
  return (int)host_leave(host, outcome(host));
}

/* The shorter of two timeouts in milliseconds, of which a negative one has no end. */
static int shorter(int first, int second) {
  if (first < 0) return second;
  return second < 0 || first < second ? first : second;
}

/* Sleeps on the loop's descriptor. */
static int sleep_on(LunetteHost *host, int timeout_ms) {
  if (host->loop->stopped) return LUNETTE_ENDED;
  int due = loop_timeout(host->loop), timeout = shorter(timeout_ms, due);
  if (due == 0 || is_full(host)) return LUNETTE_MORE;
  struct pollfd entry = {.fd = uv_backend_fd(&host->loop->uv), .events = POLLIN};
  if (poll(&entry, 1, timeout) > 0) return LUNETTE_MORE;
  return loop_timeout(host->loop) == 0 ? LUNETTE_MORE : LUNETTE_OK;
}

int lunette_wait(LunetteHost *host, int timeout_ms) {
  int status = host_enter_running(host);
  if (status != LUNETTE_OK) return status;
  return (int)host_leave(host, sleep_on(host, timeout_ms));
}

int lunette_descriptor(LunetteHost *host) {
  if (!host_is_owned(host)) return LUNETTE_WRONG_THREAD;
  return uv_backend_fd(&host->loop->uv);
}

int lunette_timeout(LunetteHost *host) {
  if (!host_is_owned(host)) return LUNETTE_WRONG_THREAD;
  if (host->loop->stopped || is_full(host)) return 0;
  return loop_timeout(host->loop);
}

static const char *const result_names[] = {
    "LUNETTE_FAILED",       "LUNETTE_NO_PAGE", "LUNETTE_INVALID",   "LUNETTE_BUSY",
    "LUNETTE_WRONG_THREAD", "LUNETTE_NO_APP",  "LUNETTE_NO_MEMORY", "LUNETTE_OK",
    "LUNETTE_MORE",         "LUNETTE_ENDED",   "LUNETTE_FULL",
};

const char *lunette_result_name(int result) {
  if (result < LUNETTE_FAILED || result > LUNETTE_FULL) return "(no result of Lunette's)";
  return result_names[result - LUNETTE_FAILED];
}

const char *lunette_version(void) { return LUNETTE_VERSION; }

static const LunetteEvent no_event = {.channel = "", .text = ""};
static const LunetteEvent wrong_thread = {
    .status = LUNETTE_WRONG_THREAD, .channel = "", .text = ""};

const LunetteEvent *lunette_next_event(LunetteHost *host) {
  if (!host_is_owned(host)) return &wrong_thread;
  const LunetteEvent *event = events_take(&host->events);
  return event ? event : &no_event;
}
