/* SPDX-License-Identifier: MIT
 * Lua's allocator, which counts, and a limit for what the states of one renderer take together.
 *
 * Lua answers a refusal by a full collection and asks once more, with two exceptions that shape
 * what follows. The buffers of its library (string.rep, table.concat) do not collect: what they ask
 * for, which looks like any array's growth, may pass the limit by half, until the next new object
 * is refused for it. And close to the limit the collector runs for each few objects, which takes a
 * hundred times as long as the program does: then the limit counts as hit. */
#include "vm/memory.h"

#include <stdlib.h>
#include <time.h>

enum {
  RESERVE = 1 << 18,   /* bytes with which to tell of the end */
  FUTILE_SHARE = 8,    /* a collection was futile that left less than this part of the limit */
  FUTILE_MAX = 3,      /* of them in a row */
  COLLECTIONS_MIN = 4, /* before their share of the time means anything */
  WINDOW = 200000000,  /* nanoseconds over which that is taken */
  LONG = 50000000,     /* nanoseconds of a collection that must not be futile even once */
  SLOW_SHARE = 4,      /* a cycle may be slow that leaves at least this part of the limit */
  SLOW_MAX = 2,        /* of the others in a row */
  JUMP = 1 << 20,      /* bytes of growth at once that the collector would make up for at once */
};

void memory_init(Memory *memory) {
  *memory = (Memory){.limit = SIZE_MAX, .cycle_mark = SIZE_MAX};
#ifdef LUNETTE_STRESS
  memory->objects_left = 1000; /* a state that is being made cannot collect yet */
#endif
}

void memory_limit(Memory *memory, size_t limit, void (*exhausted)(void *data, bool again),
                  void *data) {
  memory->limit = limit;
  memory->exhausted = exhausted;
  memory->data = data;
  memory->mark = memory->used;
  memory->has_refused = memory->is_behind = false;
  memory->begin_cycle = NULL;
  memory->cycle_mark = SIZE_MAX;
}

void memory_open_region(Memory *memory, size_t size) { pool_open_region(&memory->pool, size); }

/* NULL for a state whose blocks others free. */
static Memory *lender(lua_State *L) {
  void *data;
  lua_Alloc allocator = lua_getallocf(L, &data);
  Memory *memory = data;
  if (allocator == memory_allocate) return memory;
  return allocator == memory_allocate_hooked && memory->hook_lends ? memory : NULL;
}

/* Whether the block, which is to be freed, is lent: then it is no more the state's to free. */
static bool is_lent(const Memory *memory, void *block, size_t size) {
  return memory->loans && size > LOAN_LEAST && loans_keep(memory->loans, block, size);
}

Loan *memory_lend(lua_State *L, const char *bytes, size_t size) {
  Memory *memory = lender(L);
  if (!memory || size < LOAN_LEAST) return NULL;
  if (!memory->loans) memory->loans = loans_new();
  return memory->loans ? loans_lend(memory->loans, bytes, size) : NULL;
}

void memory_clear(Memory *memory) { pool_clear(&memory->pool); }

void memory_end(Memory *memory) {
  loans_drop(memory->loans);
  if (!memory->ending) memory_clear(memory);
}

void memory_join(Memory *memory, Memory *other) {
  memory_clear(other);
  memory->used += other->used;
  if (memory->peak < memory->used) memory->peak = memory->used;
}

static uint64_t processor_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Whether so much leaves less than that part of the limit. */
static bool leaves_less(const Memory *memory, size_t used, int share) {
  return used > memory->limit - memory->limit / (size_t)share;
}

/* Where the next cycle begins: at once, or where the heap has doubled; but it needs some room to
 * end in. */
static void set_cycle_mark(Memory *memory, bool later) {
  size_t left = memory->used;
  size_t room = later && left < memory->limit ? (memory->limit - left) / 4 * 3 : 0;
  memory->cycle_mark = left + (room < left ? room : left);
  if (memory->mark > memory->cycle_mark) memory->mark = memory->cycle_mark;
}

void memory_pace(Memory *memory, bool (*begin_cycle)(void *paced), void *paced) {
  memory->begin_cycle = begin_cycle;
  memory->paced = paced;
  memory->cycle_end = processor_time();
  set_cycle_mark(memory, true);
}

static void begin_cycle(Memory *memory) {
  if (!memory->begin_cycle(memory->paced)) return;
  memory->cycle_mark = SIZE_MAX;
  memory->cycle_used = memory->used;
  memory->begun = processor_time();
}

