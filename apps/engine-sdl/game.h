/* SPDX-License-Identifier: MIT
 * The game: creatures that move as their scripts say, each script in a renderer of its own. */
#pragma once

#include <lunette.h>
#include <stdbool.h>

enum { CREATURES = 100, WIDTH = 960, HEIGHT = 600, SCRIPTS = 3, MESSAGE_SIZE = 120 };

/* How a creature's script does. */
typedef enum Health {
  LOADING,
  ALIVE,
  STUCK,  /* it has not answered for a while */
  STOPPED /* it was stuck, crashed, or does not load: `message` says what */
} Health;

typedef struct Creature {
  int page;
  int script; /* index of its script's name */
  Health health;
  float x, y, dx, dy; /* place, and pixels a second */
  double back_at;     /* when a stopped one is tried again; 0: when its script changes */
} Creature;

/* What there is to report. */
typedef struct Counts {
  long messages; /* both ways */
  int reloads, stopped, failed;
} Counts;

typedef struct Game {
  LunetteHost *host;
  const char *folder; /* of the app */
  Creature creatures[CREATURES];
  double changed[SCRIPTS]; /* when the scripts' files were */
  double next_look;        /* at them */
  int opened;              /* pages, so far */
  int turn;                /* whose turn it is to think */
  double now;              /* seconds */
  Counts counts;
  char message[MESSAGE_SIZE]; /* the last thing that went wrong */
} Game;

/* Opens the host; a page for each creature follows, one in each frame. Returns false after telling
 * why on stderr. */
bool game_open(Game *game, const char *folder);

/* One frame of `seconds`: pumps Lunette, lets a third of the creatures think, moves all. Returns
 * how long the pump took, in milliseconds. */
double game_step(Game *game, double seconds);

/* Sends a creature's script into an endless loop. */
void game_trap(Game *game, int creature);

/* How many are of that health. */
int game_count(const Game *game, Health health);

/* The name of a script's file. */
const char *game_script(int script);

/* Ends the pages and the host. */
void game_close(Game *game);
