/* SPDX-License-Identifier: MIT
 * lunette.h: opening, pumping, waiting, ending, threads, hooks; every result that there is. */
#include "embed.h"

#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* ---- opening ---- */

static int open_with(LunetteOptions options, LunetteHost **host) {
  options.size = sizeof options;
  options.flags |= LUNETTE_CALLS_CHILD_MAIN;
  return lunette_open(&options, host);
}

static bool has_error(const LunetteHost *host, const char *part) {
  bool has = strstr(lunette_error(host), part) != NULL;
  if (!has) printf("error: %s\n", lunette_error(host));
  return has;
}

static void test_bad_options(void) {
  LunetteHost *host = (LunetteHost *)1;
  LunetteOptions options = {0};
  CHECK(lunette_open(NULL, &host) == LUNETTE_INVALID && !host);
  CHECK(lunette_open(&options, &host) == LUNETTE_INVALID && !host);
  CHECK(open_with((LunetteOptions){.file_count = 1}, &host) == LUNETTE_INVALID);
  CHECK(open_with((LunetteOptions){.argc = 1}, &host) == LUNETTE_INVALID);
  LunetteFile nameless = {0};
  CHECK(open_with((LunetteOptions){.files = &nameless, .file_count = 1}, &host) == LUNETTE_INVALID);
  CHECK(strcmp(lunette_error(NULL), "not enough memory") == 0);
  CHECK(lunette_close(NULL) == LUNETTE_OK);
}

/* An app that does not start, and why. */
static void expect_no_app(LunetteOptions options, const char *why) {
  LunetteHost *host;
  CHECK(open_with(options, &host) == LUNETTE_NO_APP);
  CHECK(host && has_error(host, why));
  CHECK(lunette_close(host) == LUNETTE_OK);
}

static void test_no_app(void) {
  expect_no_app((LunetteOptions){.app = "/nowhere"}, "/nowhere: no such app");
  expect_no_app((LunetteOptions){.code = "x ="}, "(code):1:");
  expect_no_app((LunetteOptions){.code = "error 'oh'"}, "oh\nstack traceback:");
  LunetteFile broken = {"main.lua", "local", 5};
  expect_no_app((LunetteOptions){.files = &broken, .file_count = 1}, "main.lua:1:");
}

/* A program that was compiled with an older header knows fewer options. */
static void test_older_options(void) {
  LunetteHost *host;
  LunetteOptions options = {.size = offsetof(LunetteOptions, files), .code = "answer = 42"};
  options.file_count = 7; /* what lies behind is not read */
  CHECK(lunette_open(&options, &host) == LUNETTE_OK);
  lunette_close(host);
}

static LunetteFile text_file(const char *path, const char *text) {
  return (LunetteFile){.path = path, .data = text, .size = strlen(text)};
}

static void test_memory_app(void) {
  LunetteFile files[] = {
      text_file("main.lua", "local greet, path = require 'lib.greet'\n"
                            "assert(greet() == 'hello' and path:find 'lib/greet.lua$')\n"
                            "assert(not pcall(require, 'lib.missing'))"),
      text_file("lib/greet.lua", "return function() return 'hello' end"),
  };
  LunetteHost *host;
  int status = open_with((LunetteOptions){.files = files, .file_count = 2}, &host);
  if (!CHECK(status == LUNETTE_OK)) printf("%s\n", lunette_error(host));
  lunette_close(host);
}

static void test_arguments(void) {
  char *argv[] = {(char *)"engine", (char *)"app", (char *)"--fast", (char *)"level 1"};
  LunetteOptions options = {.argc = 4,
                            .argv = argv,
                            .code = "local a = ... assert(a == '--fast' and arg[2] == 'level 1')\n"
                                    "local lunette = require 'lunette'\n"
                                    "assert(lunette.app.commandLine.hasSwitch 'fast')\n"
                                    "assert(lunette.process.argv[0] == 'engine')"};
  LunetteHost *host;
  if (!CHECK(open_with(options, &host) == LUNETTE_OK)) printf("%s\n", lunette_error(host));
  lunette_close(host);
}

