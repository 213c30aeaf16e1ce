/* SPDX-License-Identifier: MIT
 * A program that loads the library as a plug-in would: program LIBRARY MODE [ARGUMENT]. It knows
 * nothing of Lunette but lunette.h. Prints what program_spec.lua compares. */
#include <lunette.h>

#include "../c/lacking.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { USUAL_DEADLINE_MS = 20000, CYCLES = 50, BIG = 512 << 20 };

/* The functions of the library that are used here. */
typedef struct Library {
  void *handle;
  int (*open)(const LunetteOptions *, LunetteHost **);
  int (*close)(LunetteHost *);
  int (*pump)(LunetteHost *, int);
  int (*wait)(LunetteHost *, int);
  int (*handle_invokes)(LunetteHost *, const char *, LunetteCallback, void *);
  int (*reply)(LunetteHost *, int64_t, const char *, size_t);
  int (*send)(LunetteHost *, int, const char *, const char *, size_t);
  int (*page_open)(LunetteHost *, const char *, const char *);
  int (*page_stop)(LunetteHost *, int);
  const LunetteEvent *(*next_event)(LunetteHost *);
  const char *(*error)(const LunetteHost *);
} Library;

static void fail(const char *what, const char *why) {
  printf("%s: %s\n", what, why);
  exit(1);
}

static void *find(void *handle, const char *name) {
  void *symbol = dlsym(handle, name);
  if (!symbol) fail(name, dlerror());
  return symbol;
}

/* A pointer to an object becomes one to a function: POSIX says it can. */
#define FIND(field, name) *(void **)&library.field = find(library.handle, name)

static Library load(const char *path) {
  Library library = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
  if (!library.handle) fail(path, dlerror());
  FIND(open, "lunette_open");
  FIND(close, "lunette_close");
  FIND(pump, "lunette_pump");
  FIND(wait, "lunette_wait");
  FIND(handle_invokes, "lunette_handle");
  FIND(reply, "lunette_reply");
  FIND(send, "lunette_send");
  FIND(page_open, "lunette_page_open");
  FIND(page_stop, "lunette_page_stop");
  FIND(next_event, "lunette_next_event");
  FIND(error, "lunette_error");
  return library;
}

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* ---- an app, and waiting for what it does ---- */

static const char main_script[] =
    "local lunette = require 'lunette'\n"
    "local ok, err = pcall(require, 'lfs')\n"
    "assert(not ok and err:find('no C module', 1, true), err)\n"
    "assert(not pcall(package.loadlib, '/usr/lib/x86_64-linux-gnu/lua/5.4/lfs.so', '*'))\n"
    "assert(lunette.uv.os_environ().PATH == os.getenv 'PATH')\n"
    "assert(math.type(1 << 40) == 'integer')";

static const char page_script[] = "local ipc = require('lunette').ipcRenderer\n"
                                  "assert(ipc.invoke('double', 21):await() == 42)\n"
                                  "ipc.invoke('done'):await()\n"
                                  "ipc.on('echo', function(_, text) ipc.send('echo', #text) end)";

/* ["21"] as a number: twice as much is answered, or nothing. */
static LunetteHost *open_app(const Library *library) {
  LunetteFile files[] = {{"main.lua", main_script, sizeof main_script - 1},
                         {"page.lua", page_script, sizeof page_script - 1}};
  LunetteOptions options = {.size = sizeof options, .files = files, .file_count = 2};
  options.stop_signal = SIGURG;
  LunetteHost *host;
  if (library->open(&options, &host) != LUNETTE_OK) fail("open", library->error(host));
  library->handle_invokes(host, "double", NULL, NULL);
  library->handle_invokes(host, "done", NULL, NULL);
  return host;
}

static void answer(const Library *library, LunetteHost *host, const LunetteEvent *event) {
  char json[32];
  int size = snprintf(json, sizeof json, "[%d]", 2 * atoi(event->text + 1));
  library->reply(host, event->id, json, (size_t)size);
}

