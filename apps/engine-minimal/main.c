/* SPDX-License-Identifier: MIT
 * An engine in 60 lines: a host, a handler, a page that asks, and frames. */
#include <lunette.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MOST = 1000, FRAME_MS = 16, BUDGET_US = 2000, ASKED = 3 };

/* The world: where the creature stands. */
typedef struct World {
  int x;
  int asked;
} World;

/* A page moves its creature: invoke("move", dx) answers the new place. */
static void on_move(void *data, LunetteHost *host, const LunetteEvent *event) {
  World *world = data;
  char json[32];
  world->x += atoi(event->text + 1); /* behind the bracket of [dx] */
  world->asked++;
  int size = snprintf(json, sizeof json, "[%d]", world->x);
  lunette_reply(host, event->id, json, (size_t)size);
}

/* Tells what happened in this frame. Returns whether the page is well. */
static int show_events(LunetteHost *host) {
  const LunetteEvent *event;
  while ((event = lunette_next_event(host))->type != LUNETTE_EVENT_NONE) {
    if (event->type == LUNETTE_EVENT_LOG) printf("page %d: %s\n", event->page, event->text);
    if (event->type == LUNETTE_EVENT_PAGE_GONE || event->type == LUNETTE_EVENT_PAGE_FAILED) {
      fprintf(stderr, "page %d: %s\n", event->page, event->text);
      return 0;
    }
  }
  return 1;
}

int main(int argc, char **argv) {
  int status = lunette_child_main(argc, argv);
  if (status >= 0) return status; /* this process was started as a renderer */
  World world = {0, 0};
  LunetteHost *host;
  LunetteOptions options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.app = argc > 1 ? argv[1] : "apps/engine-minimal";
  options.flags = LUNETTE_CALLS_CHILD_MAIN;
  if (lunette_open(&options, &host) != LUNETTE_OK) {
    fprintf(stderr, "%s\n", lunette_error(host));
    lunette_close(host);
    return 1;
  }
  lunette_handle(host, "move", on_move, &world);
  int frame = 0, well = lunette_page_open(host, "creature.lua", NULL) > 0;
  while (well && world.asked < ASKED && frame++ < FRAMES_MOST) {
    lunette_pump(host, BUDGET_US);
    well = show_events(host);
    lunette_wait(host, FRAME_MS); /* an engine would draw here */
  }
  printf("the creature stands at %d\n", world.x);
  lunette_close(host);
  return world.asked == ASKED ? 0 : 1;
}
