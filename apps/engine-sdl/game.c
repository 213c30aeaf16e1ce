/* SPDX-License-Identifier: MIT
 * The game: creatures that move as their scripts say, each script in a renderer of its own. */
#include "game.h"

#include <lunette_lua.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
  BUDGET_US = 2000, /* of a frame, for Lunette */
  THINK_EVERY = 3,  /* frames */
  HUNTERS = 6,      /* the first creatures; they run the last script */
};

static const double LOOK_SECONDS = 0.25, RETRY_SECONDS = 3;
static const float SPEED = 90;

static const char *const scripts[SCRIPTS] = {"scripts/graze.lua", "scripts/flock.lua",
                                             "scripts/hunt.lua"};

/* A page on a thread of this process, which counts as stuck after two seconds. */
static const char page_options[] =
    "{\"webPreferences\":{\"isolation\":\"thread\",\"unresponsiveTimeout\":2000,"
    "\"memoryLimit\":16000000}}";

const char *game_script(int script) { return scripts[script]; }

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static Creature *find(Game *game, int page) {
  for (int i = 0; i < CREATURES; i++)
    if (game->creatures[i].page == page) return &game->creatures[i];
  return NULL;
}

static void tell(Game *game, const char *what, const char *text) {
  snprintf(game->message, sizeof game->message, "%s: %.80s", what, text);
  char *newline = strchr(game->message, '\n');
  if (newline) *newline = 0;
}

/* ---- what scripts say ---- */

static void steer(Creature *creature, float dx, float dy) {
  float length = sqrtf(dx * dx + dy * dy);
  if (!(length > 0)) length = 1;
  creature->dx = dx / length * SPEED;
  creature->dy = dy / length * SPEED;
}

/* (event, dx, dy): where a creature wants to go. A listener of ipcMain, in C: no JSON is made. */
static int on_steer(lua_State *L) {
  Game *game = lua_touserdata(L, lua_upvalueindex(1));
  lua_getfield(L, 1, "sender");
  lua_getfield(L, -1, "id");
  Creature *creature = find(game, (int)lua_tointeger(L, -1));
  game->counts.messages++;
  if (creature) steer(creature, (float)luaL_checknumber(L, 2), (float)luaL_checknumber(L, 3));
  return 0;
}

/* (game): require("lunette").ipcMain.on("steer", on_steer) */
static int add_listener(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "lunette");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "ipcMain");
  lua_getfield(L, -1, "on");
  lua_pushliteral(L, "steer");
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, on_steer, 1);
  lua_call(L, 2, 0);
  return 0;
}

/* ---- what becomes of pages ---- */

static void on_gone(Game *game, Creature *creature, const char *reason) {
  bool was_stuck = creature->health == STUCK;
  creature->health = STOPPED;
  creature->dx = creature->dy = 0;
  creature->back_at = game->now + RETRY_SECONDS;
  game->counts.stopped++;
  tell(game, scripts[creature->script], was_stuck ? "endless loop, stopped" : reason);
}

static void on_event(Game *game, const LunetteEvent *event) {
  Creature *creature = find(game, event->page);
  if (event->type == LUNETTE_EVENT_LOG && event->status == LUNETTE_LOG_ERROR)
    tell(game, "error", event->text);
  if (!creature) return;
  switch (event->type) {
  case LUNETTE_EVENT_PAGE_LOADED: creature->health = ALIVE; break;
  case LUNETTE_EVENT_PAGE_RESPONSIVE: creature->health = ALIVE; break;
  case LUNETTE_EVENT_PAGE_GONE: on_gone(game, creature, event->text); break;
  case LUNETTE_EVENT_PAGE_UNRESPONSIVE:
    if (creature->health != ALIVE) break; /* a busy machine: it is still starting */
    creature->health = STUCK;
    lunette_page_stop(game->host, creature->page);
    break;
  case LUNETTE_EVENT_PAGE_FAILED:
    creature->health = STOPPED;
    creature->back_at = 0;
    game->counts.failed++;
    tell(game, "does not load", event->text);
    break;
  default: break;
  }
}

static void take_events(Game *game) {
  const LunetteEvent *event;
  while ((event = lunette_next_event(game->host))->type != LUNETTE_EVENT_NONE)
    on_event(game, event);
}

/* ---- scripts that change ---- */

static double changed_at(const Game *game, int script) {
  char path[4096];
  struct stat status;
  snprintf(path, sizeof path, "%s/%s", game->folder, scripts[script]);
  if (stat(path, &status) != 0) return 0;
  return (double)status.st_mtim.tv_sec + (double)status.st_mtim.tv_nsec / 1e9;
}

static void reload(Game *game, Creature *creature) {
  creature->health = LOADING;
  creature->back_at = 0;
  lunette_page_reload(game->host, creature->page);
}

