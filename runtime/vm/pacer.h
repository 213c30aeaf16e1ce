/* SPDX-License-Identifier: MIT
 * The collector of a state with a memory limit, once its heap is large. */
#pragma once

#include "vm/state.h"

/* From now on the state's collector is paced by the limit of its memory, if there is one. To be
 * called once. [-0, +0, m] */
void pacer_start(State *state);
