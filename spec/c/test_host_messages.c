/* SPDX-License-Identifier: MIT
 * lunette.h: pages and messages, as JSON text and as Lua values; every result that there is. */
#include "embed.h"

#include <lauxlib.h>

static bool has_error(const LunetteHost *host, const char *part) {
  bool has = strstr(lunette_error(host), part) != NULL;
  if (!has) printf("error: %s\n", lunette_error(host));
  return has;
}

/* Opens the page of the host, and waits until it has loaded. */
static int load_page(LunetteHost *host) {
  int page = lunette_page_open(host, "page.lua", NULL);
  CHECK(page > 0);
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_LOADED)->page == page);
  return page;
}

/* ---- from pages, by events ---- */

static void test_messages(void) {
  LunetteHost *host = open_app(NULL, "local ipc = require('lunette').ipcRenderer\n"
                                     "ipc.send('greet', 'hé', nil, { 1, 2.5, { a = true } })\n"
                                     "ipc.send('greet')\n"
                                     "ipc.send('other', 1)\n"
                                     "ipc.send('last')");
  CHECK(lunette_on(host, "greet", NULL, NULL) == LUNETTE_OK);
  CHECK(lunette_on(host, "other", NULL, NULL) == LUNETTE_OK);
  CHECK(lunette_off(host, "other") == LUNETTE_OK);
  CHECK(lunette_on(host, "last", NULL, NULL) == LUNETTE_OK);
  int page = lunette_page_open(host, "page.lua", NULL);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_MESSAGE);
  CHECK(event->page == page && strcmp(event->channel, "greet") == 0 && event->channel_size == 5);
  CHECK(strcmp(event->text, "[\"hé\",null,[1,2.5,{\"a\":true}]]") == 0);
  CHECK(event->text_size == strlen(event->text));
  CHECK(await_text(host, LUNETTE_EVENT_MESSAGE, "[]"));
  CHECK(strcmp(await_event(host, LUNETTE_EVENT_MESSAGE)->channel, "last") == 0);
  CHECK(lunette_on(host, NULL, NULL, NULL) == LUNETTE_INVALID);
  CHECK(has_error(host, "the channel is missing"));
  CHECK(lunette_off(host, NULL) == LUNETTE_INVALID);
  CHECK(lunette_off(host, "never on") == LUNETTE_OK);
  lunette_close(host);
}

/* What JSON does not have. */
static void test_not_json(void) {
  LunetteHost *host = open_app(NULL, "local ipc = require('lunette').ipcRenderer\n"
                                     "ipc.send('bytes', '\\xff')\n"
                                     "ipc.send('bytes', 'ok')\n"
                                     "print(select(2, pcall(function()\n"
                                     "  ipc.invoke('ask', 0/0):await() end)))");
  lunette_on(host, "bytes", NULL, NULL);
  lunette_handle(host, "ask", NULL, NULL);
  lunette_page_open(host, "page.lua", NULL);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_LOG);
  CHECK(strstr(event->text, "could not encode argument 1") && event->status == LUNETTE_LOG_ERROR);
  CHECK(await_text(host, LUNETTE_EVENT_MESSAGE, "[\"ok\"]"));
  event = await_event(host, LUNETTE_EVENT_LOG);
  CHECK(strstr(event->text, "Error invoking remote method 'ask': could not encode argument 1"));
  lunette_close(host);
}

/* ---- questions of pages ---- */

static const char asker[] = "local ipc = require('lunette').ipcRenderer\n"
                            "local function show(...) print('answer', ...) end\n"
                            "for i = 1, 3 do ipc.invoke('ask', i):andThen(show, show) end";

