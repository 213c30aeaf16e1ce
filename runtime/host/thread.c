/* SPDX-License-Identifier: MIT
 * Threads that are watched like child processes.
 *
 * A thread has news for its owner: that its memory is used up, that it has ended, lines for the
 * log. Bits and an eventfd tell them. A Thread lives until both sides have let it go: a thread that
 * cannot be stopped goes on by itself. */
#include "host/thread.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
  NEWS_EXHAUSTED = 1,
  NEWS_ENDED = 2,
  NEWS_LINES = 4,
  NEWS_OVER = 8,
  LINES_MOST = 100,  /* that wait for the owner; more are dropped */
  GRACE = 100,       /* milliseconds to tell that memory is used up */
  ATTEMPT = 100,     /* milliseconds between two tries to stop it */
  ATTEMPTS_MAX = 10, /* then it is given up; */
  FREEING_MAX = 30,  /* as long as that, if it only frees what it has */
};

/* A line for the owner's log. */
typedef struct Line {
  struct Line *next; /* the one before it, in time */
  LogLevel level;
  int page;
  size_t size;
  char text[]; /* followed by a zero byte */
} Line;

struct Thread {
  uv_poll_t watcher;
  uv_timer_t timer; /* of the grace, then of the attempts to stop it */
  ThreadOptions options;
  pthread_t id;
  int fd;         /* owned; an eventfd */
  int references; /* atomic: one of each side */
  int news;       /* atomic */
  Line *lines;    /* atomic; the newest */
  int line_count; /* atomic */
  ChildExit how;  /* the thread's, until it has told its end */
  ChildExit over; /* the same, from when it is over */
  bool is_over;   /* all but freeing what it has: its owner knows */
  bool is_asked;  /* to stop; then `reason` is why it ended */
  ChildExit reason;
  int attempts;
  int open_handles; /* of libuv's, that are not closed yet */
};

static const ChildExit killed = {.known = true, .signal = SIGKILL};
static const ChildExit out_of_memory = {.known = true, .code = CHILD_OUT_OF_MEMORY};

