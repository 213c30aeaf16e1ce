/* SPDX-License-Identifier: MIT
 * A small game on SDL2 whose creatures are scripted: its window, its frames and its report. */
#define SDL_MAIN_HANDLED
#include "draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: engine-sdl [FOLDER] [--frames N] [--report] [--trap FRAME] [--screenshot FILE.bmp]\n"
    "  FOLDER      of the game's scripts; edit one while it runs\n"
    "  --frames    ends after so many\n"
    "  --report    draws into memory, without a display, and prints figures at the end\n"
    "  --trap      sends a script into an endless loop at that frame, as the key L does\n"
    "  --screenshot  saves the last frame\n";

static const double FRAME_SECONDS = 1.0 / 60;

enum { NO_TRAP = -1, SHOWN = 30 /* frames that the overlay's figures are of */ };

typedef struct Arguments {
  const char *folder, *screenshot;
  int frames, trap;
  bool report;
} Arguments;

/* What the frames took, in milliseconds, for the report. */
typedef struct Times {
  double *frame, *pump;
  int count, room;
} Times;

typedef struct Screen {
  SDL_Window *window;   /* NULL: none */
  SDL_Surface *surface; /* drawn into without a window */
  SDL_Renderer *renderer;
} Screen;

static bool parse(int argc, char **argv, Arguments *arguments) {
  *arguments = (Arguments){.folder = "apps/engine-sdl", .trap = NO_TRAP};
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(name, "--report") == 0) arguments->report = true;
    else if (strcmp(name, "--frames") == 0 && value) arguments->frames = atoi(argv[++i]);
    else if (strcmp(name, "--trap") == 0 && value) arguments->trap = atoi(argv[++i]);
    else if (strcmp(name, "--screenshot") == 0 && value) arguments->screenshot = argv[++i];
    else if (name[0] != '-') arguments->folder = name;
    else return false;
  }
  return !arguments->report || arguments->frames > 0;
}

/* ---- the screen ---- */

static bool open_screen(Screen *screen, bool shown) {
  memset(screen, 0, sizeof *screen);
  SDL_SetMainReady();
  if (SDL_Init(shown ? SDL_INIT_VIDEO : 0) != 0) return false;
  if (shown) {
    int where = SDL_WINDOWPOS_CENTERED;
    screen->window = SDL_CreateWindow("Lunette", where, where, WIDTH, HEIGHT, 0);
    if (screen->window) screen->renderer = SDL_CreateRenderer(screen->window, -1, 0);
  } else {
    int format = SDL_PIXELFORMAT_RGBA32;
    screen->surface = SDL_CreateRGBSurfaceWithFormat(0, WIDTH, HEIGHT, 32, (Uint32)format);
    if (screen->surface) screen->renderer = SDL_CreateSoftwareRenderer(screen->surface);
  }
  return screen->renderer != NULL;
}

static void close_screen(Screen *screen) {
  if (screen->renderer) SDL_DestroyRenderer(screen->renderer);
  if (screen->window) SDL_DestroyWindow(screen->window);
  SDL_FreeSurface(screen->surface);
  SDL_Quit();
}

static void save_screenshot(SDL_Renderer *renderer, const char *path) {
  SDL_Surface *picture =
      SDL_CreateRGBSurfaceWithFormat(0, WIDTH, HEIGHT, 32, SDL_PIXELFORMAT_RGBA32);
  bool saved = picture &&
               SDL_RenderReadPixels(renderer, NULL, SDL_PIXELFORMAT_RGBA32, picture->pixels,
                                    picture->pitch) == 0 &&
               SDL_SaveBMP(picture, path) == 0;
  if (!saved) fprintf(stderr, "engine-sdl: %s: %s\n", path, SDL_GetError());
  SDL_FreeSurface(picture);
}

/* ---- figures ---- */

static double now_seconds(void) {
  return (double)SDL_GetPerformanceCounter() / (double)SDL_GetPerformanceFrequency();
}

static void add_time(Times *times, double frame, double pump) {
  if (times->count == times->room) {
    times->room = times->room ? 2 * times->room : 1024;
    times->frame = SDL_realloc(times->frame, (size_t)times->room * sizeof(double));
    times->pump = SDL_realloc(times->pump, (size_t)times->room * sizeof(double));
    if (!times->frame || !times->pump) abort();
  }
  times->frame[times->count] = frame;
  times->pump[times->count++] = pump;
}

