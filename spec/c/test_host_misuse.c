/* SPDX-License-Identifier: MIT
 * lunette.h: what programs do wrong, do late, or do from hooks; and systems that have too little.
 */
#include "embed.h"

#include <lauxlib.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static const char THREAD[] = "{\"webPreferences\":{\"isolation\":\"thread\"}}";
static const char THREAD_WITHOUT_SANDBOX[] =
    "{\"webPreferences\":{\"isolation\":\"thread\",\"sandbox\":false}}";

static bool has_error(const LunetteHost *host, const char *part) {
  bool has = strstr(lunette_error(host), part) != NULL;
  if (!has) printf("error: %s\n", lunette_error(host));
  return has;
}

/* A host with a page whose script is `page`, which stops threads by a signal. */
static LunetteHost *open_page_host(const char *page) {
  LunetteFile file = {.path = "page.lua", .data = page, .size = strlen(page)};
  LunetteOptions options = {.size = sizeof options, .files = &file, .file_count = 1};
  options.flags = LUNETTE_CALLS_CHILD_MAIN;
  options.stop_signal = SIGURG;
  LunetteHost *host = NULL;
  CHECK(lunette_open(&options, &host) == LUNETTE_OK);
  return host;
}

/* ---- arguments ---- */

static int open_with(LunetteOptions options) {
  LunetteHost *host;
  options.size = sizeof options;
  int status = lunette_open(&options, &host);
  CHECK(status == LUNETTE_OK || !host);
  lunette_close(host);
  return status;
}

static void test_bad_options(void) {
  static const int no_signals[] = {-1, NSIG, 9999, SIGKILL, SIGSTOP};
  LunetteFile missing = {.path = "main.lua", .size = 10}, empty = {.path = "main.lua"};
  CHECK(open_with((LunetteOptions){.files = &missing, .file_count = 1}) == LUNETTE_INVALID);
  CHECK(open_with((LunetteOptions){.files = &empty, .file_count = 1}) == LUNETTE_OK);
  CHECK(open_with((LunetteOptions){.argc = -1, .argv = (char *[]){NULL}}) == LUNETTE_INVALID);
  for (size_t i = 0; i < sizeof no_signals / sizeof *no_signals; i++)
    CHECK(open_with((LunetteOptions){.stop_signal = no_signals[i]}) == LUNETTE_INVALID);
  CHECK(open_with((LunetteOptions){.stop_signal = SIGRTMAX}) == LUNETTE_OK);
}

/* Values that are not there, and those of another host. */
static void test_bad_values(void) {
  LunetteHost *host = open_app(NULL, NULL), *other = open_app(NULL, NULL);
  lua_State *L = lunette_state(host), *foreign = lunette_state(other);
  CHECK(lunette_send_lua(host, LUNETTE_MAIN, "x", L, 1) == LUNETTE_INVALID);
  lua_pushinteger(foreign, 1);
  CHECK(lunette_send_lua(host, LUNETTE_MAIN, "x", foreign, 1) == LUNETTE_INVALID);
  CHECK(has_error(host, "the Lua state, or a value, is missing") && lua_gettop(foreign) == 1);
  lunette_close(host);
  lunette_close(other);
}

/* ---- too late ---- */

/* What tells by a number above zero what it made says the end by another one. */
static void test_after_the_end(void) {
  LunetteHost *host = open_app("require('lunette').app.exit(3)", "");
  CHECK(lunette_pump(host, 100) == LUNETTE_ENDED);
  CHECK(lunette_page_open(host, "page.lua", NULL) == LUNETTE_FAILED);
  CHECK(has_error(host, "the app has ended"));
  CHECK(lunette_invoke(host, 1, "x", NULL, 0) == LUNETTE_FAILED);
  CHECK(has_error(host, "the app has ended"));
  lua_State *L = lunette_state(host);
  lua_pushinteger(L, 1);
  CHECK(lunette_send_lua(host, LUNETTE_MAIN, "x", L, 1) == LUNETTE_ENDED && lua_gettop(L) == 0);
  lunette_close(host);
}

static void test_stop_without_renderer(void) {
  LunetteHost *host = open_app(NULL, "");
  int page = lunette_page_open(host, "page.lua", NULL);
  CHECK(lunette_page_stop(host, page) == LUNETTE_OK); /* before it is there */
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_GONE)->page == page);
  CHECK(lunette_page_stop(host, page) == LUNETTE_NO_PAGE);
  page = lunette_page_open(host, "missing.lua", NULL);
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_FAILED)->page == page);
  CHECK(lunette_page_stop(host, page) == LUNETTE_NO_PAGE);
  lunette_close(host);
}