/* ---- pumping and the end ---- */

static void test_pump(void) {
  LunetteHost *host = open_app("local lunette = require 'lunette'\n"
                               "lunette.setTimeout(function() lunette.host.send 'late' end, 500)",
                               NULL);
  CHECK(lunette_on(host, "late", NULL, NULL) == LUNETTE_OK);
  CHECK(lunette_pump(host, 0) >= LUNETTE_OK);
  while (lunette_pump(host, 1000) == LUNETTE_MORE) continue;
  int timeout = lunette_timeout(host);
  CHECK(timeout > 0 && timeout <= 501);
  CHECK(lunette_wait(host, 1) == LUNETTE_OK);
  CHECK(lunette_wait(host, -1) == LUNETTE_MORE);
  CHECK(lunette_pump(host, 1000) >= LUNETTE_OK);
  CHECK(lunette_next_event(host)->type == LUNETTE_EVENT_MESSAGE);
  CHECK(lunette_next_event(host)->type == LUNETTE_EVENT_NONE);
  while (lunette_pump(host, 1000) == LUNETTE_MORE) continue;
  CHECK(lunette_timeout(host) == -1);
  lunette_close(host);
}

static void test_budget(void) {
  LunetteHost *host = open_app("local lunette = require 'lunette'\n"
                               "local function again() lunette.setImmediate(again) end again()",
                               NULL);
  double begun = now_ms();
  CHECK(lunette_pump(host, 5000) == LUNETTE_MORE);
  double took = now_ms() - begun;
  CHECK(took >= 4.9 && took < patience());
  CHECK(lunette_timeout(host) == 0 && lunette_wait(host, -1) == LUNETTE_MORE);
  lunette_close(host);
}

static void test_end(void) {
  LunetteHost *host = open_app("local lunette = require 'lunette'\n"
                               "lunette.setTimeout(function() lunette.app.exit(7) end, 0)",
                               NULL);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_QUIT);
  CHECK(event->type == LUNETTE_EVENT_QUIT && event->status == 7 && event->page == 0);
  CHECK(lunette_pump(host, 1000) == LUNETTE_ENDED);
  CHECK(lunette_wait(host, 1000) == LUNETTE_ENDED);
  CHECK(send_text(host, LUNETTE_MAIN, "x", NULL) == LUNETTE_ENDED);
  CHECK(has_error(host, "the app has ended"));
  CHECK(lunette_post(host, LUNETTE_MAIN, "x", NULL, 0) == LUNETTE_ENDED);
  lunette_close(host);
}

/* What would end the process, ends the app. */
static void test_os_exit(void) {
  LunetteHost *host = open_app("require('lunette').setTimeout(function()\n"
                               "  pcall(os.exit, 3) os.exit(4) end, 0)",
                               NULL);
  CHECK(await_event(host, LUNETTE_EVENT_QUIT)->status == 3);
  lunette_close(host);
  host = open_app("os.exit(true)", NULL);
  CHECK(await_event(host, LUNETTE_EVENT_QUIT)->status == 0);
  lunette_close(host);
}

static void test_run(void) {
  LunetteHost *host = open_app("local lunette = require 'lunette'\n"
                               "lunette.setTimeout(function() lunette.app.exit(9) end, 5)",
                               NULL);
  CHECK(lunette_run(host) == 9);
  CHECK(lunette_run(host) == 9);
  CHECK(lunette_pump(host, 0) == LUNETTE_ENDED);
  lunette_close(host);
  host = open_app("", NULL); /* nothing to wait for */
  CHECK(lunette_run(host) == 0);
  lunette_close(host);
}

/* The last window does not take the app with it. */
static void test_last_window(void) {
  LunetteHost *host = open_app(NULL, "window.close()");
  int page = lunette_page_open(host, "page.lua", NULL);
  CHECK(page == 1);
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_CLOSED)->page == page);
  CHECK(lunette_pump(host, 1000) != LUNETTE_ENDED);
  lunette_close(host);
}

