/* SPDX-License-Identifier: MIT
 * What a JSON text costs whoever reads it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether the values of a JSON text take about `weight_max` bytes in a Lua state at most, so that
 * it may be parsed: "[]," is a table. The text need not be valid. */
bool json_weight_fits(const char *text, size_t size, size_t weight_max);

/* Whether no item of the text's list, which is no table of the program's, has more than `depth_max`
 * tables inside one another. CLONE_DEPTH is what the parser sees to. The text need not be valid. */
bool json_depth_fits(const char *text, size_t size, int depth_max);