/* Nothing follows QUIT, neither what its listeners send nor what the end of pages settles. */
static void test_quit_is_last(void) {
  LunetteHost *host =
      open_app("local lunette = require 'lunette'\n"
               "lunette.app.on('quit', function() lunette.host.send 'bye' end)\n"
               "lunette.ipcMain.on('end', function()\n"
               "  lunette.app.exit(4) lunette.sleep(0) lunette.host.send 'bye' end)",
               "require('lunette').ipcRenderer.handle('never', function()\n"
               "  require('lunette').sleep(1e6) end)");
  static const int wanted[] = {LUNETTE_EVENT_PAGE_CLOSED, LUNETTE_EVENT_MESSAGE,
                               LUNETTE_EVENT_REPLY,       LUNETTE_EVENT_REPLY,
                               LUNETTE_EVENT_QUIT,        LUNETTE_EVENT_NONE};
  lunette_on(host, "bye", NULL, NULL);
  int page = lunette_page_open(host, "page.lua", NULL);
  await_event(host, LUNETTE_EVENT_PAGE_LOADED);
  CHECK(lunette_invoke(host, page, "never", NULL, 0) == 1);
  CHECK(lunette_invoke(host, page, "never", NULL, 0) == 2);
  CHECK(send_text(host, LUNETTE_MAIN, "end", NULL) == LUNETTE_OK);
  while (lunette_pump(host, 1000) != LUNETTE_ENDED) continue;
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    CHECK(lunette_next_event(host)->type == wanted[i]);
  lunette_close(host);
}

/* What was posted before is something to wait for. */
static void test_posts_before_run(void) {
  LunetteHost *host = open_app("local lunette, count = require 'lunette', 0\n"
                               "lunette.ipcMain.on('x', function()\n"
                               "  count = count + 1\n"
                               "  if count == 200 then lunette.app.exit(9) end end)",
                               NULL);
  for (int i = 0; i < 200; i++) CHECK(lunette_post(host, LUNETTE_MAIN, "x", NULL, 0) == LUNETTE_OK);
  CHECK(lunette_run(host) == 9);
  lunette_close(host);
  host = open_app("", NULL);
  CHECK(lunette_post(host, LUNETTE_MAIN, "x", NULL, 0) == LUNETTE_OK);
  CHECK(lunette_run(host) == 0); /* and that is all */
  lunette_close(host);
}

/* ---- from hooks ---- */

typedef struct Hook {
  LunetteHost *host;
  int lines, closed, pumped, sent, opened;
} Hook;

static void on_line(void *data, int level, int page, const char *text, size_t size) {
  (void)level, (void)page, (void)text, (void)size;
  Hook *hook = data;
  hook->lines++;
  if (!hook->host || hook->lines > 1) return;
  hook->pumped = lunette_pump(hook->host, 1000);
  hook->sent = send_text(hook->host, LUNETTE_MAIN, "x", "[1]");
  hook->opened = lunette_page_open(hook->host, "page.lua", NULL);
  hook->closed = lunette_close(hook->host);
}

/* The hook is called by a finaliser, when the host is being freed. */
static void test_hook_while_closing(void) {
  Hook hook = {0};
  LunetteOptions options = {.size = sizeof options, .log = on_line, .data = &hook};
  options.code = "keep = setmetatable({}, { __gc = function() print 'ends' end })";
  LunetteHost *host;
  CHECK(lunette_open(&options, &host) == LUNETTE_OK);
  hook.host = host;
  CHECK(lunette_close(host) == LUNETTE_OK && hook.lines == 1);
  CHECK(hook.pumped == LUNETTE_BUSY && hook.sent == LUNETTE_ENDED);
  CHECK(hook.opened == LUNETTE_FAILED && hook.closed == LUNETTE_OK);
}

/* A function that tells a number tells no wrong one when a hook closes the host. */
static void test_hook_closes(void) {
  Hook hook = {0};
  LunetteOptions options = {.size = sizeof options, .log = on_line, .data = &hook};
  options.code = "require('lunette').app.on('web-contents-created', function() print 'new' end)";
  LunetteHost *host;
  CHECK(lunette_open(&options, &host) == LUNETTE_OK);
  lunette_pump(host, 1000);
  hook.host = host;
  CHECK(lunette_page_open(host, "page.lua", NULL) == LUNETTE_FAILED);
  CHECK(hook.lines > 0 && hook.closed == LUNETTE_OK);
}