/* ---- sleeping on the descriptor ---- */

/* Pumps until an event of the type comes, asleep on the descriptor in between; false when there is
 * none although it slept for long. */
static bool sleeps_until(LunetteHost *host, int type) {
  for (;;) {
    lunette_pump(host, 1000);
    const LunetteEvent *event;
    while ((event = lunette_next_event(host))->type != LUNETTE_EVENT_NONE)
      if (event->type == type) return true;
    struct pollfd entry = {.fd = lunette_descriptor(host), .events = POLLIN};
    int timeout = lunette_timeout(host);
    if (poll(&entry, 1, timeout < 0 ? patience() : timeout) == 0 && timeout < 0) return false;
  }
}

static void test_descriptor(void) {
  LunetteHost *host = open_app(NULL, "");
  int page = lunette_page_open(host, "page.lua", "{\"webPreferences\":{\"sandbox\":false}}");
  CHECK(lunette_descriptor(host) >= 0);
  CHECK(sleeps_until(host, LUNETTE_EVENT_PAGE_LOADED));
  CHECK(lunette_page_stop(host, page) == LUNETTE_OK);
  CHECK(sleeps_until(host, LUNETTE_EVENT_PAGE_GONE));
  lunette_close(host);
}

/* ---- threads ---- */

static void *use_from_elsewhere(void *data) {
  LunetteHost *host = data;
  CHECK(lunette_pump(host, 0) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_wait(host, 0) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_run(host) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_descriptor(host) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_timeout(host) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_next_event(host)->type == LUNETTE_EVENT_NONE);
  CHECK(lunette_next_event(host)->status == LUNETTE_WRONG_THREAD);
  CHECK(lunette_page_open(host, "page.lua", NULL) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_page_open(host, NULL, NULL) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_page_reload(host, 1) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_page_stop(host, 1) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_page_close(host, 1) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_on(host, "x", NULL, NULL) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_off(host, "x") == LUNETTE_WRONG_THREAD);
  CHECK(lunette_handle(host, "x", NULL, NULL) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_remove_handler(host, "x") == LUNETTE_WRONG_THREAD);
  CHECK(lunette_reply(host, 1, NULL, 0) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_reply_error(host, 1, "x") == LUNETTE_WRONG_THREAD);
  CHECK(lunette_send(host, 1, "x", NULL, 0) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_invoke(host, 1, "x", NULL, 0) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_state(host) == NULL);
  CHECK(lunette_call(host, NULL, NULL) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_handle_lua(host, "x", NULL, NULL) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_send_lua(host, 1, "x", NULL, 0) == LUNETTE_WRONG_THREAD);
  CHECK(lunette_close(host) == LUNETTE_WRONG_THREAD);
  CHECK(has_error(host, "called by a thread that did not open the host"));
  return NULL;
}

static void test_wrong_thread(void) {
  pthread_t thread;
  LunetteHost *host = open_app(NULL, NULL);
  pthread_create(&thread, NULL, use_from_elsewhere, host);
  pthread_join(thread, NULL);
  CHECK(strcmp(lunette_error(host), "") == 0);
  lunette_close(host);
}

enum { POSTERS = 4, POSTS = 500 };

/* What a thread posts: its number, and one that grows. */
static void *post_many(void *data) {
  LunetteHost **host = data;
  static __thread char json[32];
  for (int i = 1; i <= POSTS; i++) {
    int size = snprintf(json, sizeof json, "[%d,%d]", (int)(pthread_self() % 99991), i);
    CHECK(lunette_post(*host, LUNETTE_MAIN, "post", json, (size_t)size) == LUNETTE_OK);
  }
  return NULL;
}