/* What the collector needs for each byte, by the cycle that has ended. The program's own work
 * within it, which may be much, is not told apart: so it is what the cheapest of the last cycles
 * took. One of the program's own, which has not begun at the mark, tells nothing. */
static void measure_cycle(Memory *memory, uint64_t now) {
  if (memory->cycle_mark != SIZE_MAX) return;
  double cost = (double)(now - memory->begun) / (double)memory->used;
  double most = memory->cycle_cost + memory->cycle_cost / 8; /* the heap may be another by now */
  memory->cycle_cost = most == 0 || cost < most ? cost : most;
}

/* Whether cycles like the one that has ended take most of the time. */
static bool is_slow_cycle(Memory *memory, uint64_t now) {
  measure_cycle(memory, now);
  double needed = memory->cycle_cost * (double)memory->used;
  bool slow = needed > (double)(now - memory->cycle_end) / 4 * 3;
  bool counts = slow && leaves_less(memory, memory->used, SLOW_SHARE);
  memory->slow_cycles = counts ? memory->slow_cycles + 1 : 0;
  memory->cycle_end = now;
  return memory->slow_cycles >= SLOW_MAX;
}

/* Whether what it has left is what the program keeps: finalisers may have made garbage meanwhile,
 * or it was one of the program's own, which had begun long before. */
static bool is_telling(const Memory *memory) {
  size_t most = memory->cycle_used + memory->limit / FUTILE_SHARE / 2;
  return memory->cycle_mark == SIZE_MAX && memory->used < most;
}

void memory_end_cycle(Memory *memory) {
  if (memory->limit == SIZE_MAX || memory->is_exhausted) return;
  bool tells = is_telling(memory), slow = is_slow_cycle(memory, processor_time());
  bool futile = leaves_less(memory, memory->used, FUTILE_SHARE);
  if (slow || (futile && tells)) {
    memory->is_exhausted = true;
    memory->exhausted(memory->data, true);
  } else {
    set_cycle_mark(memory, !futile);
  }
}

/* Whether the collections of the last while took most of the time. */
static bool is_slow(Memory *memory, uint64_t now) {
  memory->collecting += now - memory->begun;
  memory->collections++;
  uint64_t window = now - memory->since;
  if (window < WINDOW || memory->collections < COLLECTIONS_MIN) return false;
  bool slow = memory->collecting > window / 4 * 3;
  memory->since = now;
  memory->collecting = 0;
  memory->collections = 0;
  return slow;
}

/* The collector has run; is there no point in going on like this? */
static bool is_crawling(Memory *memory, size_t wanted) {
  uint64_t now = processor_time();
  bool slow = is_slow(memory, now), long_one = now - memory->begun > LONG;
  bool futile = leaves_less(memory, wanted, FUTILE_SHARE);
  memory->futile = futile ? memory->futile + 1 : 0;
  return slow || memory->futile >= FUTILE_MAX || (futile && long_one);
}

/* The limit is hit: from here on it lies a little above what is used now. */
static void exhaust(Memory *memory) {
  bool again = memory->is_exhausted;
  memory->is_exhausted = true;
  if (memory->limit < memory->used) memory->limit = memory->used;
  if (!again) memory->limit += RESERVE;
  memory->exhausted(memory->data, again);
}

/* The first request behind a refusal: the same one, unless Lua did not ask again. True when it is
 * refused for good. */
static bool judge(Memory *memory, const void *block, size_t more) {
  bool same = memory->block == block && memory->more == more;
  size_t wanted = memory->used + memory->more;
  memory->has_refused = memory->is_behind = false;
  if (wanted <= memory->limit && !(same && is_crawling(memory, wanted))) {
    if (memory->begin_cycle) set_cycle_mark(memory, true);
    return false;
  }
  exhaust(memory);
  return same;
}

static bool refuse(Memory *memory, const void *block, size_t more) {
  bool hopeless = memory->is_exhausted && memory->block == block && memory->more == more;
  memory->block = block;
  memory->more = more;
  memory->mark = 0; /* so that whatever comes next is judged */
  if (hopeless) return false;
  if (more > memory->limit) {
    exhaust(memory);
    return false;
  }
  memory->has_refused = true;
  memory->begun = processor_time();
  if (memory->since == 0) memory->since = memory->begun;
  return false;
}

static bool grant(Memory *memory, size_t wanted) {
  if (memory->peak < wanted) memory->peak = wanted;
  memory->mark = memory->is_behind ? 0 : memory->peak;
  if (memory->mark > memory->limit) memory->mark = memory->limit;
  if (memory->mark > memory->cycle_mark) memory->mark = memory->cycle_mark;
  return true;
}

