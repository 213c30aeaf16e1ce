/* SPDX-License-Identifier: MIT
 * Why a message could not be written and where; for clone_write.c only. */
#pragma once

#include <stddef.h>

#include <lua.h>

typedef enum CloneProblem {
  PROBLEM_MEMORY,
  PROBLEM_DEPTH,
  PROBLEM_SIZE,
  PROBLEM_WEIGHT,
  PROBLEM_FUNCTION,
  PROBLEM_THREAD,
  PROBLEM_USERDATA,
} CloneProblem;

/* A failure. The keys on the stack from `base` on, each with its value above it, are the path. */
typedef struct CloneError {
  CloneProblem problem;
  const char *what; /* "argument" or "result" */
  int argument;     /* counted from 1 */
  int base;         /* top of the stack before the argument was entered */
  int bad_key;      /* index of the outermost key that the problem lies in, or 0 */
  size_t size;      /* the limits */
  int depth;
} CloneError;

/* Pops everything above error->base and pushes the message. [-n, +1, m] */
void clone_push_error(lua_State *L, const CloneError *error);
