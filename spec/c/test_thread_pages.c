/* SPDX-License-Identifier: MIT
 * Pages that are threads of a program: what they must not do to it, how they are stopped with and
 * without a signal, and that a host can be closed whatever they do. */
#include "embed.h"

#include <signal.h>

/* The thread sanitizer keeps signals back from code that never calls anything. */
#ifdef __SANITIZE_THREAD__
enum { SIGNAL = 0 };
#else
enum { SIGNAL = SIGURG };
#endif

#define OPEN                                                                                       \
  "local lunette = require 'lunette'\n"                                                            \
  "lunette.app.whenReady():await()\n"                                                              \
  "local preferences = { isolation = 'thread', sandbox = false }\n"                                \
  "local win = lunette.BrowserWindow.new { webPreferences = preferences }\n"                       \
  "win:loadFile('page.lua')\n"

static LunetteHost *open_page(const char *main, const char *page, int number) {
  LunetteFile files[] = {{"main.lua", main, strlen(main)}, {"page.lua", page, strlen(page)}};
  LunetteOptions options = {
      .size = sizeof options, .files = files, .file_count = 2, .stop_signal = number};
  LunetteHost *host;
  if (!CHECK(lunette_open(&options, &host) == LUNETTE_OK)) printf("%s\n", lunette_error(host));
  return host;
}

/* The status that the app ends with; -1 after the deadline. */
static int await_quit(LunetteHost *host) {
  const LunetteEvent *event = await_event(host, LUNETTE_EVENT_QUIT);
  return event->type == LUNETTE_EVENT_QUIT ? event->status : -1;
}

static void test_refusals(void) {
  LunetteHost *host = open_page(
      OPEN "lunette.ipcMain.on('found', function(_, ...)\n"
           "  lunette.app.exit(select('#', ...))\n"
           "end)",
      "local lunette, found = require 'lunette', {}\n"
      "local function refused(name, ...)\n"
      "  local ok, err = pcall(...)\n"
      "  if ok or not tostring(err):find 'not inside a program' then found[#found + 1] = name end\n"
      "end\n"
      "refused('locale', os.setlocale, 'C')\n"
      "refused('folder', lunette.process.chdir, '/')\n"
      "refused('luv', lunette.uv.chdir, '/')\n"
      "if not os.setlocale() then found[#found + 1] = 'asking' end\n"
      "lunette.ipcRenderer.send('found', table.unpack(found))",
      0);
  CHECK(await_quit(host) == 0);
  lunette_close(host);
}

static void test_stop(int number) {
  LunetteHost *host =
      open_page(OPEN "win.webContents:on('render-process-gone', function(_, details)\n"
                     "  lunette.app.exit(details.reason == 'killed' and 7 or 1)\n"
                     "end)\n"
                     "win.webContents:once('dom-ready', function()\n"
                     "  lunette.sleep(20)\n"
                     "  win.webContents:forcefullyCrashRenderer()\n"
                     "end)",
                "require('lunette').setTimeout(function() while true do end end, 0)", number);
  CHECK(await_quit(host) == 7);
  lunette_close(host);
}

static void test_close(int number) {
  struct sigaction before, after;
  sigaction(SIGURG, NULL, &before);
  LunetteHost *host =
      open_page(OPEN, "while true do pcall(function() while true do end end) end", number);
  for (double end = now_ms() + 50; now_ms() < end;) {
    lunette_pump(host, 1000);
    lunette_wait(host, 5);
  }
  double begun = now_ms();
  lunette_close(host);
  CHECK(now_ms() - begun < 900); /* it was stopped, not given up */
  sigaction(SIGURG, NULL, &after);
  CHECK(number != 0 || before.sa_sigaction == after.sa_sigaction);
}

/* ---- the spare thread ---- */

static bool is_page(const char *task) {
  char path[64], name[32] = "";
  snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", task);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  bool is_read = fgets(name, sizeof name, file) != NULL;
  fclose(file);
  return is_read && strcmp(name, "lunette-page\n") == 0;
}

static int count_pages(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/task");
  for (struct dirent *entry; (entry = readdir(folder));) count += is_page(entry->d_name);
  closedir(folder);
  return count;
}

/* It ends with its host, also where it has only begun; and each host has its own. */
static void test_spare(int number, bool await_spare) {
  const char *main = "local lunette = require 'lunette'\n"
                     "lunette.app.whenReady():await()\n"
                     "local preferences = { isolation = 'thread' }\n"
                     "lunette.BrowserWindow.new({ webPreferences = preferences })\n"
                     "  :loadFile('page.lua')\n";
  LunetteHost *hosts[2];
  for (int i = 0; i < 2; i++) {
    hosts[i] = open_page(main, "", number);
    CHECK(await_event(hosts[i], LUNETTE_EVENT_PAGE_LOADED)->type != LUNETTE_EVENT_NONE);
  }
  for (double end = now_ms() + patience(); await_spare && count_pages() < 4;) {
    bool is_late = now_ms() > end;
    if (is_late && !CHECK(!is_late)) break;
    for (int i = 0; i < 2; i++) lunette_pump(hosts[i], 1000);
  }
  lunette_close(hosts[0]);
  if (await_spare) CHECK(count_pages() == 2);
  lunette_close(hosts[1]);
  CHECK(count_pages() == 0);
}

static void test_all(void) {
  test_refusals();
  test_stop(0);
  test_stop(SIGNAL);
  test_close(0);
  test_close(SIGNAL);
  test_spare(0, true);
  test_spare(SIGNAL, true);
  test_spare(SIGNAL, false);
}

int main(void) { return run_test(test_all); }