/* Each call adds a listener for what comes next, not for what is being told. */
static void add_another(void *data, LunetteHost *host, const LunetteEvent *event) {
  int *calls = data;
  if (++*calls < 1000) CHECK(lunette_on(host, event->channel, add_another, data) == LUNETTE_OK);
}

static void test_listener_adds_another(void) {
  int calls = 0;
  LunetteHost *host = open_app("local lunette = require 'lunette'\n"
                               "lunette.setTimeout(function()\n"
                               "  lunette.host.send 'x' lunette.app.quit() end, 1)",
                               NULL);
  lunette_on(host, "x", add_another, &calls);
  await_event(host, LUNETTE_EVENT_QUIT);
  CHECK(calls == 1);
  lunette_close(host);
}

/* ---- too much ---- */

enum { EVENTS_MOST = 16384 };

/* Takes the messages [*next], [*next + 1] ... out of the queue until it is empty. */
static void take_numbers(LunetteHost *host, int *next) {
  char wanted[16];
  for (;;) {
    const LunetteEvent *event = lunette_next_event(host);
    if (event->type == LUNETTE_EVENT_NONE) return;
    if (event->type != LUNETTE_EVENT_MESSAGE) continue;
    snprintf(wanted, sizeof wanted, "[%d]", (*next)++);
    CHECK(strcmp(event->text, wanted) == 0);
  }
}

/* Also a pump that has all the time dispatches no more than the queue is to hold. */
static void test_queue_is_full(void) {
  LunetteHost *host = open_page_host("local ipc = require('lunette').ipcRenderer\n"
                                     "for i = 1, 40000 do ipc.send('x', i) end");
  lunette_on(host, "x", NULL, NULL);
  lunette_page_open(host, "page.lua", THREAD);
  double end = now_ms() + patience();
  int next = 1;
  while (lunette_pump(host, patience() * 1000) != LUNETTE_MORE && now_ms() < end)
    lunette_wait(host, 100);
  take_numbers(host, &next);
  CHECK(next > EVENTS_MOST - 16 && next <= EVENTS_MOST + 1);
  while (next <= 40000 && now_ms() < end) {
    lunette_wait(host, 100);
    lunette_pump(host, 2000);
    take_numbers(host, &next);
  }
  CHECK(next == 40001);
  lunette_close(host);
}

/* ---- lines of the runtime's ---- */

/* What a page on a thread has to say is not for the program's standard error. */
static void test_lines_of_a_thread(void) {
  LunetteHost *host = open_page_host("local ipc = require('lunette').ipcRenderer\n"
                                     "for i = 1, 11 do ipc.on('x', function() end) end\n"
                                     "for i = 1, 11 do ipc.on('y', function() end) end");
  lunette_page_open(host, "page.lua", THREAD);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_LOG);
  CHECK(strstr(event->text, "11 listeners for 'x'") && event->status == LUNETTE_LOG_WARNING);
  CHECK(strstr(await_event(host, LUNETTE_EVENT_LOG)->text, "11 listeners for 'y'"));
  lunette_close(host);
}

static void test_bad_channels(void) {
  LunetteHost *host = open_app("local host = require('lunette').host\n"
                               "print(select(2, pcall(function() host.send() end)))\n"
                               "print(select(2, pcall(function() host.invoke({}) end)))",
                               NULL);
  const char *text = await_event(host, LUNETTE_EVENT_LOG)->text;
  CHECK(strcmp(text, "(code):2: bad argument #1 to 'host.send' (string expected, got nil)") == 0);
  text = await_event(host, LUNETTE_EVENT_LOG)->text;
  CHECK(strcmp(text, "(code):3: bad argument #1 to 'host.invoke' (string expected, got table)") ==
        0);
  lunette_close(host);
}

/* ---- signals of the program's ---- */

static void on_alarm(int number) { (void)number; }

static void set_alarms(long microseconds) {
  struct sigaction action = {.sa_handler = on_alarm};
  struct itimerval time = {{0, microseconds}, {0, microseconds}};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &time, NULL);
}