static void test_invoke_events(void) {
  LunetteHost *host = open_app(NULL, asker);
  CHECK(lunette_handle(host, "ask", NULL, NULL) == LUNETTE_OK);
  CHECK(lunette_handle(host, "ask", NULL, NULL) == LUNETTE_FAILED);
  CHECK(has_error(host, "Attempted to register a second handler for 'ask'"));
  CHECK(lunette_handle(host, NULL, NULL, NULL) == LUNETTE_INVALID);
  lunette_page_open(host, "page.lua", NULL);
  int64_t ids[3];
  for (int i = 0; i < 3; i++) ids[i] = await_event(host, LUNETTE_EVENT_INVOKE)->id;
  CHECK(ids[0] != ids[1] && ids[1] != ids[2]);
  CHECK(reply_text(host, ids[0], "nonsense") == LUNETTE_FAILED && *lunette_error(host));
  CHECK(reply_text(host, ids[0], "{}") == LUNETTE_FAILED);
  CHECK(reply_text(host, ids[0], "[1, null, \"z\"]") == LUNETTE_OK);
  CHECK(reply_text(host, ids[0], "[1]") == LUNETTE_INVALID);
  CHECK(has_error(host, "no invoke waits for an answer under that number"));
  CHECK(lunette_reply(host, ids[1], NULL, 0) == LUNETTE_OK);
  CHECK(lunette_reply_error(host, ids[2], NULL) == LUNETTE_INVALID);
  CHECK(lunette_reply_error(host, ids[2], "no more") == LUNETTE_OK);
  CHECK(lunette_reply_error(host, ids[2], "no more") == LUNETTE_INVALID);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "answer\t1\tnil\tz"));
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "answer"));
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "answer\tError invoking remote method 'ask': no more"));
  lunette_close(host);
}

/* 1: answers; 2: answers with an error; 3: answers later. */
static void on_ask(void *data, LunetteHost *host, const LunetteEvent *event) {
  int64_t *later = data;
  CHECK(event->type == LUNETTE_EVENT_INVOKE && strcmp(event->channel, "ask") == 0);
  CHECK(event->page == 1 && *event->text == '[');
  if (event->text[1] == '1') CHECK(reply_text(host, event->id, "[10]") == LUNETTE_OK);
  if (event->text[1] == '2') CHECK(lunette_reply_error(host, event->id, "two") == LUNETTE_OK);
  if (event->text[1] == '3') *later = event->id;
}

static void test_invoke_callback(void) {
  int64_t later = 0;
  LunetteHost *host = open_app(NULL, asker);
  lunette_handle(host, "ask", on_ask, &later);
  lunette_page_open(host, "page.lua", NULL);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "answer\t10"));
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "answer\tError invoking remote method 'ask': two"));
  while (!later && lunette_wait(host, patience()) >= 0) lunette_pump(host, 1000);
  CHECK(reply_text(host, later, "[30]") == LUNETTE_OK);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "answer\t30"));
  lunette_close(host);
}

static void test_remove_handler(void) {
  LunetteHost *host = open_app(NULL, asker);
  lunette_handle(host, "ask", NULL, NULL);
  CHECK(lunette_remove_handler(host, NULL) == LUNETTE_INVALID);
  CHECK(lunette_remove_handler(host, "ask") == LUNETTE_OK);
  CHECK(lunette_remove_handler(host, "ask") == LUNETTE_OK);
  lunette_page_open(host, "page.lua", NULL);
  CHECK(await_text(host, LUNETTE_EVENT_LOG,
                   "answer\tError invoking remote method 'ask': No handler registered for 'ask'"));
  lunette_close(host);
}

/* The asker has gone when the answer comes. */
static void test_late_reply(void) {
  LunetteHost *host = open_app(NULL, asker);
  lunette_handle(host, "ask", NULL, NULL);
  int page = lunette_page_open(host, "page.lua", NULL);
  int64_t id = await_event(host, LUNETTE_EVENT_INVOKE)->id;
  CHECK(lunette_page_close(host, page) == LUNETTE_OK);
  await_event(host, LUNETTE_EVENT_PAGE_CLOSED);
  CHECK(reply_text(host, id, "[1]") == LUNETTE_OK);
  lunette_close(host);
}