/* How much longer than usual this build may take. */
static double patience(void) {
  const char *deadline = getenv("LUNETTE_SPEC_DEADLINE");
  double times = deadline ? atof(deadline) / USUAL_DEADLINE_MS : 1;
  return times > 1 ? times : 1;
}

/* Answers until the event of the type comes, or an invoke of `channel`. */
static const LunetteEvent *await(const Library *library, LunetteHost *host, int type,
                                 const char *channel) {
  double end = now_ms() + patience() * USUAL_DEADLINE_MS;
  while (now_ms() < end) {
    const LunetteEvent *event = library->next_event(host);
    bool wanted = event->type == type && (!channel || strcmp(event->channel, channel) == 0);
    if (event->type == LUNETTE_EVENT_LOG) printf("log: %s\n", event->text);
    if (event->type == LUNETTE_EVENT_INVOKE) answer(library, host, event);
    if (wanted) return event;
    if (event->type != LUNETTE_EVENT_NONE) continue;
    library->wait(host, 100);
    library->pump(host, 2000);
  }
  fail("await", "not in time");
  return NULL;
}

/* A page asks and is answered. Returns its number. */
static int talk(const Library *library, LunetteHost *host) {
  int page = library->page_open(host, "page.lua", NULL);
  await(library, host, LUNETTE_EVENT_INVOKE, "done");
  return page;
}

static void talk_once(const Library *library) {
  LunetteHost *host = open_app(library);
  talk(library, host);
  library->close(host);
}

/* ---- modes ---- */

/* Another Lua, whose names everybody finds; it must work before and after. Its functions by the
 * names that all versions have. */
typedef struct OtherLua {
  void *(*newstate)(void);
  int (*loadstring)(void *, const char *);
  int (*pcall)(void *, int, int, int);
  int (*pcallk)(void *, int, int, int, intptr_t, void *);
  const char *(*tolstring)(void *, int, size_t *);
  void (*close)(void *);
} OtherLua;

static void run_other(const OtherLua *other) {
  void *L = other->newstate();
  if (!L || other->loadstring(L, "return 6 * 7") != 0) fail("other Lua", "load");
  int status = other->pcallk ? other->pcallk(L, 0, 1, 0, 0, NULL) : other->pcall(L, 0, 1, 0);
  if (status != 0 || strcmp(other->tolstring(L, -1, NULL), "42") != 0) fail("other Lua", "run");
  other->close(L);
}

static void beside_lua(const char *path, const char *other_path) {
  void *handle = dlopen(other_path, RTLD_NOW | RTLD_GLOBAL);
  if (!handle) fail(other_path, dlerror());
  OtherLua other = {0};
  *(void **)&other.newstate = find(handle, "luaL_newstate");
  *(void **)&other.loadstring = find(handle, "luaL_loadstring");
  *(void **)&other.pcall = dlsym(handle, "lua_pcall");
  *(void **)&other.pcallk = dlsym(handle, "lua_pcallk");
  *(void **)&other.tolstring = find(handle, "lua_tolstring");
  *(void **)&other.close = find(handle, "lua_close");
  run_other(&other);
  Library library = load(path);
  LunetteHost *host = open_app(&library);
  run_other(&other);
  talk(&library, host);
  run_other(&other);
  library.close(host);
  dlclose(library.handle);
  run_other(&other);
}

static void expect_gone(const Library *library) {
  LunetteHost *host = open_app(library);
  int page = talk(library, host);
  library->page_stop(host, page);
  printf("gone: %s\n", await(library, host, LUNETTE_EVENT_PAGE_GONE, NULL)->text);
  library->close(host);
}

static void on_child(int signal) {
  (void)signal;
  int error = errno;
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  errno = error;
}

/* The program ignores SIGCHLD, or reaps all children. */
static void with_signal(const char *path, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler}, now;
  sigaction(SIGCHLD, &action, NULL);
  Library library = load(path);
  expect_gone(&library);
  sigaction(SIGCHLD, NULL, &now);
  if (now.sa_handler != handler) fail("SIGCHLD", "changed");
  printf("the system %s\n", tells_of_reaped() ? "tells" : "does not tell");
}