static void look_for_changes(Game *game) {
  if (game->now < game->next_look) return;
  game->next_look = game->now + LOOK_SECONDS;
  for (int script = 0; script < SCRIPTS; script++) {
    double changed = changed_at(game, script);
    if (changed == game->changed[script] || changed == 0) continue;
    game->changed[script] = changed;
    game->counts.reloads++;
    for (int i = 0; i < CREATURES; i++)
      if (i < game->opened && game->creatures[i].script == script)
        reload(game, &game->creatures[i]);
  }
}

static void retry_stopped(Game *game) {
  for (int i = 0; i < CREATURES; i++) {
    Creature *creature = &game->creatures[i];
    bool due = creature->back_at > 0 && game->now >= creature->back_at;
    if (creature->health == STOPPED && due) reload(game, creature);
  }
}

/* ---- thinking and moving ---- */

/* From the creature to the nearest other one that is a hunter, or not. */
static void look_around(const Game *game, const Creature *self, bool hunters, float *dx,
                        float *dy) {
  float best = 1e9f;
  *dx = *dy = 0;
  for (int i = hunters ? 0 : HUNTERS; i < (hunters ? HUNTERS : CREATURES); i++) {
    const Creature *other = &game->creatures[i];
    float x = other->x - self->x, y = other->y - self->y, distance = x * x + y * y;
    if (other == self || distance >= best) continue;
    best = distance;
    *dx = x;
    *dy = y;
  }
}

/* Tells a script where it is, and what is near; it answers by "steer". */
static void think(Game *game, const Creature *creature) {
  enum { VALUES = 6 };
  float values[VALUES] = {creature->x, creature->y};
  if (creature->health != ALIVE) return;
  look_around(game, creature, false, &values[2], &values[3]);
  look_around(game, creature, true, &values[4], &values[5]);
  lua_State *L = lunette_state(game->host);
  if (!lua_checkstack(L, VALUES)) return;
  for (int i = 0; i < VALUES; i++) lua_pushnumber(L, (lua_Number)values[i]);
  if (lunette_send_lua(game->host, creature->page, "think", L, VALUES) >= 0)
    game->counts.messages++;
}

static float inside(float value, float most) { return value < 8 ? 8 : value > most ? most : value; }

static void move_all(Game *game, double seconds) {
  for (int i = 0; i < CREATURES; i++) {
    Creature *creature = &game->creatures[i];
    creature->x = inside(creature->x + creature->dx * (float)seconds, WIDTH - 8);
    creature->y = inside(creature->y + creature->dy * (float)seconds, HEIGHT - 8);
  }
}

/* One in each frame, as starting one takes a millisecond. */
static void open_next(Game *game) {
  if (game->opened == CREATURES) return;
  Creature *creature = &game->creatures[game->opened++];
  creature->page = lunette_page_open(game->host, scripts[creature->script], page_options);
  if (creature->page < 0) tell(game, "error", lunette_error(game->host));
}

double game_step(Game *game, double seconds) {
  game->now += seconds;
  open_next(game);
  double begun = now_ms();
  lunette_pump(game->host, BUDGET_US);
  double took = now_ms() - begun;
  take_events(game);
  look_for_changes(game);
  retry_stopped(game);
  for (int i = game->turn; i < CREATURES; i += THINK_EVERY) think(game, &game->creatures[i]);
  game->turn = (game->turn + 1) % THINK_EVERY;
  move_all(game, seconds);
  return took;
}

void game_trap(Game *game, int creature) {
  lunette_send(game->host, game->creatures[creature].page, "loop", NULL, 0);
}

int game_count(const Game *game, Health health) {
  int count = 0;
  for (int i = 0; i < CREATURES; i++) count += game->creatures[i].health == health;
  return count;
}

/* ---- opening ---- */

static void place_creature(Game *game, int index) {
  Creature *creature = &game->creatures[index];
  creature->script = index < HUNTERS ? SCRIPTS - 1 : index % (SCRIPTS - 1);
  creature->x = (float)(rand() % WIDTH);
  creature->y = (float)(rand() % HEIGHT);
}

bool game_open(Game *game, const char *folder) {
  LunetteOptions options;
  memset(game, 0, sizeof *game);
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.app = folder;
  options.stop_signal = SIGURG;
  game->folder = folder;
  bool ok = lunette_open(&options, &game->host) == LUNETTE_OK;
  if (ok) ok = lunette_call(game->host, add_listener, game) == LUNETTE_OK;
  for (int i = 0; i < SCRIPTS; i++) game->changed[i] = changed_at(game, i);
  for (int i = 0; i < CREATURES; i++) place_creature(game, i);
  if (!ok) fprintf(stderr, "engine-sdl: %s\n", lunette_error(game->host));
  return ok;
}

void game_close(Game *game) { lunette_close(game->host); }