/* ---- to pages ---- */

static const char listener[] = "local ipc = require('lunette').ipcRenderer\n"
                               "ipc.on('tick', function(_, ...) print('tick', ...) end)\n"
                               "ipc.handle('add', function(_, a, b) return a + b, nil, 'sum' end)\n"
                               "ipc.handle('fail', function() error({ message = 'oh' }) end)\n"
                               "ipc.handle('odd', function() return 0/0 end)\n"
                               "ipc.handle('never', function()\n"
                               "  require('lunette').sleep(1e6) end)";

static void test_send(void) {
  LunetteHost *host = open_app(NULL, listener);
  int first = lunette_page_open(host, "page.lua", NULL);
  CHECK(send_text(host, first, "tick", "[\"early\"]") == LUNETTE_OK); /* it waits for the page */
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "tick\tearly"));
  int second = load_page(host);
  CHECK(second == first + 1);
  CHECK(send_text(host, second, "tick", "[1,[2],null]") == LUNETTE_OK);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_LOG);
  CHECK(event->page == second && strncmp(event->text, "tick\t1\ttable: ", 14) == 0);
  CHECK(send_text(host, LUNETTE_ALL_PAGES, "tick", NULL) == LUNETTE_OK);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "tick"));
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "tick"));
  CHECK(send_text(host, 99, "tick", "[]") == LUNETTE_NO_PAGE);
  CHECK(has_error(host, "there is no page 99"));
  CHECK(send_text(host, first, "tick", "[") == LUNETTE_FAILED && *lunette_error(host));
  CHECK(send_text(host, first, "tick", "{\"a\":1}") == LUNETTE_FAILED);
  CHECK(send_text(host, first, NULL, "[]") == LUNETTE_INVALID);
  CHECK(send_text(host, first, "", "[]") == LUNETTE_OK);
  CHECK(lunette_page_stop(host, first) == LUNETTE_OK);
  await_event(host, LUNETTE_EVENT_PAGE_GONE);
  CHECK(send_text(host, first, "tick", "[]") == LUNETTE_NO_PAGE);
  CHECK(send_text(host, LUNETTE_ALL_PAGES, "tick", "[]") == LUNETTE_OK);
  CHECK(await_event(host, LUNETTE_EVENT_LOG)->page == second);
  lunette_close(host);
}

/* A page that does not read. */
static void test_full(void) {
  LunetteHost *host = open_app(NULL, "while true do end");
  int page = lunette_page_open(host, "page.lua", NULL), status = LUNETTE_OK, sent = 0;
  size_t size = 1 << 20;
  char *json = malloc(size);
  memset(json, 'x', size);
  memcpy(json, "[\"", 2);
  memcpy(json + size - 2, "\"]", 2);
  while (status == LUNETTE_OK && sent++ < 100)
    status = lunette_send(host, page, "large", json, size);
  CHECK(status == LUNETTE_FULL && sent >= 7 && sent <= 20);
  while (status == LUNETTE_FULL && sent++ < 400)
    status = lunette_send(host, page, "large", json, size);
  CHECK(status == LUNETTE_FAILED && *lunette_error(host));
  free(json);
  lunette_close(host);
}

