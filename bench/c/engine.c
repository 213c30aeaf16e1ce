/* SPDX-License-Identifier: MIT
 * What a host costs a program with frames of its own: engine idle | flood | collect. */
#include "bench.h"

#include <lunette.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
  IDLE_ROUNDS = 2000,
  IDLE_PUMPS = 100, /* in a round, measured as one */
  FLOODERS = 8,
  FLOOD_FRAMES = 600,
  BUDGET_US = 2000,
  FRAME_US = 8000,
  COLLECT_FRAMES = 3000,
};

static LunetteHost *open_app(const char *code, const char *page) {
  LunetteFile file = {.path = "page.lua", .data = page, .size = page ? strlen(page) : 0};
  LunetteOptions options = {.size = sizeof options,
                            .code = code,
                            .files = page ? &file : NULL,
                            .file_count = page ? 1 : 0,
                            .flags = LUNETTE_CALLS_CHILD_MAIN};
  LunetteHost *host;
  if (lunette_open(&options, &host) != LUNETTE_OK) die(lunette_error(host));
  return host;
}

static void await_loaded(LunetteHost *host, int count) {
  while (count > 0) {
    const LunetteEvent *event = lunette_next_event(host);
    if (event->type == LUNETTE_EVENT_PAGE_LOADED) count--;
    if (event->type == LUNETTE_EVENT_LOG) fprintf(stderr, "%s\n", event->text);
    if (event->type != LUNETTE_EVENT_NONE) continue;
    lunette_wait(host, 1000);
    lunette_pump(host, BUDGET_US);
  }
}

/* An app with a page, a timer and nothing to do. */
static void measure_idle(void) {
  LunetteHost *host = open_app("require('lunette').setTimeout(print, 1e8)", "");
  lunette_page_open(host, "page.lua", NULL);
  await_loaded(host, 1);
  double start = now_us();
  while (now_us() - start < 100000) lunette_pump(host, BUDGET_US);
  int rounds = scaled(IDLE_ROUNDS);
  double *samples = new_samples(rounds);
  for (int i = 0; i < rounds; i++) {
    double begun = now_us();
    for (int j = 0; j < IDLE_PUMPS; j++) lunette_pump(host, BUDGET_US);
    samples[i] = (now_us() - begun) / IDLE_PUMPS;
  }
  emit_samples("pump_idle_us", samples, rounds);
  lunette_close(host);
}

/* ---- a flood ---- */

/* Milliseconds of the processor that this thread has used: what a busy machine adds is not
 * the pump's. */
static double processor_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* Sends as much as it may, and waits while the engine cannot keep up. */
static const char flooder[] = "local ipc = require('lunette').ipcRenderer\n"
                              "ipc.on('go', function()\n"
                              "  while true do\n"
                              "    if not ipc.send('n', 1, 'some text') then\n"
                              "      ipc.drained():await() end\n"
                              "  end\n"
                              "end)";

/* How many messages of each page came. */
typedef struct Flood {
  double messages[FLOODERS + 1];
} Flood;

static void on_message(void *data, LunetteHost *host, const LunetteEvent *event) {
  (void)host;
  ((Flood *)data)->messages[event->page]++;
}

static void sleep_us(double us) {
  struct timespec time = {.tv_nsec = us > 0 ? (long)(us * 1000) : 0};
  nanosleep(&time, NULL);
}

static void emit_fairness(const Flood *flood) {
  double least = flood->messages[1], sum = 0;
  for (int i = 1; i <= FLOODERS; i++) {
    if (flood->messages[i] < least) least = flood->messages[i];
    sum += flood->messages[i];
  }
  emit("flood_fairness", sum > 0 ? least / (sum / FLOODERS) : 0);
}

static void measure_flood(void) {
  Flood flood = {{0}};
  LunetteHost *host = open_app(NULL, flooder);
  lunette_on(host, "n", on_message, &flood);
  for (int i = 0; i < FLOODERS; i++) lunette_page_open(host, "page.lua", NULL);
  await_loaded(host, FLOODERS);
  lunette_send(host, LUNETTE_ALL_PAGES, "go", NULL, 0);
  int frames = scaled(FLOOD_FRAMES);
  double *samples = new_samples(frames), worst = 0, worst_cpu = 0;
  for (int i = -frames / 10; i < frames; i++) {
    double begun = now_us(), cpu = processor_ms();
    lunette_pump(host, BUDGET_US);
    double took = now_us() - begun;
    cpu = processor_ms() - cpu;
    while (lunette_next_event(host)->type != LUNETTE_EVENT_NONE) continue;
    sleep_us(FRAME_US - (now_us() - begun));
    if (i < 0) continue;
    samples[i] = took / 1000;
    if (took / 1000 > worst) worst = took / 1000;
    if (cpu > worst_cpu) worst_cpu = cpu;
  }
  emit_samples("flood_pump_ms", samples, frames);
  emit("flood_pump_worst_ms", worst);
  emit("flood_pump_worst_cpu_ms", worst_cpu);
  emit_fairness(&flood);
  lunette_close(host);
}

/* ---- the collector ---- */

/* 50 MB that live, and some 0.4 MB of garbage in each frame. */
static const char hoarder[] =
    "local live = {}\n"
    "local function fill(n) local t = {} for i = 1, n do t[i] = { x = i, y = {} } end return t "
    "end\n"
    "for i = 1, 290 do live[i] = fill(1000) end\n"
    "local frame = 0\n"
    "local lunette = require 'lunette'\n"
    "lunette.ipcMain.on('frame', function()\n"
    "  frame = frame + 1\n"
    "  live[frame % #live + 1][frame % 1000 + 1] = fill(1)[1]\n"
    "  local garbage = fill(2000)\n"
    "end)\n"
    "lunette.ipcMain.on('size', function()\n"
    "  lunette.host.send('size', lunette.process.memoryUsage().heap >> 20) end)";

static void on_size(void *data, LunetteHost *host, const LunetteEvent *event) {
  (void)host;
  double size = 0;
  if (sscanf(event->text, "[%lf]", &size) == 1 && size > *(double *)data) *(double *)data = size;
}

/* The work of a frame is done by lunette_send. What the pump does then is the collector's. */
static void measure_collector(void) {
  double largest = 0, worst = 0;
  LunetteHost *host = open_app(hoarder, NULL);
  lunette_on(host, "size", on_size, &largest);
  lunette_send(host, LUNETTE_MAIN, "size", NULL, 0);
  emit("collect_live_mib", largest);
  int frames = scaled(COLLECT_FRAMES);
  double *samples = new_samples(frames);
  for (int i = 0; i < frames; i++) {
    lunette_send(host, LUNETTE_MAIN, "frame", NULL, 0);
    double begun = processor_ms();
    lunette_pump(host, BUDGET_US);
    samples[i] = processor_ms() - begun;
    if (samples[i] > worst) worst = samples[i];
    if (i % 10 == 0) lunette_send(host, LUNETTE_MAIN, "size", NULL, 0);
  }
  emit_samples("collect_frame_ms", samples, frames);
  emit("collect_worst_ms", worst);
  emit("collect_peak_mib", largest);
  lunette_close(host);
}

int main(int argc, char **argv) {
  int status = lunette_child_main(argc, argv);
  if (status >= 0) return status;
  const char *mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "idle") == 0) measure_idle();
  else if (strcmp(mode, "flood") == 0) measure_flood();
  else if (strcmp(mode, "collect") == 0) measure_collector();
  else die("usage: engine idle | flood | collect");
  return 0;
}
