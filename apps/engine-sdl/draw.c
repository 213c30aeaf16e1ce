/* SPDX-License-Identifier: MIT
 * The picture: creatures, and an overlay of figures. */
#include "draw.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { GLYPH_WIDTH = 5, GLYPH_HEIGHT = 7, SCALE = 2, ADVANCE = (GLYPH_WIDTH + 1) * SCALE };

/* A letter: seven rows of five dots, the leftmost the highest bit. */
typedef struct Glyph {
  char letter;
  unsigned char rows[GLYPH_HEIGHT];
} Glyph;

static const Glyph glyphs[] = {
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'D', {30, 17, 17, 17, 17, 17, 30}},
    {'E', {31, 16, 16, 30, 16, 16, 31}}, {'F', {31, 16, 16, 30, 16, 16, 16}},
    {'G', {14, 17, 16, 23, 17, 17, 15}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},      {'J', {7, 2, 2, 2, 2, 18, 12}},
    {'K', {17, 18, 20, 24, 20, 18, 17}}, {'L', {16, 16, 16, 16, 16, 16, 31}},
    {'M', {17, 27, 21, 21, 17, 17, 17}}, {'N', {17, 25, 21, 19, 17, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'P', {30, 17, 17, 30, 16, 16, 16}},
    {'Q', {14, 17, 17, 17, 21, 18, 13}}, {'R', {30, 17, 17, 30, 20, 18, 17}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},   {'T', {31, 4, 4, 4, 4, 4, 4}},
    {'U', {17, 17, 17, 17, 17, 17, 14}}, {'V', {17, 17, 17, 17, 17, 10, 4}},
    {'W', {17, 17, 17, 21, 21, 21, 10}}, {'X', {17, 17, 10, 4, 10, 17, 17}},
    {'Y', {17, 17, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 6, 8, 16, 31}},    {'3', {30, 1, 1, 14, 1, 1, 30}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {14, 16, 30, 17, 17, 17, 14}}, {'7', {31, 1, 2, 4, 8, 8, 8}},
    {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 1, 14}},
    {'.', {0, 0, 0, 0, 0, 12, 12}},      {':', {0, 12, 12, 0, 12, 12, 0}},
    {',', {0, 0, 0, 0, 12, 4, 8}},       {'-', {0, 0, 0, 31, 0, 0, 0}},
    {'/', {1, 1, 2, 4, 8, 16, 16}},      {'\'', {4, 4, 8, 0, 0, 0, 0}},
    {'(', {2, 4, 8, 8, 8, 4, 2}},        {')', {8, 4, 2, 2, 2, 4, 8}},
};

static void fill(SDL_Renderer *renderer, int x, int y, int width, int height) {
  SDL_Rect rectangle = {x, y, width, height};
  SDL_RenderFillRect(renderer, &rectangle);
}

static void draw_glyph(SDL_Renderer *renderer, char letter, int x, int y) {
  const Glyph *glyph = glyphs, *end = glyphs + sizeof glyphs / sizeof *glyphs;
  while (glyph < end && glyph->letter != letter) glyph++;
  if (glyph == end) return;
  for (int row = 0; row < GLYPH_HEIGHT; row++)
    for (int column = 0; column < GLYPH_WIDTH; column++)
      if (glyph->rows[row] >> (GLYPH_WIDTH - 1 - column) & 1)
        fill(renderer, x + column * SCALE, y + row * SCALE, SCALE, SCALE);
}

static void draw_text(SDL_Renderer *renderer, const char *text, int x, int y) {
  for (; *text; text++, x += ADVANCE)
    draw_glyph(renderer, (char)toupper((unsigned char)*text), x, y);
}

static void draw_line(SDL_Renderer *renderer, int line, const char *text) {
  draw_text(renderer, text, 16, 16 + line * (GLYPH_HEIGHT + 3) * SCALE);
}

static void draw_overlay(SDL_Renderer *renderer, const Game *game, const Figures *figures) {
  char text[MESSAGE_SIZE + 40];
  SDL_SetRenderDrawColor(renderer, 0, 0, 0, 170);
  fill(renderer, 8, 8, 596, game->message[0] ? 88 : 68);
  SDL_SetRenderDrawColor(renderer, 235, 235, 225, 255);
  snprintf(text, sizeof text, "frame %.2f ms  pump %.2f ms", figures->frame_ms, figures->pump_ms);
  draw_line(renderer, 0, text);
  snprintf(text, sizeof text, "%.0f messages/s", figures->messages);
  draw_line(renderer, 1, text);
  snprintf(text, sizeof text, "%d of %d alive, %d reloads", game_count(game, ALIVE), CREATURES,
           game->counts.reloads);
  draw_line(renderer, 2, text);
  SDL_SetRenderDrawColor(renderer, 255, 120, 90, 255);
  snprintf(text, sizeof text, "%.47s", game->message);
  draw_line(renderer, 3, text);
}

/* A script that was stopped leaves a cross, and its name. */
static void draw_stopped(SDL_Renderer *renderer, const Creature *creature) {
  int x = (int)creature->x, y = (int)creature->y;
  SDL_SetRenderDrawColor(renderer, 255, 70, 60, 255);
  for (int i = -9; i <= 9; i++) {
    fill(renderer, x + i, y + i, 3, 3);
    fill(renderer, x + i, y - i, 3, 3);
  }
  draw_text(renderer, "stopped", x - 40, y - 32);
}

static void draw_creature(SDL_Renderer *renderer, const Creature *creature) {
  static const unsigned char colours[SCRIPTS][3] = {
      {120, 200, 110}, {110, 160, 240}, {240, 150, 60}};
  const unsigned char *colour = colours[creature->script];
  int size = creature->script == SCRIPTS - 1 ? 16 : 10;
  if (creature->health == STOPPED || creature->health == STUCK) {
    draw_stopped(renderer, creature);
    return;
  }
  int dim = creature->health == ALIVE ? 1 : 3;
  SDL_SetRenderDrawColor(renderer, colour[0] / dim, colour[1] / dim, colour[2] / dim, 255);
  fill(renderer, (int)creature->x - size / 2, (int)creature->y - size / 2, size, size);
  fill(renderer, (int)(creature->x + creature->dx / 8) - 2,
       (int)(creature->y + creature->dy / 8) - 2, 4, 4);
}

void draw_game(SDL_Renderer *renderer, const Game *game, const Figures *figures) {
  SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_BLEND);
  SDL_SetRenderDrawColor(renderer, 24, 34, 30, 255);
  SDL_RenderClear(renderer);
  for (int i = 0; i < CREATURES; i++) draw_creature(renderer, &game->creatures[i]);
  draw_overlay(renderer, game, figures);
}