static void test_invoke(void) {
  LunetteHost *host = open_app(NULL, listener);
  int page = load_page(host);
  int64_t id = lunette_invoke(host, page, "add", "[2,3]", 5);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_REPLY);
  CHECK(id > 0 && event->id == id && event->page == page && event->status == LUNETTE_OK);
  CHECK(strcmp(event->text, "[5,null,\"sum\"]") == 0 && strcmp(event->channel, "add") == 0);
  CHECK(lunette_invoke(host, page, "fail", NULL, 0) == id + 1);
  event = await_event(host, LUNETTE_EVENT_REPLY);
  CHECK(event->status == LUNETTE_FAILED && strstr(event->text, "'fail': oh"));
  lunette_invoke(host, page, "odd", NULL, 0);
  event = await_event(host, LUNETTE_EVENT_REPLY);
  CHECK(event->status == LUNETTE_FAILED && strstr(event->text, "could not encode result 1"));
  lunette_invoke(host, page, "nobody", NULL, 0);
  CHECK(strstr(await_event(host, LUNETTE_EVENT_REPLY)->text, "No handler registered"));
  CHECK(lunette_invoke(host, 99, "add", NULL, 0) == LUNETTE_NO_PAGE);
  CHECK(lunette_invoke(host, page, "add", "[", 1) == LUNETTE_FAILED);
  CHECK(lunette_invoke(host, page, NULL, NULL, 0) == LUNETTE_INVALID);
  id = lunette_invoke(host, page, "never", NULL, 0);
  lunette_page_stop(host, page);
  event = await_event(host, LUNETTE_EVENT_REPLY);
  CHECK(event->id == id && event->status == LUNETTE_FAILED);
  lunette_close(host);
}

/* ---- the main script ---- */

static void test_main_script(void) {
  LunetteHost *host = open_app("local lunette = require 'lunette'\n"
                               "lunette.ipcMain.on('to main', function(event, ...)\n"
                               "  assert(event.sender == nil)\n"
                               "  lunette.host.send('to engine', ...)\n"
                               "  print(lunette.host.invoke('ask', 5):await())\n"
                               "  print(select(2, lunette.host.invoke('nobody'):pawait()))\n"
                               "end)",
                               NULL);
  lunette_on(host, "to engine", NULL, NULL);
  lunette_handle(host, "ask", NULL, NULL);
  CHECK(send_text(host, LUNETTE_MAIN, "to main", "[1,\"two\"]") == LUNETTE_OK);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_MESSAGE);
  CHECK(event->page == LUNETTE_MAIN && strcmp(event->text, "[1,\"two\"]") == 0);
  event = await_event(host, LUNETTE_EVENT_INVOKE);
  CHECK(event->page == LUNETTE_MAIN && strcmp(event->text, "[5]") == 0);
  CHECK(reply_text(host, event->id, "[6]") == LUNETTE_OK);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "6"));
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "No handler registered for 'nobody'"));
  lunette_close(host);
}

/* ---- pages ---- */

static void test_pages(void) {
  LunetteHost *host = open_app(NULL, "print 'runs'");
  CHECK(lunette_page_open(host, NULL, NULL) == LUNETTE_INVALID);
  CHECK(lunette_page_open(host, "page.lua", "{\"widht\":1}") == LUNETTE_FAILED);
  CHECK(has_error(host, "widht"));
  CHECK(lunette_page_open(host, "page.lua", "[") == LUNETTE_FAILED);
  int page = load_page(host);
  CHECK(lunette_page_reload(host, page) == LUNETTE_OK);
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_LOADED)->page == page);
  CHECK(lunette_page_stop(host, page) == LUNETTE_OK);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_PAGE_GONE);
  CHECK(event->page == page && strcmp(event->text, "killed") == 0);
  CHECK(lunette_page_reload(host, page) == LUNETTE_OK);
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_LOADED)->page == page);
  CHECK(lunette_page_close(host, page) == LUNETTE_OK);
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_CLOSED)->page == page);
  CHECK(lunette_page_close(host, page) == LUNETTE_NO_PAGE);
  CHECK(lunette_page_reload(host, page) == LUNETTE_NO_PAGE && has_error(host, "no page 1"));
  CHECK(lunette_page_stop(host, page) == LUNETTE_NO_PAGE);
  lunette_close(host);
}

static void test_bad_pages(void) {
  LunetteHost *host = open_app(NULL, "x =");
  lunette_page_open(host, "missing.lua", NULL);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_PAGE_FAILED);
  CHECK(strstr(event->text, "no such file") && event->status == -6);
  lunette_page_open(host, "page.lua", NULL);
  event = await_event(host, LUNETTE_EVENT_PAGE_FAILED);
  CHECK(event->page == 2 && strstr(event->text, "page.lua:1:"));
  lunette_close(host);
}

