/* SPDX-License-Identifier: MIT
 * A libuv loop and the turn of its links: read, dispatch under a budget, write once. */
#include "ipc/loop.h"

#include "ipc/link.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
  PACKETS_PER_ROUND = 8, /* of one link, before the next link has its round */
  SETTLE_LIMIT = 1000 * 1000 * 1000,
  DEFAULT_BUDGET = 1000 * 1000, /* 1 ms: what a flood may cost timers and descriptors */
  SHARED_BUDGET = 50 * 1000,    /* 0.05 ms: what it may cost other links */
  TEND_EVERY = 250,             /* milliseconds */
  PUMP_SLICE = 250 * 1000,      /* 0.25 ms: of a pump, before it polls again */
};

static void flush_dirty(Loop *loop) {
  while (!list_empty(&loop->dirty)) {
    List *node = loop->dirty.next;
    list_remove(node);
    link_flush(LIST_ENTRY(node, Link, dirty_node));
  }
}

/* Lets links with a backlog have their rounds, so many or for `budget` nanoseconds since *begun,
 * which is 0 for now. */
static void dispatch_rounds(Loop *loop, int rounds, uint64_t budget, uint64_t *begun) {
  while (rounds-- > 0 && !list_empty(&loop->ready)) {
    Link *link = LIST_ENTRY(loop->ready.next, Link, ready_node);
    list_remove(&link->ready_node);
    link_dispatch(link, PACKETS_PER_ROUND);
    if (list_empty(&loop->ready)) return; /* as a rule: then no clock has to be read */
    uint64_t now = uv_hrtime();
    if (*begun == 0) *begun = now;
    if (now - *begun >= budget) return;
  }
}

/* What is left when the budget is used keeps the loop awake; it is dispatched after the next poll,
 * so that timers and other links have their turn. Beside other links, those that still have a
 * backlog after one round each are a flood, perhaps: what was answered so far is written before
 * more of it, and the next poll comes soon. It takes a few microseconds, which a loop with a single
 * link has no reason to spend. */
static void dispatch_ready(Loop *loop) {
  bool is_shared = loop->open_links > 1;
  uint64_t begun = is_shared ? uv_hrtime() : 0;
  int rounds = is_shared ? list_size(&loop->ready) : INT_MAX;
  dispatch_rounds(loop, rounds, loop->budget, &begun);
  if (!is_shared || list_empty(&loop->ready)) return;
  flush_dirty(loop);
  bool has_time = uv_hrtime() - begun < SHARED_BUDGET;
  if (has_time) dispatch_rounds(loop, INT_MAX, SHARED_BUDGET, &begun);
}

/* The pump's way: one packet of each link in turn, and a look at the clock after each. Each link
 * that has something has its turn in each pump, even if writing what the host has sent took all of
 * the budget: or a host that sends much would never hear an answer. */
static void dispatch_slice(Loop *loop) {
  if (loop->owed < 0 && !list_empty(&loop->ready)) loop->owed = list_size(&loop->ready);
  uint64_t end = uv_hrtime() + PUMP_SLICE;
  if (end > loop->deadline) end = loop->deadline;
  while (!list_empty(&loop->ready)) {
    Link *link = LIST_ENTRY(loop->ready.next, Link, ready_node);
    list_remove(&link->ready_node);
    link_dispatch(link, 1);
    if (loop->owed > 0) loop->owed--;
    if (loop->stopped || loop->sated || (loop->owed == 0 && uv_hrtime() >= end)) return;
  }
}

static void on_idle(uv_idle_t *idle) { (void)idle; /* its being active is its purpose */ }

/* Looks whether something is ready, again and again, before the loop goes to sleep: waking a core
 * that sleeps takes several times as long as a message. The loop's own poll finds what there is. */
static void spin(Loop *loop) {
  int timeout = uv_backend_timeout(&loop->uv);
  if (timeout == 0) return;
  uint64_t begun = uv_hrtime(), limit = loop->spin;
  if (timeout > 0 && limit > (uint64_t)timeout * 1000000) limit = (uint64_t)timeout * 1000000;
  struct pollfd entry = {.fd = uv_backend_fd(&loop->uv), .events = POLLIN};
  while (poll(&entry, 1, 0) == 0 && uv_hrtime() - begun < limit) continue;
}

static void on_prepare(uv_prepare_t *prepare) {
  Loop *loop = prepare->data;
  flush_dirty(loop);
  if (loop->spin > 0) spin(loop);
}

static void dispatch(Loop *loop) {
  if (loop->closing) return;
  if (loop->deadline == 0) {
    dispatch_ready(loop);
  } else {
    dispatch_slice(loop);
  }
  flush_dirty(loop);
  if (list_empty(&loop->ready) && loop->hurries == 0) uv_idle_stop(&loop->idle);
}

static void on_check(uv_check_t *check) { dispatch(check->data); }

void loop_hurry(Loop *loop) {
  loop->hurries++;
  if (!loop->closing) uv_idle_start(&loop->idle, on_idle);
}

void loop_calm(Loop *loop) { loop->hurries--; }

/* A link may become ready anywhere, as by a sendSync that a timer calls: the poll must not sleep.
 */
void loop_add_ready(Loop *loop, List *node) {
  list_append(&loop->ready, node);
  if (!loop->closing) uv_idle_start(&loop->idle, on_idle);
}