/* The longest pump while pages are opened, in a program of this size. */
static void when_big(const char *path) {
  char *ballast = malloc(BIG);
  for (size_t i = 0; i < BIG; i += 4096) ballast[i] = (char)i;
  Library library = load(path);
  LunetteHost *host = open_app(&library);
  talk(&library, host); /* the first one starts the zygote */
  double best = 1e9;
  for (int i = 0; i < 10; i++) {
    double longest = 0, begun = now_ms();
    library.page_open(host, "page.lua", NULL);
    bool done = false;
    while (!done) {
      library.pump(host, 1000);
      double took = now_ms() - begun;
      if (took > longest) longest = took;
      const LunetteEvent *event;
      while ((event = library.next_event(host))->type != LUNETTE_EVENT_NONE) {
        if (event->type != LUNETTE_EVENT_INVOKE) continue;
        done = done || strcmp(event->channel, "done") == 0;
        answer(&library, host, event);
      }
      library.wait(host, 100);
      begun = now_ms();
    }
    if (longest < best) best = longest;
  }
  library.close(host);
  printf("%s\n", best < 1.5 * patience() ? "short" : "long");
  fprintf(stderr, "%.2f ms\n", best);
  free(ballast);
}

static int count_files(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

static bool is_mapped(void) {
  char line[512];
  bool mapped = false;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) mapped = mapped || strstr(line, "liblunette");
  fclose(maps);
  return mapped;
}

static void fork_once(void) {
  pid_t child = fork();
  if (child == 0) _exit(7);
  int status;
  if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7) fail("fork", "status");
}

static void again_and_again(const char *path) {
  int before = count_files();
  for (int i = 0; i < CYCLES; i++) {
    Library library = load(path);
    talk_once(&library);
    fork_once();
    dlclose(library.handle);
    if (is_mapped()) fail("dlclose", "the library is still mapped");
    fork_once();
    if (i == 0) before = count_files();
  }
  if (count_files() != before) fail("descriptors", "some are left");
}

/* What the library has handled does not call into it when it is gone. */
static void unload(const char *path) {
  static const char options[] = "{\"webPreferences\":{\"isolation\":\"thread\"}}";
  Library library = load(path);
  LunetteHost *host = open_app(&library);
  library.page_open(host, "page.lua", options);
  await(&library, host, LUNETTE_EVENT_INVOKE, "done");
  library.close(host);
  dlclose(library.handle);
  if (is_mapped()) fail("dlclose", "the library is still mapped");
  raise(SIGURG);
}

/* A page ends while 8 MiB are on their way to it; SIGPIPE would end the program. */
static void page_dies(const char *path) {
  Library library = load(path);
  LunetteHost *host = open_app(&library);
  int page = talk(&library, host);
  size_t size = 8 << 20;
  char *json = malloc(size);
  memset(json, 'x', size);
  memcpy(json, "[\"", 2);
  memcpy(json + size - 2, "\"]", 2);
  int status = library.send(host, page, "echo", json, size);
  library.page_stop(host, page);
  printf("sent: %d\n", status == LUNETTE_OK || status == LUNETTE_FULL);
  printf("gone: %s\n", await(&library, host, LUNETTE_EVENT_PAGE_GONE, NULL)->text);
  free(json);
  library.close(host);
}

int main(int argc, char **argv) {
  if (argc < 3) fail("usage", "program LIBRARY MODE [ARGUMENT]");
  const char *path = argv[1], *mode = argv[2];
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (strcmp(mode, "beside") == 0) beside_lua(path, argv[3]);
  if (strcmp(mode, "ignore") == 0) with_signal(path, SIG_IGN);
  if (strcmp(mode, "reap") == 0) with_signal(path, on_child);
  if (strcmp(mode, "big") == 0) when_big(path);
  if (strcmp(mode, "cycle") == 0) again_and_again(path);
  if (strcmp(mode, "dies") == 0) page_dies(path);
  if (strcmp(mode, "unload") == 0) unload(path);
  puts("done");
  return 0;
}
