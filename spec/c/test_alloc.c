/* SPDX-License-Identifier: MIT
 * What happens when memory runs short: a scenario runs again and again, each time with another one
 * of its allocations failing, until none does. Nothing may crash, hang or leak.
 *
 * The runtime's objects are linked with their calls of malloc and the like renamed to those below;
 * Lua's allocator is among them, libuv's and luv's own are not, as they end the process by design.
 * `test_alloc all` lets every allocation fail in turn; without it a part of them does. */
#include "host.h"

#include "ipc/link.h"
#include "lunette.h"
#include "vm/entry.h"
#include "vm/loader.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  SAMPLES = 60, /* of the allocations of a scenario, each way; spread evenly */
  ONE = 1,      /* fails once: Lua collects garbage and tries again */
  TWO = 2,      /* and its second try */
  MANY = 5,     /* and the first things that tell of it */
  ALL = 1 << 30,
};

/* Which allocations fail, and what there was. A page on a thread has a part in both. */
static struct {
  atomic_bool armed;
  atomic_long seen; /* allocations since it was armed */
  long first, count;
  atomic_long live; /* blocks */
} plan;

static bool fails(void) {
  if (!plan.armed) return false;
  long number = plan.seen++;
  return number >= plan.first && number - plan.first < plan.count;
}

void *failing_malloc(size_t size);
void *failing_calloc(size_t count, size_t size);
void *failing_realloc(void *block, size_t size);
char *failing_strdup(const char *text);
void failing_free(void *block);

void *failing_malloc(size_t size) {
  void *block = fails() ? NULL : malloc(size);
  if (block) plan.live++;
  return block;
}

void *failing_calloc(size_t count, size_t size) {
  void *block = fails() ? NULL : calloc(count, size);
  if (block) plan.live++;
  return block;
}

void *failing_realloc(void *old, size_t size) {
  void *block = fails() ? NULL : realloc(old, size);
  if (block && !old) plan.live++;
  return block;
}

char *failing_strdup(const char *text) {
  char *copy = failing_malloc(strlen(text) + 1);
  return copy ? strcpy(copy, text) : NULL;
}

void failing_free(void *block) {
  if (block) plan.live--;
  free(block);
}

/* lua-cjson leaks its buffers when Lua raises while it decodes, or while it is opened. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) { return "leak:strbuf_"; }

/* A scenario: returns whether all came as it should, and whether it did or not, what it made it has
 * freed. */
typedef struct Scenario {
  const char *name;
  bool (*run)(void);
  long most; /* that may fail in a row, for it to come to an end */
} Scenario;

/* The address sanitizer's look for leaks keeps a renderer from being killed at once. */
static void await_children(void) {
#ifdef __SANITIZE_ADDRESS__
  while (waitpid(-1, NULL, 0) > 0) continue;
#endif
}

static long arm(const Scenario *scenario, long first, long count, bool *done) {
  plan.first = first;
  plan.count = count;
  plan.seen = 0;
  plan.armed = true;
  alarm(60); /* what hangs is killed */
  *done = scenario->run();
  await_children();
  alarm(0);
  plan.armed = false;
  return plan.seen;
}

/* Lets one allocation after another fail, `count` in a row each time. */
static void sweep(const Scenario *scenario, long count, bool all) {
  bool done;
  long total = arm(scenario, 0, 0, &done), live = plan.live, bad = 0;
  long step = all ? 1 : total / SAMPLES + 1;
  int fds = count_fds();
  CHECK(done && total > 0);
  for (long first = 0; first < total; first += step) {
    arm(scenario, first, count, &done);
    if (!done) bad++;
    if (!CHECK(plan.live <= live) || !CHECK(count_fds() == fds) || !CHECK(!has_children())) {
      printf("%s: %ld of %ld, %ld in a row\n", scenario->name, first, total, count);
      live = plan.live, fds = count_fds();
    }
  }
  arm(scenario, 0, 0, &done);
  CHECK(done);
  CHECK(count == ONE || bad > 0);
  const char *which = count == ONE ? "one" : count == TWO ? "two" : count == ALL ? "all" : "some";
  printf("%s: %ld allocations; %s failed, from each %ld. on: %ld times it gave up\n",
         scenario->name, total, which, step, bad);
}