static void let_go(Thread *thread) {
  if (__atomic_sub_fetch(&thread->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  thread->options.release(thread->options.body);
  for (Line *next, *line = thread->lines; line; line = next) {
    next = line->next;
    free(line);
  }
  close(thread->fd);
  free(thread);
}

/* The thread's side */

static void tell(Thread *thread, int news) {
  const uint64_t one = 1;
  __atomic_or_fetch(&thread->news, news, __ATOMIC_RELEASE);
  ssize_t written = write(thread->fd, &one, sizeof one);
  (void)written; /* the counter is full never */
}

static void end(Thread *thread, ChildExit how) {
  thread->how = how;
  tell(thread, NEWS_ENDED);
  let_go(thread);
}

static void *run(void *argument) {
  Thread *thread = argument;
  end(thread, thread->options.run(thread, thread->options.body));
  return NULL;
}

void thread_out_of_memory(Thread *thread) { tell(thread, NEWS_EXHAUSTED); }

void thread_over(Thread *thread, ChildExit how) {
  thread->over = how;
  tell(thread, NEWS_OVER);
}

void thread_log(Thread *thread, LogLevel level, int page, const char *text, size_t size) {
  if (__atomic_load_n(&thread->line_count, __ATOMIC_RELAXED) >= LINES_MOST) return;
  Line *line = malloc(sizeof *line + size + 1);
  if (!line) return;
  *line = (Line){.level = level, .page = page, .size = size};
  memcpy(line->text, text, size);
  line->text[size] = 0;
  __atomic_add_fetch(&thread->line_count, 1, __ATOMIC_RELAXED);
  line->next = __atomic_load_n(&thread->lines, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(&thread->lines, &line->next, line, true, __ATOMIC_RELEASE,
                                      __ATOMIC_RELAXED))
    continue;
  tell(thread, NEWS_LINES);
}

void thread_abandon(Thread *thread, ChildExit how) {
  end(thread, how);
  pthread_exit(NULL);
}

/* The owner's side */

static bool has_news(const Thread *thread, int news) {
  return __atomic_load_n(&thread->news, __ATOMIC_ACQUIRE) & news;
}

/* Takes what was logged so far, the oldest line first. */
static Line *take_lines(Thread *thread) {
  Line *line = __atomic_exchange_n(&thread->lines, NULL, __ATOMIC_ACQUIRE), *first = NULL;
  while (line) {
    Line *before = line->next;
    line->next = first;
    first = line;
    line = before;
  }
  return first;
}

static void pass_lines_on(Thread *thread) {
  const LogSink *log = thread->options.log;
  for (Line *next, *line = take_lines(thread); line; line = next) {
    next = line->next;
    __atomic_sub_fetch(&thread->line_count, 1, __ATOMIC_RELAXED);
    log->write(log->data, line->level, line->page, line->text, line->size);
    free(line);
  }
}

static void on_handle_closed(uv_handle_t *handle) {
  Thread *thread = handle->data;
  if (--thread->open_handles == 0) let_go(thread);
}

static void close_handles(Thread *thread) {
  uv_close((uv_handle_t *)&thread->watcher, on_handle_closed);
  uv_close((uv_handle_t *)&thread->timer, on_handle_closed);
}

/* The thread has ended, or is left to itself. */
static void conclude(Thread *thread) {
  ChildExit how = thread->reason;
  if (has_news(thread, NEWS_ENDED)) {
    pthread_join(thread->id, NULL);
    if (!thread->is_asked) how = thread->how;
  } else {
    log_warn_to(thread->options.log, "a renderer's thread cannot be stopped: it is left to itself");
    pthread_detach(thread->id);
  }
  pass_lines_on(thread);
  close_handles(thread);
  if (thread->options.on_exit) thread->options.on_exit(thread, how);
}

static void on_attempt(uv_timer_t *timer) {
  Thread *thread = timer->data;
  if (++thread->attempts > ATTEMPTS_MAX) {
    conclude(thread);
  } else {
    thread->options.stop(thread->options.body, thread->id);
  }
}

/* Stops it; again until it has ended, as it may be about to start or to resume something. */
static void ask(Thread *thread, ChildExit reason) {
  if (thread->is_asked || thread->is_over) return;
  thread->is_asked = true;
  thread->reason = reason;
  thread->options.stop(thread->options.body, thread->id);
  uv_timer_start(&thread->timer, on_attempt, ATTEMPT, ATTEMPT);
}

static void on_grace_over(uv_timer_t *timer) { ask(timer->data, out_of_memory); }

static void on_freeing_over(uv_timer_t *timer) { conclude(timer->data); }

static void be_over(Thread *thread) {
  thread->is_over = true;
  uv_timer_start(&thread->timer, on_freeing_over, FREEING_MAX * ATTEMPT, 0);
  thread->options.on_over(thread, thread->is_asked ? thread->reason : thread->over);
}

static void on_news(uv_poll_t *watcher, int status, int events) {
  (void)status, (void)events;
  Thread *thread = watcher->data;
  uint64_t count;
  if (read(thread->fd, &count, sizeof count) < 0) return;
  if (has_news(thread, NEWS_ENDED)) {
    conclude(thread);
    return;
  }
  pass_lines_on(thread);
  bool is_exhausted = has_news(thread, NEWS_EXHAUSTED) && !thread->is_asked;
  if (has_news(thread, NEWS_OVER)) {
    if (!thread->is_over) be_over(thread);
  } else if (is_exhausted && !uv_is_active((uv_handle_t *)&thread->timer)) {
    uv_timer_start(&thread->timer, on_grace_over, GRACE, 0);
  }
}

/* Signals are the host's business, but a fault is the thread's own. */
static void fill_mask(sigset_t *mask, int wanted) {
  static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
  sigfillset(mask);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(mask, own[i]);
  if (wanted > 0) sigdelset(mask, wanted);
}

static int create(Thread *thread) {
  pthread_attr_t attributes;
  sigset_t mask;
  int error = pthread_attr_init(&attributes);
  if (error != 0) return -error;
  fill_mask(&mask, thread->options.signal);
  error = pthread_attr_setsigmask_np(&attributes, &mask);
  if (error == 0) error = pthread_create(&thread->id, &attributes, run, thread);
  pthread_attr_destroy(&attributes);
  return -error;
}

static int new_thread(const ThreadOptions *options, Thread **out) {
  Thread *thread = calloc(1, sizeof *thread);
  int fd = thread ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
  if (fd < 0) {
    int error = thread ? -errno : UV_ENOMEM;
    free(thread);
    options->release(options->body);
    return error;
  }
  thread->options = *options;
  thread->fd = fd;
  thread->references = 2;
  *out = thread;
  return 0;
}

static int watch(Thread *thread, uv_loop_t *loop) {
  int error = uv_poll_init(loop, &thread->watcher, thread->fd);
  if (error < 0) return error;
  uv_timer_init(loop, &thread->timer);
  thread->watcher.data = thread->timer.data = thread;
  thread->open_handles = 2;
  uv_poll_start(&thread->watcher, UV_READABLE, on_news);
  return 0;
}

int thread_start(uv_loop_t *loop, const ThreadOptions *options, Thread **out) {
  Thread *thread = NULL;
  int error = new_thread(options, &thread);
  if (error < 0) return error;
  error = watch(thread, loop);
  if (error < 0) {
    thread->references = 1;
    let_go(thread);
    return error;
  }
  error = create(thread);
  if (error < 0) {
    thread->references = 1;
    close_handles(thread);
    return error;
  }
  *out = thread;
  return 0;
}

void thread_kill(Thread *thread) { ask(thread, killed); }

/* A policy that the program chose for its threads stays. */
static void change_policy(const Thread *thread, int from, int to) {
  int policy;
  struct sched_param param;
  if (pthread_getschedparam(thread->id, &policy, &param) != 0 || policy != from) return;
  pthread_setschedparam(thread->id, to, &param);
}

void thread_set_aside(Thread *thread, bool aside) {
  if (aside) {
    uv_unref((uv_handle_t *)&thread->watcher);
    change_policy(thread, SCHED_OTHER, SCHED_BATCH);
  } else {
    uv_ref((uv_handle_t *)&thread->watcher);
    change_policy(thread, SCHED_BATCH, SCHED_OTHER);
  }
}

uint64_t thread_cpu_time(const Thread *thread) {
  clockid_t clock;
  struct timespec time;
  if (pthread_getcpuclockid(thread->id, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void *thread_owner(const Thread *thread) { return thread->options.owner; }

/* Waits for news, whatever signals the host gets meanwhile: a profiler's come each millisecond. */
static void await_news(const Thread *thread) {
  struct pollfd news = {.fd = thread->fd, .events = POLLIN};
  uint64_t now = uv_hrtime(), end = now + ATTEMPT * 1000000, count;
  int ready = 0;
  while (ready <= 0 && now < end) {
    ready = poll(&news, 1, (int)((end - now) / 1000000) + 1);
    now = uv_hrtime();
  }
  if (ready > 0 && read(thread->fd, &count, sizeof count) < 0) errno = 0; /* it was calm already */
}

/* It is over when it was stopped, as a rule, and only frees what it has then. */
static bool is_given_up(const Thread *thread, int attempts) {
  return attempts >= (has_news(thread, NEWS_OVER) ? FREEING_MAX : ATTEMPTS_MAX);
}

void thread_close(Thread *thread) {
  thread->options.on_exit = NULL;
  for (int i = 0; !is_given_up(thread, i) && !has_news(thread, NEWS_ENDED); i++) {
    thread->options.stop(thread->options.body, thread->id);
    await_news(thread);
  }
  conclude(thread);
}
