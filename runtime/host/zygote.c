/* SPDX-License-Identifier: MIT
 * The zygote: a process that has booted as far as all renderers do, and forks one on request.
 *
 * A request is one byte with the renderer's end of a link. A spare process, which was forked ahead,
 * waits for it: it tells its number when it is there, and again when it has taken a request, in the
 * order of these; then the next one is forked. So no window waits for a fork. It is cloned with
 * CLONE_PARENT: it is main's child, not the zygote's, so that main watches and reaps it like any
 * other, and a number cannot be somebody else's by the time it is read. */
#include "host/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/list.h"

/* What main is told. */
typedef enum What {
  SPARE,  /* this process waits for a request */
  TAKEN,  /* this process has taken the oldest one */
  FAILED, /* there is no process for the oldest one */
} What;

typedef struct News {
  int32_t what;
  int32_t pid;
} News;

/* A renderer that was asked for. */
typedef struct Request {
  List node;
  Child *child; /* owned until it is found */
  int link_fd;  /* owned; the renderer's end, -1 once it was sent */
} Request;

struct Zygote {
  uv_poll_t watcher; /* of fd, with which it is closed */
  uv_loop_t *loop;   /* borrowed */
  Child *process;    /* owned; NULL once it has ended */
  Child *spare;      /* owned; waits for a request; or NULL */
  int fd;            /* owned; -1 once it cannot be asked any more */
  bool watched;      /* until the watcher's close callback */
  bool closed;       /* by its owner */
  List requests;     /* oldest first */
};

static int send_request(int fd, int link_fd) {
  ssize_t sent = fds_send(fd, "r", 1, &link_fd, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent == 1 ? 0 : -errno;
}

/* The descriptor of the next request; -1 at the end of the stream. */
static int receive_request(int fd) {
  char byte;
  int link_fd, count;
  ssize_t got;
  do {
    count = 1;
    got = fds_receive(fd, &byte, sizeof byte, &link_fd, &count, 0);
  } while (got < 0 && errno == EINTR);
  return count == 1 ? link_fd : -1;
}

/* No library's fork: its child would be the zygote's. The zygote has one thread, so there is no
 * lock that another could hold. The child dies with `parent` before anybody knows its number, and
 * could stop it. */
static pid_t fork_for_parent(pid_t parent) {
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0) child_die_with_parent(parent);
  return pid;
}

static bool tell(int fd, What what) {
  const News news = {.what = (int32_t)what, .pid = getpid()};
  return send(fd, &news, sizeof news, MSG_NOSIGNAL) == (ssize_t)sizeof news;
}

/* Takes the free pieces inside the heap, for good: what a renderer allocates lies on pages of its
 * own then, instead of in the holes of pages that all renderers could share. Roughly halves what an
 * idle renderer costs. A sanitizer's heap is no such heap. */
static void fill_holes(void) {
#ifndef SANITIZED
  enum { LARGEST = 1 << 16, SMALLEST = 16 };
  void *edge = malloc(LARGEST); /* no hole is as large, so this lies behind all of them */
  for (size_t size = LARGEST; size >= SMALLEST; size -= size > 1024 ? 512 : 16) {
    void *piece;
    while ((piece = malloc(size)) && piece < edge) continue;
    free(piece);
  }
  free(edge);
#endif
}

/* As a batch job the zygote does not push main off its core when a request wakes it: main's loop
 * would stand still for a fork. Returns what the policy was. */
static int yield_to_waker(void) {
  int policy = sched_getscheduler(0);
  struct sched_param none = {0};
  if (policy == SCHED_OTHER) sched_setscheduler(0, SCHED_BATCH, &none);
  return policy;
}

/* A renderer is scheduled like any process, that is like main. */
static void stop_yielding(int policy) {
  struct sched_param none = {0};
  if (policy == SCHED_OTHER) sched_setscheduler(0, SCHED_OTHER, &none);
}

/* In the spare: waits for its request. `waiting` tells the zygote by its end that it waits no
 * more. */
static int await_request(int fd, int waiting) {
  int link_fd = tell(fd, SPARE) ? receive_request(fd) : -1;
  if (link_fd >= 0) tell(fd, TAKEN);
  close(waiting);
  close(fd);
  return link_fd;
}