static void test_post(void) {
  LunetteHost *host = open_app("local lunette, last, count = require 'lunette', {}, 0\n"
                               "lunette.ipcMain.on('post', function(event, who, n)\n"
                               "  assert(event.sender == nil and n == (last[who] or 0) + 1)\n"
                               "  last[who], count = n, count + 1\n"
                               "  if count == 2000 then lunette.host.send('all', count) end\n"
                               "end)",
                               NULL);
  pthread_t threads[POSTERS];
  lunette_on(host, "all", NULL, NULL);
  for (int i = 0; i < POSTERS; i++) pthread_create(&threads[i], NULL, post_many, &host);
  CHECK(await_text(host, LUNETTE_EVENT_MESSAGE, "[2000]"));
  for (int i = 0; i < POSTERS; i++) pthread_join(threads[i], NULL);
  CHECK(lunette_post(host, LUNETTE_MAIN, NULL, NULL, 0) == LUNETTE_INVALID);
  CHECK(lunette_post(host, 77, "x", NULL, 0) == LUNETTE_OK);
  CHECK(await_text(host, LUNETTE_EVENT_LOG,
                   "lunette_post on 'x': there is no page 77, or its renderer has gone"));
  CHECK(lunette_post(host, LUNETTE_MAIN, "x", "[", 1) == LUNETTE_OK);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_LOG);
  CHECK(event->status == LUNETTE_LOG_WARNING && strstr(event->text, "lunette_post on 'x': "));
  lunette_close(host);
}

/* A post wakes who sleeps. */
static void *post_late(void *data) {
  usleep(20000);
  lunette_post(data, LUNETTE_MAIN, "x", "[]", 2);
  return NULL;
}

static void test_post_wakes(void) {
  pthread_t thread;
  LunetteHost *host = open_app("", NULL);
  while (lunette_pump(host, 1000) == LUNETTE_MORE) continue;
  pthread_create(&thread, NULL, post_late, host);
  CHECK(lunette_wait(host, patience()) == LUNETTE_MORE);
  pthread_join(thread, NULL);
  lunette_close(host);
}

/* Several hosts, each on a thread of its own and all at once. */
static void *run_own_host(void *data) {
  bool *ok = data;
  LunetteHost *host = open_app(NULL, "require('lunette').ipcRenderer.send('up', 1)");
  lunette_on(host, "up", NULL, NULL);
  int page = lunette_page_open(host, "page.lua", NULL);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_MESSAGE);
  *ok = event->page == page && strcmp(event->text, "[1]") == 0;
  lunette_close(host);
  return NULL;
}

static void test_several_hosts(void) {
  pthread_t threads[3];
  bool ok[3] = {false};
  LunetteHost *first = open_app("x = 1", NULL), *second = open_app("assert(x == nil)", NULL);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, run_own_host, &ok[i]);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  CHECK(ok[0] && ok[1] && ok[2]);
  CHECK(lunette_pump(first, 100) >= 0 && lunette_pump(second, 100) >= 0);
  lunette_close(first);
  CHECK(lunette_pump(second, 100) >= 0);
  lunette_close(second);
}

/* ---- inside callbacks ---- */

typedef struct Inside {
  int calls;
  bool closes;
} Inside;

static void on_inside(void *data, LunetteHost *host, const LunetteEvent *event) {
  Inside *inside = data;
  inside->calls++;
  CHECK(event->type == LUNETTE_EVENT_MESSAGE && strcmp(event->channel, "in") == 0);
  CHECK(lunette_pump(host, 0) == LUNETTE_BUSY && has_error(host, "not inside a callback"));
  CHECK(lunette_wait(host, 0) == LUNETTE_BUSY && lunette_run(host) == LUNETTE_BUSY);
  CHECK(send_text(host, LUNETTE_MAIN, "other", "[]") == LUNETTE_OK);
  if (inside->closes) CHECK(lunette_close(host) == LUNETTE_OK);
}

static void test_inside_callback(void) {
  Inside inside = {0};
  LunetteHost *host = open_app("local lunette = require 'lunette'\n"
                               "lunette.setInterval(function() lunette.host.send('in') end, 1)",
                               NULL);
  lunette_on(host, "in", on_inside, &inside);
  while (inside.calls < 3 && lunette_wait(host, 1000) >= 0) lunette_pump(host, 1000);
  CHECK(inside.calls >= 3);
  inside.closes = true;
  int status = LUNETTE_OK;
  while (status >= 0 && status != LUNETTE_ENDED) status = lunette_pump(host, 1000);
  CHECK(status == LUNETTE_ENDED); /* and the host is gone: see the address sanitizer */
}