static int by_value(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static void print_times(const char *name, double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_value);
  printf("%s ms: median %.3f, 99th percentile %.3f, worst %.3f\n", name, values[count / 2],
         values[count * 99 / 100], values[count - 1]);
}

static void print_report(Game *game, Times *times, double seconds) {
  printf("frames: %d in %.1f s\n", times->count, seconds);
  print_times("frame", times->frame, times->count);
  print_times("pump", times->pump, times->count);
  printf("messages: %.0f a second\n", (double)game->counts.messages / seconds);
  printf("creatures: %d of %d alive\n", game_count(game, ALIVE), CREATURES);
  printf("reloads: %d, stopped: %d, failed: %d\n", game->counts.reloads, game->counts.stopped,
         game->counts.failed);
  if (game->message[0]) printf("last message: %s\n", game->message);
}

/* The overlay's, from the last frames. */
static void update_figures(Figures *figures, const Times *times, long *messages, long now) {
  if (times->count % SHOWN != 0) return;
  double frame = 0, pump = 0;
  for (int i = times->count - SHOWN; i < times->count; i++) {
    frame += times->frame[i] / SHOWN;
    pump += times->pump[i] / SHOWN;
  }
  *figures = (Figures){frame, pump, (double)(now - *messages) / (SHOWN * FRAME_SECONDS)};
  *messages = now;
}

/* What has happened already, as far as it was told. */
typedef struct Told {
  bool all_alive;
  int reloads;
  char message[MESSAGE_SIZE];
} Told;

/* In a report: what happens, as it does. */
static void tell_changes(const Game *game, Told *told, int frame) {
  if (!told->all_alive && game_count(game, ALIVE) == CREATURES) {
    told->all_alive = true;
    printf("frame %d: all are alive\n", frame);
  }
  if (told->reloads != game->counts.reloads) printf("frame %d: a script has changed\n", frame);
  if (strcmp(told->message, game->message) != 0) printf("frame %d: %s\n", frame, game->message);
  told->reloads = game->counts.reloads;
  memcpy(told->message, game->message, MESSAGE_SIZE);
  fflush(stdout);
}

/* ---- the loop ---- */

/* False when the player leaves. */
static bool take_input(Game *game, bool shown) {
  SDL_Event event;
  while (shown && SDL_PollEvent(&event)) {
    if (event.type == SDL_QUIT) return false;
    if (event.type != SDL_KEYDOWN) continue;
    if (event.key.keysym.sym == SDLK_ESCAPE) return false;
    if (event.key.keysym.sym == SDLK_l) game_trap(game, rand() % CREATURES);
  }
  return true;
}

static void sleep_until(double seconds) {
  double left = seconds - now_seconds();
  if (left > 0) SDL_Delay((Uint32)(left * 1000));
}

static void run(Game *game, Screen *screen, const Arguments *arguments, Times *times) {
  Figures figures = {0};
  Told told = {0};
  long messages = 0;
  double begun = now_seconds(), next = begun;
  bool runs = true;
  for (int frame = 0; runs && (!arguments->frames || frame < arguments->frames); frame++) {
    double start = now_seconds();
    if (frame == arguments->trap) game_trap(game, 3 * CREATURES / 4);
    double pump = game_step(game, FRAME_SECONDS);
    draw_game(screen->renderer, game, &figures);
    SDL_RenderPresent(screen->renderer);
    if (arguments->report) tell_changes(game, &told, frame);
    add_time(times, (now_seconds() - start) * 1e3, pump);
    update_figures(&figures, times, &messages, game->counts.messages);
    runs = take_input(game, screen->window != NULL);
    next += FRAME_SECONDS;
    sleep_until(next);
  }
  if (arguments->screenshot) {
    draw_game(screen->renderer, game, &figures);
    save_screenshot(screen->renderer, arguments->screenshot);
  }
  if (arguments->report) print_report(game, times, now_seconds() - begun);
}

int main(int argc, char **argv) {
  static Game game;
  Screen screen;
  Arguments arguments;
  Times times = {0};
  if (!parse(argc, argv, &arguments)) {
    fputs(help, stderr);
    return 2;
  }
  bool ok = open_screen(&screen, !arguments.report);
  if (!ok) fprintf(stderr, "engine-sdl: %s\n", SDL_GetError());
  if (ok) ok = game_open(&game, arguments.folder);
  if (ok) run(&game, &screen, &arguments, &times);
  game_close(&game);
  close_screen(&screen);
  SDL_free(times.frame);
  SDL_free(times.pump);
  return ok ? 0 : 1;
}
