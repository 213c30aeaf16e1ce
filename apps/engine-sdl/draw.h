/* SPDX-License-Identifier: MIT
 * The picture: creatures, and an overlay of figures. */
#pragma once

#include "game.h"

#include <SDL.h>

/* What the overlay shows. */
typedef struct Figures {
  double frame_ms, pump_ms; /* of the last frames */
  double messages;          /* a second */
} Figures;

/* Draws a frame. */
void draw_game(SDL_Renderer *renderer, const Game *game, const Figures *figures);