/* ---- hooks ---- */

typedef struct Hooks {
  int lines;
  char last[200];
  int last_level, last_page;
  size_t allocated;
  bool refuses;
} Hooks;

static void on_log(void *data, int level, int page, const char *text, size_t size) {
  Hooks *hooks = data;
  hooks->lines++;
  hooks->last_level = level;
  hooks->last_page = page;
  CHECK(strlen(text) == size);
  snprintf(hooks->last, sizeof hooks->last, "%s", text);
}

static void *on_allocate(void *data, void *block, size_t old_size, size_t new_size) {
  Hooks *hooks = data;
  if (new_size == 0) {
    hooks->allocated -= old_size;
    free(block);
    return NULL;
  }
  if (hooks->refuses && new_size > old_size) return NULL;
  void *result = realloc(block, new_size);
  if (result) hooks->allocated += new_size - old_size;
  return result;
}

static void test_log_hook(void) {
  Hooks hooks = {0};
  LunetteHost *host;
  LunetteFile page = text_file("page.lua", "print('from', 'page') console.warn 'careful'");
  LunetteOptions options = {.code = "print('a', nil, 1)", .log = on_log, .data = &hooks};
  options.files = &page;
  options.file_count = 1;
  CHECK(open_with(options, &host) == LUNETTE_OK);
  CHECK(strcmp(hooks.last, "a\tnil\t1") == 0 && hooks.last_level == LUNETTE_LOG_INFO);
  int number = lunette_page_open(host, "page.lua", NULL);
  while (hooks.lines < 3 && lunette_wait(host, patience()) >= 0) lunette_pump(host, 1000);
  CHECK(strcmp(hooks.last, "careful") == 0);
  CHECK(hooks.last_level == LUNETTE_LOG_WARNING && hooks.last_page == number);
  send_text(host, LUNETTE_MAIN, "error", NULL);
  lunette_close(host);
}

static void test_errors_are_logged(void) {
  Hooks hooks = {0};
  LunetteHost *host;
  LunetteOptions options = {.code = "require('lunette').setTimeout(function() error({}) end, 0)",
                            .log = on_log};
  options.data = &hooks;
  CHECK(open_with(options, &host) == LUNETTE_OK);
  while (hooks.lines < 1 && lunette_wait(host, patience()) >= 0) lunette_pump(host, 1000);
  CHECK(strstr(hooks.last, "uncaught error: ") && hooks.last_level == LUNETTE_LOG_ERROR);
  CHECK(lunette_pump(host, 100) != LUNETTE_ENDED);
  lunette_close(host);
}

static void test_allocator_hook(void) {
  Hooks hooks = {0};
  LunetteHost *host;
  LunetteOptions options = {.code = "keep = ('x'):rep(1 << 20)", .log = on_log, .data = &hooks};
  options.allocate = on_allocate;
  CHECK(open_with(options, &host) == LUNETTE_OK);
  CHECK(hooks.allocated > 1 << 20);
  hooks.refuses = true;
  CHECK(lunette_send(host, LUNETTE_MAIN, "x", "[\"yyyyyyyyyyyyyyyyyy\"]", 22) < 0);
  hooks.refuses = false;
  CHECK(send_text(host, LUNETTE_MAIN, "x", "[1]") == LUNETTE_OK);
  lunette_close(host);
  CHECK(hooks.allocated == 0);
  hooks.refuses = true;
  CHECK(open_with(options, &host) == LUNETTE_NO_MEMORY && !host);
}

