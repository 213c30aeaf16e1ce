/* SPDX-License-Identifier: MIT
 * Lua's allocator, which counts, and a limit for what the states of one renderer take together. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "base/loan.h"
#include "vm/pool.h"

/* Somebody else's allocator, as a lua_Alloc; see lunette.h. */
typedef void *(*MemoryHook)(void *data, void *block, size_t old_size, size_t new_size);

/* What the states that share it have allocated. Without a limit it only counts. */
typedef struct Memory {
  size_t used, peak;                         /* bytes: now, and at most so far */
  size_t mark;                               /* growth up to here takes the short way */
  size_t limit;                              /* SIZE_MAX when there is none */
  void (*exhausted)(void *data, bool again); /* called when the limit is hit, while allocating */
  void *data;                                /* borrowed: for that */
  MemoryHook hook;                           /* of memory_allocate_hooked */
  void *hook_data;
  bool hook_lends; /* its large blocks are malloc's, so they can be lent; settable */
  bool is_exhausted;
  bool ending; /* the process ends with the states: freeing is of no use any more; settable */
  /* The request that was refused last, so that the collector runs and Lua asks again. */
  bool has_refused;
  const void *block;
  size_t more;
  bool is_behind; /* more than the limit was granted: the collector must run soon */
  /* How much of the processor's time the emergency collections take. */
  uint64_t begun, collecting, since; /* nanoseconds of the processor */
  int collections, futile;           /* since then; in a row, that freed next to nothing */
  /* Once the heap is large, the collector works ahead of the limit: vm/pacer.c. */
  bool (*begin_cycle)(void *paced); /* called while allocating, past cycle_mark */
  void *paced;                      /* borrowed: for that */
  size_t cycle_mark;                /* SIZE_MAX while a cycle is under way, or none is wanted */
  uint64_t cycle_end;               /* of the last one, as `begun` */
  size_t cycle_used;                /* where the one under way has begun */
  double cycle_cost;                /* nanoseconds that the collector needs for each byte */
  int slow_cycles;                  /* in a row */
  Pool pool;                        /* of blocks that were freed */
  Loans *loans;                     /* owned; NULL until something was lent */
#ifdef LUNETTE_STRESS
  int objects_left; /* until one is refused */
#endif
} Memory;

/* Makes it count from 0, without a limit. */
void memory_init(Memory *memory);

/* Limits the sum to `limit` bytes. When a request is refused although the collector has run, or the
 * collector would run again and again for next to nothing, exhausted(data, false) is called; Lua
 * raises "not enough memory", and there is a little more to end with. Past that, exhausted(data,
 * true). It is not paced any more: see memory_pace. */
void memory_limit(Memory *memory, size_t limit, void (*exhausted)(void *data, bool again),
                  void *data);

/* From now on, when so much is used that a cycle of the collector should begin, to be through
 * before the limit is reached, begin_cycle(paced) is called, in an allocation; again at the next
 * one when it returns false, as the collector cannot begin. */
void memory_pace(Memory *memory, bool (*begin_cycle)(void *paced), void *paced);

/* Tells it that a cycle has ended. If that left too little room, or cycles like it would take
 * most of the time, exhausted(data, true) is called. */
void memory_end_cycle(Memory *memory);

/* What is counted by `other`, whose states are told to use `memory` instead. */
void memory_join(Memory *memory, Memory *other);

/* Lets the first blocks, `size` bytes of them, lie together (vm/pool.h): for a state that has not
 * allocated anything yet, whose beginning is large and stays. */
void memory_open_region(Memory *memory, size_t size);

/* Lends a string of the state, `size` bytes of it, to another thread: it stays until the loan is
 * returned. NULL: it is too small, or somebody else's allocator frees it, or memory is short. */
Loan *memory_lend(lua_State *L, const char *bytes, size_t size);

/* Gives back what is kept of freed blocks: at the end of the states; or at any time, without a
 * region. */
void memory_clear(Memory *memory);

/* Gives back all that is left, at the end of the states. */
void memory_end(Memory *memory);

/* A lua_Alloc; `data` is a Memory. */
void *memory_allocate(void *data, void *block, size_t old_size, size_t new_size);

/* A lua_Alloc that asks the hook of the Memory, and counts. It knows no limit; but beyond `mark`,
 * if that is not 0, it has Lua collect, also where the collector is stopped. */
void *memory_allocate_hooked(void *data, void *block, size_t old_size, size_t new_size);