/* ---- boot ---- */

static const char *executable;

/* Runs the code as an app, whose exit status must be 7; with `booted`, only what follows its main
 * script may lack memory. */
static bool run_host(const char *code, bool booted) {
  char *argv[] = {(char *)executable, (char *)"code", NULL};
  LunetteOptions options = {
      .size = sizeof options, .code = code, .argc = 2, .argv = argv, .flags = LUNETTE_STANDALONE};
  LunetteHost *host = NULL;
  plan.armed = !booted;
  int status = lunette_open(&options, &host);
  plan.armed = true;
  if (status == LUNETTE_NO_APP) CHECK(*lunette_error(host));
  CHECK((host == NULL) == (status == LUNETTE_NO_MEMORY));
  bool done = status == LUNETTE_OK && lunette_run(host) == 7;
  lunette_close(host);
  return done;
}

static bool run_boot(void) { return run_host("require('lunette').app.exit(7)", false); }

/* ---- a host inside a program, which talks with its main script ---- */

static const char embedded[] = "local lunette = require 'lunette'\n"
                               "lunette.ipcMain.on('to main', function(_, n)\n"
                               "  lunette.host.send('to program', n)\n"
                               "  lunette.host.invoke('double', n):andThen(function(m) "
                               "lunette.host.send('to program', m) end)\n"
                               "end)";

static void on_double(void *data, LunetteHost *host, const LunetteEvent *event) {
  (void)data;
  if (lunette_reply(host, event->id, "[42]", 4) != LUNETTE_OK)
    lunette_reply_error(host, event->id, "no memory");
}

/* How many of the messages came that are to come. */
static int talk_with_program(LunetteHost *host) {
  enum { TURNS = 20 };
  int count = 0;
  lunette_on(host, "to program", NULL, NULL);
  lunette_handle(host, "double", on_double, NULL);
  lunette_send(host, LUNETTE_MAIN, "to main", "[21]", 4);
  lunette_post(host, LUNETTE_MAIN, "to main", "[21]", 4);
  for (int i = 0; i < TURNS; i++) {
    const LunetteEvent *event;
    lunette_pump(host, 0);
    while ((event = lunette_next_event(host))->type != LUNETTE_EVENT_NONE)
      if (event->type == LUNETTE_EVENT_MESSAGE) count++;
  }
  return count;
}

/* Lua's memory, too, may be short. */
static void *allocate(void *data, void *block, size_t old_size, size_t new_size) {
  (void)data, (void)old_size;
  if (new_size > 0) return failing_realloc(block, new_size);
  failing_free(block);
  return NULL;
}

static bool run_embedded(void) {
  LunetteOptions options = {.size = sizeof options, .code = embedded, .allocate = allocate};
  LunetteHost *host;
  int status = lunette_open(&options, &host);
  if (status == LUNETTE_NO_APP) CHECK(*lunette_error(host));
  CHECK((host == NULL) == (status == LUNETTE_NO_MEMORY));
  bool done = status == LUNETTE_OK && talk_with_program(host) == 4;
  lunette_close(host);
  return done;
}

/* ---- a window: spawn, and messages both ways, with a string that a thread lends ---- */

static const char window[] =
    "local lunette = require 'lunette'\n"
    "local app, BrowserWindow, ipcMain = lunette.app, lunette.BrowserWindow, lunette.ipcMain\n"
    "lunette.setTimeout(function() app.exit(1) end, 10000)\n"
    "lunette.process.on('uncaughtException', function() app.exit(2) end)\n"
    "lunette.process.on('unhandledRejection', function() app.exit(3) end)\n"
    "app.on('render-process-gone', function() app.exit(4) end)\n"
    "ipcMain.handle('double', function(_, n, text) return 2 * n, text end)\n"
    "ipcMain.on('end', function() app.exit(7) end)\n"
    "app.whenReady():andThen(function()\n"
    "  local preferences = { sandbox = false, isolation = ISOLATION }\n"
    "  local win = BrowserWindow.new { webPreferences = preferences }\n"
    "  win:loadFile(PAGE):catch(function() app.exit(5) end)\n"
    "end)\n";

