/* SPDX-License-Identifier: MIT
 * Structured clone: Lua values to bytes and back, lossless, between two states. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "base/buf.h"

/* Scratch of one state, used again by every message: which tables and keys were met. It holds no
 * Lua value. Owned by the state; one clone_write at a time may use it. */
typedef struct CloneContext CloneContext;

enum { CLONE_DEPTH = 1000, CLONE_SIZE = 256 << 20 }; /* the defaults of CloneLimits */

/* Where large strings may lie instead of in the body: memory that both states see. */
typedef struct CloneShare {
  void *data;   /* borrowed, passed on to both functions */
  size_t least; /* bytes of a string that is worth it; more than Lua interns */
  size_t most;  /* bytes that one message can have there */
  /* Has the `size` bytes of a string of L's seen there, at *offset; false when there is no room. */
  bool (*put)(void *data, lua_State *L, const char *bytes, size_t size, size_t *offset);
  /* The `size` bytes at `offset`, which the other state may still change; NULL when there are none.
   */
  const uint8_t *(*get)(void *data, size_t offset, size_t size);
} CloneShare;

/* What a message may be. A body is never larger than INT32_MAX bytes, whatever `size` says. Each
 * table inside another takes some 150 bytes of C stack (see clone_write.c) and three Lua slots. */
typedef struct CloneLimits {
  size_t size; /* bytes of the body and its strings in shared memory; clone_weight_max of it bounds
                * the memory of its values */
  int depth;   /* tables inside one another; an argument that is a table has depth 1 */
  const CloneShare *share; /* borrowed; NULL: all strings lie in the body */
} CloneLimits;

/* How many bytes of memory, about, the values of a message may take whose size may be `size`. Two
 * bytes are an empty table: without this bound 256 MiB of them would take 15 GiB. */
static inline size_t clone_weight_max(size_t size) { return ((size_t)16 << 20) + 4 * size; }

/* How values that cannot be copied cross between two states of one process. Neither function may
 * change a table that is being cloned, use the same CloneContext, raise anything but a memory
 * error, or leave on the stack anything but what is said here; each finds LUA_MINSTACK free slots.
 */
typedef struct CloneHooks {
  void *data; /* borrowed, passed on to both functions */
  /* Asked about every function, userdata, and table with a metatable, at absolute `index`. True,
   * with
   * `*id` and `*kind` set, sends these in its place; false treats it like any other. [-0, +0, m] */
  bool (*export_value)(void *data, lua_State *L, int index, uint64_t *id, uint8_t *kind);
  /* Pushes what stands for `id` in this state. False (nothing pushed): malformed. [-0, +1|0, m] */
  bool (*import_value)(void *data, lua_State *L, uint64_t id, uint8_t kind);
} CloneHooks;

/* Makes a context; NULL when memory is short. The caller owns it. */
CloneContext *clone_context_new(void);

/* Frees a context; NULL is allowed. */
void clone_context_free(CloneContext *context);

/* Appends the list of the `count` values from absolute index `first` on to `out`, nils included.
 * Runs no metamethod. `hooks` may be NULL: then functions are errors. On failure `out` holds what
 * it held before, and a message is pushed, such as "could not clone argument 1.user.onSave: a
 * function cannot be sent"; `what` is its word for the list, "argument" or "result". Only if a hook
 * raises does a part of the body stay in `out`.
 * [-0, +0 | +1 on failure, raises memory errors only, and without hooks only on failure] */
bool clone_write(CloneContext *context, lua_State *L, int first, int count,
                 const CloneLimits *limits, const CloneHooks *hooks, const char *what, Buf *out);

/* Pushes the values of the body `data` and returns how many. The bytes may be anything: memory in
 * use stays within a fixed multiple of `size`. -1, with `*error` a static string and nothing
 * pushed, when they are no body within `limits`, or want a hook that is not there. `context` may
 * be NULL: reading keeps nothing outside the Lua stack, so a raise leaks nothing.
 * [-0, +n | +0 on failure, raises memory errors only] */
int clone_read(CloneContext *context, lua_State *L, const uint8_t *data, size_t size,
               const CloneLimits *limits, const CloneHooks *hooks, const char **error);