/* Lines of the log, without a hook, are events; the newest are kept. */
static void test_log_events(void) {
  LunetteHost *host = open_app("for i = 1, 5000 do print(i) end", NULL);
  int lines = 0, last = 0;
  const LunetteEvent *event;
  while ((event = lunette_next_event(host))->type == LUNETTE_EVENT_LOG) {
    CHECK(event->status == LUNETTE_LOG_INFO);
    last = atoi(event->text);
    lines++;
  }
  CHECK(lines == 4096 && last == 5000);
  lunette_close(host);
}

/* While nobody takes the events, nothing more is dispatched. */
static void test_full_queue(void) {
  LunetteHost *host = open_app("", "local ipc = require('lunette').ipcRenderer\n"
                                   "for i = 1, 40000 do ipc.send('n', i) end");
  int taken = 0;
  lunette_on(host, "n", NULL, NULL);
  lunette_page_open(host, "page.lua", NULL);
  for (double end = now_ms() + patience(); taken < 40000 && now_ms() < end;) {
    for (int i = 0; i < 200; i++) lunette_pump(host, 20000);
    const LunetteEvent *event;
    int here = 0;
    while ((event = lunette_next_event(host))->type != LUNETTE_EVENT_NONE) {
      if (event->type == LUNETTE_EVENT_MESSAGE) taken++;
      here++;
    }
    CHECK(here < 16384 + 4096);
    if (here > 0) end = now_ms() + patience();
  }
  CHECK(taken == 40000);
  lunette_close(host);
}

/* The collector is led by the pump; what a single call leaves behind is bounded all the same. */
static void test_garbage(void) {
  LunetteHost *host =
      open_app("local lunette = require 'lunette'\n"
               "lunette.ipcMain.on('work', function()\n"
               "  for i = 1, 3000000 do local t = { i, {} } end\n"
               "  lunette.host.send('peak', lunette.process.memoryUsage().heapPeak >> 20) end)",
               NULL);
  lunette_on(host, "peak", NULL, NULL);
  CHECK(send_text(host, LUNETTE_MAIN, "work", NULL) == LUNETTE_OK);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_MESSAGE);
  int peak = atoi(event->text + 1);
  if (!CHECK(peak > 0 && peak < 64)) printf("%s MiB\n", event->text);
  lunette_close(host);
}

/* ---- what belongs to the program ---- */

typedef struct Surroundings {
  struct sigaction actions[NSIG];
  sigset_t mask;
  const char *home;
  char folder[4096], locale[200];
} Surroundings;

static Surroundings look_around(void) {
  Surroundings now;
  memset(&now, 0, sizeof now);
  for (int i = 1; i < NSIG; i++) sigaction(i, NULL, &now.actions[i]);
  pthread_sigmask(SIG_BLOCK, NULL, &now.mask);
  now.home = getenv("HOME");
  CHECK(getcwd(now.folder, sizeof now.folder) != NULL);
  snprintf(now.locale, sizeof now.locale, "%s", setlocale(LC_ALL, NULL));
  return now;
}

static void expect_same(const Surroundings *before, const Surroundings *after) {
  for (int i = 1; i < NSIG; i++) {
    const struct sigaction *old = &before->actions[i], *now = &after->actions[i];
    bool same = old->sa_handler == now->sa_handler && old->sa_flags == now->sa_flags;
    if (!CHECK(same)) printf("signal %d\n", i);
  }
  for (int i = 1; i < NSIG; i++)
    CHECK(sigismember(&before->mask, i) == sigismember(&after->mask, i));
  CHECK(before->home == after->home && !getenv("LUNETTE_SPEC"));
  CHECK(strcmp(before->folder, after->folder) == 0 && strcmp(before->locale, after->locale) == 0);
}