/* It ends when memory is too short for what it says, as nobody would hear of it then. */
static const char page[] = "if not pcall(function()\n"
                           "  local ipc = require('lunette').ipcRenderer\n"
                           "  local large = ('x'):rep(1 << 16)\n"
                           "  local n, text = ipc.invoke('double', 21, large):await()\n"
                           "  assert(n == 42 and text == large)\n"
                           "  ipc.send('end')\n"
                           "end) then os.exit(1) end\n";

static char page_path[64];

static bool run_page(const char *isolation) {
  char code[sizeof window + 200];
  snprintf(code, sizeof code, "local PAGE, ISOLATION = '%s', '%s'\n%s", page_path, isolation,
           window);
  return run_host(code, true);
}

static bool run_window(void) { return run_page("process"); }

/* With its page, whose memory may be short too, in this process. */
static bool run_thread(void) { return run_page("thread"); }

/* ---- a renderer's modules ---- */

static int load_renderer(lua_State *L) {
  loader_import(L, "renderer.boot");
  return 0;
}

static bool run_renderer(void) {
  Loop *loop = loop_new();
  State *state = loop ? state_new(loop) : NULL;
  bool done = state && loop_start(loop) == 0;
  if (done) {
    lua_pushcfunction(state->L, load_renderer);
    done = lua_pcall(state->L, 0, 0, 0) == LUA_OK;
  }
  state_free(state);
  loop_free(loop);
  return done;
}

/* ---- encode, decode, dispatch ---- */

/* Called with the runtime's import: returns talk(fd, fd), which lets two ends talk to each other,
 * and outcome(), whether all was said. */
static const char script[] =
    "local import = ...\n"
    "local Peer = import 'common.peer'\n"
    "local event = import 'common.event'\n"
    "local Promise = import('common.promise').Promise\n"
    "local report = import 'common.report'\n"
    "local function ignore() end\n"
    "report.warn, report.on_uncaught, report.on_unhandled = ignore, ignore, ignore\n"
    "local main, page, said\n"
    "local function say() said = said + 1 end\n"
    "local function close() main.peer:close 'gone' page.peer:close 'gone' end\n"
    "local handlers = {\n"
    "  echo = function(_, ...) return ... end,\n"
    "  bad = function() error({ message = 'no', code = 7 }) end,\n"
    "  later = function(_, n) Promise.resolve():await() return n end,\n"
    "}\n"
    "local listeners = {\n"
    "  note = { say },\n"
    "  bye = { function() say() close() end },\n"
    "}\n"
    "local routes = {\n"
    "  handlers = { handlers }, listeners = { listeners },\n"
    "  event = event.kind({}, {})(), sync_event = event.kind({}, {}, ignore)(),\n"
    "}\n"
    "local Owner = { _routes = routes, _internal = {}, _on_message = ignore, _on_sync = ignore }\n"
    "Owner.__index = Owner\n"
    "Owner._on_gone = close\n"
    "local function ask(peer, ...)\n"
    "  peer:ask(...):andThen(say, say)\n"
    "end\n"
    "local value = { name = 'n', list = { 1, 2.5, 'x' }, deep = { { {} } } }\n"
    "value.again = value.list\n"
    "function Owner:_on_boot()\n"
    "  for _, channel in ipairs { 'echo', 'bad', 'later', 'nobody' } do\n"
    "    ask(self.peer, channel, 1, value)\n"
    "  end\n"
    "  self.peer:send(0, 'note', value, nil)\n"
    "  self.peer:ask('echo'):andThen(function() self.peer:send(0, 'bye') end, close)\n"
    "end\n"
    "local function talk(json, first, second)\n"
    "  said = 0\n"
    "  main, page = setmetatable({}, Owner), setmetatable({}, Owner)\n"
    "  main.peer, page.peer = Peer.new('main', main, 'page'), Peer.new('peer', page, 'main')\n"
    "  for _, owner in ipairs { main, page } do\n"
    "    owner.peer:configure { codec = json == 1 and 'json' or 'clone', limits = {} }\n"
    "  end\n"
    "  assert(main.peer:boot {})\n"
    "  assert(main.peer:connect(first))\n"
    "  page.peer:greet(second)\n"
    "end\n"
    "local function outcome() return said == 6 end\n"
    "local function stop() if main and page then close() end end\n"
    "return talk, outcome, stop\n";