/* In the zygote, when it cannot fork: the next request fails. False when there are no more. */
static bool refuse_request(int fd) {
  int link_fd = receive_request(fd);
  if (link_fd < 0) return false;
  close(link_fd);
  return tell(fd, FAILED);
}

/* In the zygote: until the spare has taken a request, or has ended. False when main has gone. */
static bool await_spare(int fd, int spare) {
  char unused;
  while (read(spare, &unused, 1) < 0 && errno == EINTR) continue;
  struct pollfd main = {.fd = fd, .events = POLLRDHUP};
  return poll(&main, 1, 0) == 0;
}

int zygote_serve(int fd, pid_t parent) {
  int ends[2];
  fill_holes();
  int policy = yield_to_waker();
  for (bool goes_on = true; goes_on;) {
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    pid_t pid = fork_for_parent(parent);
    if (pid == 0) {
      close(ends[0]);
      stop_yielding(policy);
      return await_request(fd, ends[1]);
    }
    close(ends[1]);
    goes_on = pid > 0 ? await_spare(fd, ends[0]) : refuse_request(fd);
    close(ends[0]);
  }
  return -1;
}

/* Main's side */

static void on_ready(uv_poll_t *watcher, int status, int events);

/* The oldest request is over: this process took it, or none will, which is 0. */
static void settle(Zygote *zygote, pid_t pid) {
  if (list_empty(&zygote->requests)) return;
  Request *request = LIST_ENTRY(zygote->requests.next, Request, node);
  Child *child = request->child;
  list_remove(&request->node);
  if (request->link_fd >= 0) close(request->link_fd);
  free(request);
  if (pid > 0) {
    child_found(child, zygote->loop, pid);
  } else {
    child_lost(child);
  }
}

static void lose_all(Zygote *zygote) {
  while (!list_empty(&zygote->requests)) settle(zygote, 0);
}

static void on_spare_exit(Child *child, ChildExit how) {
  (void)how;
  Zygote *zygote = child_data(child);
  zygote->spare = NULL;
}

static void drop_spare(Zygote *zygote) {
  if (zygote->spare) child_close(zygote->spare);
  zygote->spare = NULL;
}

/* Another one; should there be one still, that has died. It is watched, so that it is reaped. */
static void take_spare(Zygote *zygote, pid_t pid) {
  const ChildOptions options = {.on_exit = on_spare_exit, .data = zygote};
  drop_spare(zygote);
  zygote->spare = child_expect(&options);
  if (!zygote->spare) return;
  child_found(zygote->spare, zygote->loop, pid);
  if (zygote->spare) child_unref(zygote->spare);
}

static void take_news(Zygote *zygote, const News *news) {
  switch (news->what) {
  case SPARE: take_spare(zygote, news->pid); break;
  case TAKEN:
    if (zygote->spare) child_release(zygote->spare);
    zygote->spare = NULL;
    settle(zygote, news->pid);
    break;
  default: settle(zygote, 0);
  }
}

static void on_closed(uv_handle_t *watcher) {
  Zygote *zygote = watcher->data;
  zygote->watched = false;
  if (zygote->closed) free(zygote);
}

/* It cannot be asked any more. The watcher is closed before the descriptor, not just stopped: what
 * libuv takes out of the loop's set then is the number, whoever has it by that time. */
static void hang_up(Zygote *zygote) {
  if (zygote->fd < 0) return;
  uv_close((uv_handle_t *)&zygote->watcher, on_closed);
  close(zygote->fd);
  zygote->fd = -1;
  lose_all(zygote);
}

/* Sends the requests that were not sent yet. A turn may ask for more than the socket holds: the
 * rest goes when there is room again. */
static void send_requests(Zygote *zygote) {
  int error = 0;
  for (List *node = zygote->requests.next; node != &zygote->requests && error == 0;
       node = node->next) {
    Request *request = LIST_ENTRY(node, Request, node);
    if (request->link_fd < 0) continue;
    error = send_request(zygote->fd, request->link_fd);
    if (error < 0) break;
    close(request->link_fd);
    request->link_fd = -1;
  }
  bool full = error == -EAGAIN || error == -ETOOMANYREFS;
  uv_poll_start(&zygote->watcher, UV_READABLE | (full ? UV_WRITABLE : 0), on_ready);
}