static int count_threads(void) {
  int count = -2; /* . and .. */
  DIR *folder = opendir("/proc/self/task");
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

/* A thread that needs some time for its end has it, also in a program with a profiler. */
static void test_slow_end_under_signals(void) {
  int before = count_threads();
  LunetteHost *host = open_page_host("local clock = require('lunette').process.hrtime\n"
                                     "keep = setmetatable({}, { __gc = function()\n"
                                     "  local till = clock() + 200000000\n"
                                     "  while clock() < till do end end })");
  lunette_page_open(host, "page.lua", THREAD);
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_LOADED)->page == 1);
  set_alarms(1000);
  lunette_close(host);
  set_alarms(0);
  CHECK(count_threads() == before);
}

/* ---- few descriptors ---- */

static void limit_descriptors(int more) {
  struct rlimit limit;
  int next = dup(STDERR_FILENO);
  close(next);
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = (rlim_t)(next + more);
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void unlimit_descriptors(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* In a process that has had no loop yet. */
static int open_with_few(void) {
  bool opened = false;
  for (int more = 0; more < 32 && !opened; more++) {
    LunetteHost *host;
    LunetteOptions options = {.size = sizeof options};
    limit_descriptors(more);
    int status = lunette_open(&options, &host);
    opened = status == LUNETTE_OK;
    if (!opened && status != LUNETTE_NO_MEMORY) return 2;
    lunette_close(host);
    unlimit_descriptors();
  }
  return opened ? 0 : 3;
}

/* In a process without standard streams, whose numbers libuv does not close. */
static int open_without_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) close(fd);
  LunetteHost *host = open_page_host("require('lunette').ipcRenderer.send('up')");
  lunette_on(host, "up", NULL, NULL);
  lunette_page_open(host, "page.lua", THREAD);
  await_event(host, LUNETTE_EVENT_MESSAGE);
  lunette_page_open(host, "page.lua", NULL);
  await_event(host, LUNETTE_EVENT_MESSAGE);
  lunette_close(host);
  return failed == 0 ? 0 : 1;
}

/* The exit status of this program, begun anew; by its own name, as what the link leads to under
 * valgrind is valgrind. */
static int run_anew(const char *argument) {
  int status = 0;
  char path[PATH_MAX];
  pid_t child = fork();
  if (child == 0) {
    if (realpath("/proc/self/exe", path)) execl(path, "test", argument, NULL);
    _exit(4);
  }
  CHECK(waitpid(child, &status, 0) == child);
  return status;
}

static void test_first_loop(void) {
  CHECK(run_anew("--open-with-few") == 0);
  CHECK(run_anew("--open-without-streams") == 0);
}

/* What cannot start leaves nothing behind, at the latest when the host is closed: until then there
 * may be a spare thread for pages with a sandbox. */
static void test_few_descriptors(const char *preferences, bool has_spare) {
  for (int more = 0; more < 32; more++) {
    int at_first = count_fds();
    LunetteHost *host = open_page_host("");
    int before = count_fds(), ends = 0;
    limit_descriptors(more);
    for (int i = 0; i < 3; i++) lunette_page_open(host, "page.lua", preferences);
    double end = now_ms() + patience();
    while (ends < 3 && now_ms() < end) {
      int type = lunette_next_event(host)->type;
      if (type == LUNETTE_EVENT_PAGE_LOADED || type == LUNETTE_EVENT_PAGE_GONE) ends++;
      if (type != LUNETTE_EVENT_NONE) continue;
      lunette_wait(host, 100);
      lunette_pump(host, 2000);
    }
    unlimit_descriptors();
    CHECK(ends == 3);
    for (int page = 1; page <= 3; page++) lunette_page_close(host, page);
    while (!has_spare && count_fds() > before && now_ms() < end) lunette_pump(host, 2000);
    CHECK(has_spare || count_fds() == before);
    lunette_close(host);
    CHECK(count_fds() == at_first);
  }
}

static void test(void) {
  test_bad_options();
  test_bad_values();
  test_after_the_end();
  test_stop_without_renderer();
  test_quit_is_last();
  test_posts_before_run();
  test_hook_while_closing();
  test_hook_closes();
  test_listener_adds_another();
  test_queue_is_full();
  test_lines_of_a_thread();
  test_bad_channels();
  test_slow_end_under_signals();
  test_first_loop();
  test_few_descriptors(THREAD, true);
  test_few_descriptors(THREAD_WITHOUT_SANDBOX, false);
}

int main(int argc, char **argv) {
  int status = lunette_child_main(argc, argv);
  if (status >= 0) return status;
  if (argc > 1 && strcmp(argv[1], "--open-with-few") == 0) return open_with_few();
  if (argc > 1 && strcmp(argv[1], "--open-without-streams") == 0) return open_without_streams();
  return run_test(test);
}