static State *state;
static int talk, outcome, stop; /* references */

static int load_script(lua_State *L) {
  if (luaL_loadstring(L, script) != LUA_OK) lua_error(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "lunette.import");
  lua_call(L, 1, 3);
  stop = luaL_ref(L, LUA_REGISTRYINDEX);
  outcome = luaL_ref(L, LUA_REGISTRYINDEX);
  talk = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* Calls one of the script's functions with three numbers; false also when it raised. */
static bool call(int function, int json, const int *pair) {
  lua_State *L = state->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  lua_pushinteger(L, json);
  for (int i = 0; i < 2; i++) lua_pushinteger(L, pair[i]);
  entry_enter(state);
  bool done = lua_pcall(L, 3, 1, 0) == LUA_OK;
  bool result = done && lua_toboolean(L, -1);
  lua_pop(L, 1);
  entry_leave(state);
  return result;
}

/* Both ends say what they have to, while memory may be short. Then all is closed. */
static bool run_talk(int json) {
  enum { TURNS = 200 };
  int pair[2] = {-1, -1};
  plan.armed = false;
  Loop *loop = loop_new();
  CHECK(loop && loop_start(loop) == 0);
  state = state_new(loop);
  lua_pushcfunction(state->L, load_script);
  CHECK(lua_pcall(state->L, 0, 0, 0) == LUA_OK);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  plan.armed = true;
  call(talk, json, pair);
  for (int i = 0; i < TURNS; i++) uv_run(&loop->uv, UV_RUN_NOWAIT);
  plan.armed = false;
  bool done = call(outcome, 0, pair);
  call(stop, 0, pair);
  loop_run(loop); /* nothing keeps it running */
  CHECK(lua_gettop(state->L) == 0);
  state_free(state);
  loop_free(loop);
  for (int i = 0; i < 2; i++)
    if (fcntl(pair[i], F_GETFD) >= 0) close(pair[i]); /* no link had it yet */
  return done;
}

static bool run_clone_talk(void) { return run_talk(0); }

static bool run_json_talk(void) { return run_talk(1); }

/* ---- */

static const Scenario scenarios[] = {
    {"talk", run_clone_talk, ALL},   {"talk in JSON", run_json_talk, ALL},
    {"boot", run_boot, ALL},         {"renderer", run_renderer, ALL},
    {"embedded", run_embedded, ALL}, {"window", run_window, MANY},
    {"thread", run_thread, MANY},
};

static bool sweep_all;
static const char *only;

static void test(void) {
  strcpy(page_path, "/tmp/lunette-alloc-XXXXXX");
  int fd = mkstemp(page_path);
  CHECK(write(fd, page, strlen(page)) == (ssize_t)strlen(page));
  close(fd);
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    if (only && strcmp(only, scenarios[i].name) != 0) continue;
    sweep(&scenarios[i], ONE, sweep_all);
    sweep(&scenarios[i], TWO, sweep_all);
    sweep(&scenarios[i], scenarios[i].most, sweep_all);
  }
  unlink(page_path);
}

int main(int argc, char **argv) {
  int status = lunette_child_main(argc, argv);
  if (status >= 0) return status;
  executable = argv[0];
  sweep_all = argc > 1 && strcmp(argv[1], "all") == 0;
  only = argc > 2 ? argv[2] : NULL;
  return run_test(test);
}