static void on_tender(uv_timer_t *timer) {
  Loop *loop = timer->data;
  for (List *node = loop->grown.next, *next; node != &loop->grown; node = next) {
    next = node->next;
    if (!link_tend(LIST_ENTRY(node, Link, grown_node))) list_remove(node);
  }
  if (list_empty(&loop->grown)) uv_timer_stop(timer);
}

void loop_tend(Loop *loop, List *node) {
  if (!list_empty(node) || loop->closing) return;
  list_append(&loop->grown, node);
  uv_timer_start(&loop->tender, on_tender, TEND_EVERY, TEND_EVERY);
}

Loop *loop_new(void) {
  Loop *loop = calloc(1, sizeof *loop);
  if (!loop) return NULL;
  list_init(&loop->ready);
  list_init(&loop->dirty);
  list_init(&loop->grown);
  loop->budget = DEFAULT_BUDGET;
  return loop;
}

/* Where there are too few descriptors for all, libuv leaves the first one open. */
static int init(uv_loop_t *uv) {
  int status = uv_loop_init(uv);
  bool too_few = status == UV_EMFILE || status == UV_ENFILE;
  if (too_few && uv_backend_fd(uv) >= 0) close(uv_backend_fd(uv));
  return status;
}

int loop_start(Loop *loop) {
  int status = init(&loop->uv);
  if (status < 0) return status;
  loop->started = true;
  uv_prepare_init(&loop->uv, &loop->prepare);
  uv_check_init(&loop->uv, &loop->check);
  uv_idle_init(&loop->uv, &loop->idle);
  uv_timer_init(&loop->uv, &loop->tender);
  uv_unref((uv_handle_t *)&loop->tender);
  loop->tender.data = loop;
  loop->prepare.data = loop->check.data = loop;
  uv_prepare_start(&loop->prepare, on_prepare);
  uv_check_start(&loop->check, on_check);
  uv_unref((uv_handle_t *)&loop->prepare);
  uv_unref((uv_handle_t *)&loop->check);
  return 0;
}

/* Whether all that is left to do is to wait for the only link. */
static bool is_waiting_for_link(Loop *loop) {
  return loop->link && uv_backend_timeout(&loop->uv) < 0 && link_is_quiet(loop->link);
}

/* A turn that libuv has no part in: as flush, poll, on_check. */
static void take_turn(Loop *loop) {
  flush_dirty(loop);
  if (loop->stopped || !is_waiting_for_link(loop)) return; /* it may wait to be written */
  link_wait(loop->link, loop->spin);
  dispatch(loop);
}

static void run_alone(Loop *loop) {
  bool alive = true;
  while (alive && !loop->stopped) {
    if (is_waiting_for_link(loop)) {
      take_turn(loop);
    } else {
      alive = uv_run(&loop->uv, UV_RUN_ONCE) != 0;
    }
  }
}

void loop_run(Loop *loop) {
  loop->stopped = false;
  if (loop->alone) {
    run_alone(loop);
  } else {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
  }
}

/* libuv tells the kernel of what it is to watch at the beginning of its next turn. The list of that
 * is not a part of its API; that a list is empty when its head points at itself is so in all
 * versions. */
static bool has_unregistered(const Loop *loop) {
  const void *head = &loop->uv.watcher_queue, *first;
  memcpy(&first, head, sizeof first);
  return first != head;
}

int loop_timeout(Loop *loop) {
  if (loop->unread || !list_empty(&loop->dirty) || has_unregistered(loop)) return 0;
  int timeout = uv_backend_timeout(&loop->uv);
  if (timeout <= 0) return timeout;
  uv_update_time(&loop->uv);
  return uv_backend_timeout(&loop->uv);
}

/* libuv's set of descriptors is level triggered: looking takes nothing out of it. */
bool loop_is_idle(Loop *loop) {
  struct epoll_event event;
  if (loop->stopped || loop_timeout(loop) == 0) return false;
  return epoll_wait(uv_backend_fd(&loop->uv), &event, 1, 0) == 0;
}

void loop_pump(Loop *loop, uint64_t deadline) {
  loop->deadline = deadline;
  loop->owed = -1;
  loop->sated = false;
  do {
    loop->unread = false;
    uv_run(&loop->uv, UV_RUN_NOWAIT);
  } while (!loop->stopped && !loop->sated && loop_timeout(loop) == 0 && uv_hrtime() < deadline);
  loop->deadline = 0;
}

void loop_stop(Loop *loop) {
  loop->stopped = true;
  uv_stop(&loop->uv);
}

bool loop_settle(Loop *loop) {
  loop->closing = true;
  if (!loop->started) return true;
  uint64_t deadline = uv_hrtime() + SETTLE_LIMIT;
  struct pollfd entry = {.fd = uv_backend_fd(&loop->uv), .events = POLLIN};
  while (loop->uv.active_reqs.count > 0 && uv_hrtime() < deadline) {
    poll(&entry, 1, 10);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
  }
  return loop->uv.active_reqs.count == 0;
}

static void note_closing(uv_handle_t *handle, void *any) {
  if (uv_is_closing(handle)) *(bool *)any = true;
}

void loop_finish_closing(Loop *loop) {
  bool any = loop->started && loop->closing;
  while (any) {
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    any = false;
    uv_walk(&loop->uv, note_closing, &any);
  }
}

static void close_handle(uv_handle_t *handle, void *unused) {
  (void)unused;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void loop_free(Loop *loop) {
  if (!loop) return;
  if (loop->started) {
    uv_walk(&loop->uv, close_handle, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
      continue; /* a stop that came late ends one run */
    uv_loop_close(&loop->uv);
  }
  free(loop);
}