/* The long way of a request for `more` bytes. Only new objects are sure to be asked for again. */
static bool may_grow(Memory *memory, const void *block, size_t more, bool is_object) {
  if (memory->has_refused && judge(memory, block, more)) return false;
  size_t wanted = memory->used + more;
  if (wanted <= memory->limit && !(memory->is_behind && is_object)) return grant(memory, wanted);
  bool far = memory->is_exhausted || wanted - memory->limit > memory->limit / 2;
  if (is_object || far) return refuse(memory, block, more);
  memory->is_behind = true;
  return grant(memory, wanted);
}

/* The first time that so much is used; a mark of 0 says that there is more to it. */
static bool may_pass_mark(Memory *memory, const void *block, size_t old_size, size_t new_size) {
  size_t wanted = memory->used + new_size - (block ? old_size : 0);
  if (wanted > memory->cycle_mark && wanted - memory->used < JUMP) begin_cycle(memory);
  if (memory->mark == 0 || wanted > memory->limit) {
    bool is_object = !block && old_size != 0; /* then that tells its type */
    return may_grow(memory, block, wanted - memory->used, is_object);
  }
  memory->mark = wanted;
  if (memory->peak < wanted) memory->peak = wanted;
  return true;
}

static void *release(Memory *memory, void *block, size_t size) {
  if (!block) return NULL;
  memory->used -= size;
  if (!is_lent(memory, block, size) && !memory->ending) pool_give(&memory->pool, block, size);
  return NULL;
}

/* Apart, or the common requests would save its registers. */
__attribute__((noinline)) static void *resize(Memory *memory, void *block, size_t old_size,
                                              size_t new_size) {
  size_t before = block ? old_size : 0, used = memory->used - before + new_size;
  bool passes = used > memory->mark && new_size > before;
  if (passes && !may_pass_mark(memory, block, old_size, new_size)) return NULL;
  Pool *pool = &memory->pool;
  void *result = block ? pool_resize(pool, block, old_size, new_size) : pool_take(pool, new_size);
  if (result) memory->used = memory->used - before + new_size;
  return result;
}

/* Under BUILD=stress one new object in many is refused, so that Lua collects, wherever objects are
 * made, and asks again. The larger the heap, which takes the longer, the rarer. */
static bool refuses_for_stress(Memory *memory, const void *block, size_t kind) {
#ifdef LUNETTE_STRESS
  if (block || kind == 0 || memory->objects_left-- > 0) return false;
  memory->objects_left = (int)(500 + memory->used / 512);
  return true;
#else
  (void)memory, (void)block, (void)kind;
  return false;
#endif
}

/* First the two requests that are made all the time. */
void *memory_allocate(void *data, void *block, size_t old_size, size_t new_size) {
  Memory *memory = data;
  if (new_size == 0) return release(memory, block, old_size);
  if (refuses_for_stress(memory, block, old_size)) return NULL;
  if (block || new_size > memory->mark || memory->used > memory->mark - new_size)
    return resize(memory, block, old_size, new_size);
  void *result = pool_take(&memory->pool, new_size);
  if (result) memory->used += new_size;
  return result;
}

/* Whether Lua is to collect first, as it does when a new object is refused. Then the mark is behind
 * what is left. */
static bool wants_collection(Memory *memory, const void *block, size_t old_size) {
  enum { FACTOR = 2, LEAST = 1 << 24 };
  if (memory->has_refused) {
    memory->has_refused = false;
    memory->mark = FACTOR * memory->used + LEAST;
    return false;
  }
  bool is_object = !block && old_size != 0; /* then that tells its type */
  memory->has_refused = is_object && memory->mark > 0 && memory->used > memory->mark;
  return memory->has_refused;
}

void *memory_allocate_hooked(void *data, void *block, size_t old_size, size_t new_size) {
  Memory *memory = data;
  size_t before = block ? old_size : 0; /* without a block it is the kind of the new one */
  if (new_size > before && wants_collection(memory, block, old_size)) return NULL;
  bool stays = new_size == 0 && block && is_lent(memory, block, old_size);
  void *result = stays ? NULL : memory->hook(memory->hook_data, block, before, new_size);
  if (!result && new_size > 0) return NULL;
  memory->used = memory->used - before + new_size;
  if (memory->peak < memory->used) memory->peak = memory->used;
  return result;
}