static void test_endless_page(void) {
  LunetteHost *host =
      open_app(NULL, "local lunette = require 'lunette'\n"
                     "lunette.ipcRenderer.on('busy', function(_, ms)\n"
                     "  local now = lunette.process.hrtime\n"
                     "  local till = now() + ms * 1000000 while now() < till do end end)");
  int page =
      lunette_page_open(host, "page.lua", "{\"webPreferences\":{\"unresponsiveTimeout\":300}}");
  await_event(host, LUNETTE_EVENT_PAGE_LOADED);
  send_text(host, page, "busy", "[1500]");
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_UNRESPONSIVE)->page == page);
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_RESPONSIVE)->page == page);
  send_text(host, page, "busy", "[1000000]");
  CHECK(await_event(host, LUNETTE_EVENT_PAGE_UNRESPONSIVE)->page == page);
  CHECK(lunette_page_stop(host, page) == LUNETTE_OK);
  CHECK(await_text(host, LUNETTE_EVENT_PAGE_GONE, "killed"));
  lunette_close(host);
}

static void test_crashes(void) {
  LunetteHost *host = open_app(NULL, "local t = {} while true do t[#t + 1] = ('x'):rep(1e5) end");
  lunette_page_open(host, "page.lua", "{\"webPreferences\":{\"memoryLimit\":8000000}}");
  CHECK(await_text(host, LUNETTE_EVENT_PAGE_GONE, "oom"));
  lunette_close(host);
}

/* No executable to start renderers from. */
static void test_no_executable(void) {
  LunetteFile file = {"page.lua", "", 0};
  LunetteOptions options = {.size = sizeof options, .files = &file, .file_count = 1};
  options.executable = "/nowhere/lunette";
  LunetteHost *host;
  CHECK(lunette_open(&options, &host) == LUNETTE_OK);
  lunette_page_open(host, "page.lua", NULL);
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_PAGE_GONE);
  CHECK(strcmp(event->text, "launch-failed") == 0);
  lunette_close(host);
}

/* ---- Lua values ---- */

typedef struct Sum {
  int64_t total;
  int calls;
} Sum;

static int add(lua_State *L) {
  Sum *sum = lua_touserdata(L, lua_upvalueindex(1));
  sum->calls++;
  lua_getfield(L, 1, "sender"); /* of the event */
  lua_getfield(L, -1, "id");
  CHECK(lua_tointeger(L, -1) == 1);
  lua_Integer value = luaL_checkinteger(L, 2);
  sum->total += value;
  lua_pushinteger(L, sum->total);
  lua_pushlstring(L, "bytes \0\xff", 8);
  return 2;
}

static void test_handle_lua(void) {
  Sum sum = {0};
  LunetteHost *host = open_app(NULL, "local ipc = require('lunette').ipcRenderer\n"
                                     "print(ipc.invoke('add', 1 << 40):await())\n"
                                     "print(#select(2, ipc.invoke('add', 1):await()))\n"
                                     "print(select(2, ipc.invoke('add', {}):pawait()))");
  CHECK(lunette_handle_lua(host, "add", add, &sum) == LUNETTE_OK);
  CHECK(lunette_handle_lua(host, "add", add, &sum) == LUNETTE_FAILED);
  CHECK(lunette_handle_lua(host, NULL, add, &sum) == LUNETTE_INVALID);
  CHECK(lunette_handle_lua(host, "x", NULL, NULL) == LUNETTE_INVALID);
  lunette_page_open(host, "page.lua", NULL);
  CHECK(strncmp(await_event(host, LUNETTE_EVENT_LOG)->text, "1099511627776\tbytes ", 20) == 0);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "8"));
  CHECK(strstr(await_event(host, LUNETTE_EVENT_LOG)->text, "number expected, got table"));
  CHECK(sum.calls == 3 && sum.total == (1LL << 40) + 1);
  lunette_close(host);
}