static void read_news(Zygote *zygote) {
  News news[32];
  ssize_t got = recv(zygote->fd, news, sizeof news, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0 || (size_t)got % sizeof *news != 0) {
    hang_up(zygote);
    return;
  }
  for (size_t i = 0; i < (size_t)got / sizeof *news; i++) take_news(zygote, &news[i]);
}

static void on_ready(uv_poll_t *watcher, int status, int events) {
  Zygote *zygote = watcher->data;
  if (status < 0) {
    hang_up(zygote);
    return;
  }
  if (events & UV_READABLE) read_news(zygote);
  if ((events & UV_WRITABLE) && zygote->fd >= 0) send_requests(zygote);
}

static void on_process_exit(Child *child, ChildExit how) {
  (void)how;
  Zygote *zygote = child_data(child);
  zygote->process = NULL;
  if (zygote->fd >= 0) read_news(zygote); /* what it has forked is ours to reap */
  hang_up(zygote);
}

static int watch(Zygote *zygote) {
  int error = uv_poll_init(zygote->loop, &zygote->watcher, zygote->fd);
  if (error < 0) return error;
  zygote->watched = true;
  zygote->watcher.data = zygote;
  uv_poll_start(&zygote->watcher, UV_READABLE, on_ready);
  uv_unref((uv_handle_t *)&zygote->watcher);
  return 0;
}

int zygote_open(uv_loop_t *loop, const char *path, char *const *argv, Zygote **out) {
  Zygote *zygote = calloc(1, sizeof *zygote);
  if (!zygote) return UV_ENOMEM;
  zygote->loop = loop;
  list_init(&zygote->requests);
  ChildOptions options = {.path = path, .argv = argv, .on_exit = on_process_exit, .data = zygote};
  int error = child_spawn(loop, &options, &zygote->process, &zygote->fd);
  if (error < 0) {
    free(zygote);
    return error;
  }
  child_unref(zygote->process);
  error = watch(zygote);
  if (error < 0) {
    child_close(zygote->process);
    close(zygote->fd);
    free(zygote);
    return error;
  }
  *out = zygote;
  return 0;
}

/* A request for the child with a new link, whose our end is *link_fd. */
static Request *new_request(Child *child, int *link_fd) {
  int pair[2];
  Request *request = calloc(1, sizeof *request);
  if (request && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
    request->child = child;
    request->link_fd = pair[1];
    *link_fd = pair[0];
    return request;
  }
  free(request);
  return NULL;
}

int zygote_spawn(Zygote *zygote, const ChildOptions *options, Child **out, int *link_fd) {
  if (zygote->fd < 0) return UV_EPIPE;
  Child *child = child_expect(options);
  Request *request = child ? new_request(child, link_fd) : NULL;
  if (!request) {
    free(child);
    return child ? UV_EMFILE : UV_ENOMEM;
  }
  list_append(&zygote->requests, &request->node);
  *out = child;
  send_requests(zygote);
  return 0;
}

bool zygote_is_alive(const Zygote *zygote) { return zygote->fd >= 0; }

/* Lets both end, the zygote and its spare, and hears what they tell until then: a process that
 * nobody knows of would never be reaped. One that hangs is not waited for. */
static void end_serving(Zygote *zygote) {
  enum { PATIENCE = 100000000, GLANCE = 10 }; /* nanoseconds, milliseconds */
  uint64_t deadline = uv_hrtime() + PATIENCE;
  struct pollfd news = {.fd = zygote->fd, .events = POLLIN};
  shutdown(zygote->fd, SHUT_WR);
  while (zygote->fd >= 0 && uv_hrtime() < deadline) {
    if (poll(&news, 1, GLANCE) > 0) read_news(zygote);
  }
}

void zygote_close(Zygote *zygote) {
  if (zygote->fd >= 0) end_serving(zygote);
  hang_up(zygote);
  drop_spare(zygote);
  if (zygote->process) child_close(zygote->process);
  zygote->closed = true;
  if (!zygote->watched) free(zygote);
}