static void test_surroundings(void) {
  Surroundings before = look_around();
  LunetteHost *host = open_app(
      "local lunette = require 'lunette'\n"
      "local function refused(fn, ...) local ok, err = pcall(fn, ...)\n"
      "  assert(not ok and err:find('not inside a program that hosts the app', 1, true), err) end\n"
      "refused(os.setlocale, 'C') assert(os.setlocale())\n"
      "refused(lunette.process.chdir, '/')\n"
      "lunette.process.env.LUNETTE_SPEC = 'x'\n"
      "assert(os.getenv 'LUNETTE_SPEC' == 'x' and lunette.uv.os_getenv 'LUNETTE_SPEC' == 'x')\n"
      "lunette.uv.os_setenv('LUNETTE_SPEC', 'y') lunette.uv.os_unsetenv 'HOME'\n"
      "assert(lunette.process.env.LUNETTE_SPEC == 'y' and not lunette.uv.os_environ().HOME)\n"
      "refused(lunette.app.relaunch)\n"
      "refused(lunette.uv.chdir, '/')\n"
      "refused(lunette.uv.spawn, 'true', {}, print)\n"
      "refused(lunette.uv.new_signal)\n"
      "local ok, err = pcall(require, 'no.such.module') assert(not ok)",
      "require('lunette').ipcRenderer.send('up')");
  lunette_on(host, "up", NULL, NULL);
  int page = lunette_page_open(host, "page.lua", NULL);
  CHECK(await_event(host, LUNETTE_EVENT_MESSAGE)->page == page);
  Surroundings amid = look_around();
  lunette_close(host);
  Surroundings after = look_around();
  expect_same(&before, &amid);
  expect_same(&before, &after);
}

/* libuv writes without MSG_NOSIGNAL; the program has SIGPIPE's default, which is to die. */
static void test_sigpipe(void) {
  signal(SIGPIPE, SIG_DFL);
  LunetteHost *host = open_app("local lunette = require 'lunette'\n"
                               "local uv = lunette.uv\n"
                               "local fds = uv.socketpair(nil, nil, {}, {})\n"
                               "local a, b = uv.new_pipe(), uv.new_pipe()\n"
                               "a:open(fds[1]) b:open(fds[2]) b:close()\n"
                               "lunette.setTimeout(function()\n"
                               "  a:write('x', function(err) lunette.host.send('err', err) end)\n"
                               "end, 1)",
                               NULL);
  lunette_on(host, "err", NULL, NULL);
  CHECK(await_text(host, LUNETTE_EVENT_MESSAGE, "[\"EPIPE\"]"));
  sigset_t pending;
  sigpending(&pending);
  CHECK(!sigismember(&pending, SIGPIPE));
  lunette_close(host);
}

static void test_names(void) {
  CHECK(strcmp(lunette_result_name(LUNETTE_OK), "LUNETTE_OK") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_MORE), "LUNETTE_MORE") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_ENDED), "LUNETTE_ENDED") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_FULL), "LUNETTE_FULL") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_NO_MEMORY), "LUNETTE_NO_MEMORY") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_NO_APP), "LUNETTE_NO_APP") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_WRONG_THREAD), "LUNETTE_WRONG_THREAD") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_BUSY), "LUNETTE_BUSY") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_INVALID), "LUNETTE_INVALID") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_NO_PAGE), "LUNETTE_NO_PAGE") == 0);
  CHECK(strcmp(lunette_result_name(LUNETTE_FAILED), "LUNETTE_FAILED") == 0);
  CHECK(*lunette_result_name(99) == '(' && *lunette_result_name(-99) == '(');
  CHECK(strcmp(lunette_version(), LUNETTE_VERSION) == 0);
}

static void test(void) {
  test_bad_options();
  test_no_app();
  test_older_options();
  test_memory_app();
  test_arguments();
  test_pump();
  test_budget();
  test_end();
  test_os_exit();
  test_run();
  test_last_window();
  test_descriptor();
  test_wrong_thread();
  test_post();
  test_post_wakes();
  test_several_hosts();
  test_inside_callback();
  test_log_hook();
  test_errors_are_logged();
  test_allocator_hook();
  test_log_events();
  test_full_queue();
  test_garbage();
  test_surroundings();
  test_sigpipe();
  test_names();
}

int main(int argc, char **argv) {
  int status = lunette_child_main(argc, argv);
  return status >= 0 ? status : run_test(test);
}