static int register_function(lua_State *L) {
  int *called = lua_touserdata(L, 1);
  (*called)++;
  lua_pushinteger(L, 42);
  lua_setglobal(L, "answer");
  if (luaL_dostring(L, "assert(answer == 42) local lunette = require 'lunette'\n"
                       "lunette.spawn(function() lunette.sleep(1) print('later') end)") != LUA_OK)
    lua_error(L);
  return 0;
}

static int raise_error(lua_State *L) { return luaL_error(L, "of the engine's"); }

static int raise_table(lua_State *L) {
  lua_newtable(L);
  return lua_error(L);
}

static void test_call(void) {
  int called = 0;
  LunetteHost *host = open_app(NULL, NULL);
  CHECK(lunette_call(host, register_function, &called) == LUNETTE_OK && called == 1);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "later"));
  CHECK(lunette_call(host, raise_error, NULL) == LUNETTE_FAILED);
  CHECK(has_error(host, "of the engine's\nstack traceback:"));
  CHECK(lunette_call(host, raise_table, NULL) == LUNETTE_FAILED && has_error(host, "table: "));
  CHECK(lunette_call(host, NULL, NULL) == LUNETTE_INVALID);
  CHECK(has_error(host, "the function is missing"));
  CHECK(lua_gettop(lunette_state(host)) == 0);
  lunette_close(host);
}

static void test_send_lua(void) {
  LunetteHost *host = open_app(NULL, listener);
  int page = load_page(host);
  lua_State *L = lunette_state(host);
  lua_pushinteger(L, 7); /* stays */
  lua_pushnumber(L, 0.5);
  lua_pushboolean(L, 1);
  CHECK(lunette_send_lua(host, page, "tick", L, 2) == LUNETTE_OK && lua_gettop(L) == 1);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "tick\t0.5\ttrue"));
  CHECK(lunette_send_lua(host, page, "tick", L, 0) == LUNETTE_OK && lua_gettop(L) == 1);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "tick"));
  lua_State *thread = lua_newthread(L);
  lua_pushliteral(thread, "from a thread");
  CHECK(lunette_send_lua(host, page, "tick", thread, 1) == LUNETTE_OK && lua_gettop(thread) == 0);
  CHECK(await_text(host, LUNETTE_EVENT_LOG, "tick\tfrom a thread"));
  lua_pushcfunction(L, raise_error);
  CHECK(lunette_send_lua(host, page, "tick", L, 1) == LUNETTE_FAILED && lua_gettop(L) == 2);
  CHECK(has_error(host, "could not clone argument 1: a function cannot be sent"));
  CHECK(lunette_send_lua(host, page, NULL, L, 0) == LUNETTE_INVALID);
  CHECK(lunette_send_lua(host, page, "tick", NULL, 0) == LUNETTE_INVALID);
  CHECK(lunette_send_lua(host, page, "tick", L, -1) == LUNETTE_INVALID);
  lua_settop(L, 0);
  lua_pushnil(L);
  CHECK(lunette_send_lua(host, 99, "tick", L, 1) == LUNETTE_NO_PAGE && lua_gettop(L) == 0);
  lunette_close(host);
}

static void test(void) {
  test_messages();
  test_not_json();
  test_invoke_events();
  test_invoke_callback();
  test_remove_handler();
  test_late_reply();
  test_send();
  test_full();
  test_invoke();
  test_main_script();
  test_pages();
  test_bad_pages();
  test_endless_page();
  test_crashes();
  test_no_executable();
  test_handle_lua();
  test_call();
  test_send_lua();
}

int main(int argc, char **argv) {
  int status = lunette_child_main(argc, argv);
  return status >= 0 ? status : run_test(test);
}
