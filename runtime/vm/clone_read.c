/* SPDX-License-Identifier: MIT
 * Structured clone, reading: the bytes may come from a hostile peer.
 *
 * The stack: (base) key slots, refs, values so far, then a table and a key for each level in work.
 * Everything lives there, so a memory error leaves nothing behind. `refs` maps the offset of each
 * shared table to the table; it and the slots exist only when the header asks for them.
 *
 * C stack: as in clone_write.c, read_table and read_value take about 150 bytes a level. */
#include "vm/clone.h"

#include <endian.h>
#include <string.h>

#include "vm/clone_chains.h"
#include "vm/clone_format.h"
#include "vm/clone_seen.h"

/* How many keys a message may make Lua walk along (clone_chains.h): some 20 ms of work for the
 * smallest, and never more than in proportion to its size. Honest keys come nowhere near. */
enum { STEPS_FREE = 1 << 23, STEPS_PER_BYTE = 32 };

typedef struct Reader {
  lua_State *L;
  const uint8_t *at;
  const uint8_t *end;
  const uint8_t *start;
  size_t slots;        /* table slots that may still be allocated in advance */
  size_t steps;        /* that Lua may still be made to walk */
  size_t weight;       /* that the values to come may have */
  int depth;           /* tables that may still be opened inside the present one */
  int stack_ready;     /* up to this index the stack has room */
  int base;            /* key slot i lies at base + 1 + i */
  uint32_t kept;       /* bit i: key slot i is filled */
  unsigned slot_count; /* key slots on the stack */
  unsigned key_count;  /* keys that could have had a slot, so far */
  int refs;            /* index of the table of shared tables, or 0 */
  KnownKeys *known;
  const CloneHooks *hooks;
  const CloneShare *share;
  size_t shared_left; /* bytes that the message may still have in shared memory */
  const char *error;
} Reader;

static bool read_value(Reader *r, int top);

static bool fail(Reader *r, const char *error) {
  r->error = error;
  return false;
}

static inline bool weigh(Reader *r, size_t weight) {
  if (weight > r->weight) return fail(r, "values that take too much memory (limit messageSize)");
  r->weight -= weight;
  return true;
}

static bool truncated(Reader *r) { return fail(r, "the message ends too early"); }

static inline size_t left(const Reader *r) { return (size_t)(r->end - r->at); }

enum { NEEDED = LUA_MINSTACK + 4 }; /* slots of the stack to read a table */

static inline bool ready_stack(Reader *r, int top) {
  if (top + NEEDED <= r->stack_ready) return true;
  if (!lua_checkstack(r->L, 4 * NEEDED)) return fail(r, "the message needs too much stack");
  r->stack_ready = top + 4 * NEEDED;
  return true;
}

/* ---- plain values ---- */

static bool read_varint(Reader *r, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; shift < 7 * VARINT_MAX; shift += 7) {
    if (r->at == r->end) return truncated(r);
    uint8_t byte = *r->at++;
    *value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return fail(r, "a length is too long");
}

/* Reads a number of things that take at least a byte each. */
static inline bool read_count(Reader *r, size_t *count) {
  uint64_t value;
  if (left(r) > 0 && *r->at < 128) {
    value = *r->at++;
  } else if (!read_varint(r, &value)) {
    return false;
  }
  *count = (size_t)value;
  return value <= left(r) || truncated(r);
}

static inline uint64_t get_64(const uint8_t *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return le64toh(value);
}

static bool read_integer(Reader *r, size_t size) {
  if (left(r) < size) return truncated(r);
  uint8_t last[8] = {0};
  const uint8_t *at = left(r) >= sizeof last ? r->at : memcpy(last, r->at, size);
  unsigned unused = (unsigned)(8 * (sizeof last - size));
  lua_Integer value = (lua_Integer)(get_64(at) << unused) >> unused; /* extends the sign */
  r->at += size;
  lua_pushinteger(r->L, value);
  return true;
}

static bool read_double(Reader *r) {
  lua_Number value;
  if (left(r) < sizeof value) return truncated(r);
  uint64_t bits = get_64(r->at);
  memcpy(&value, &bits, sizeof value);
  r->at += sizeof value;
  lua_pushnumber(r->L, value);
  return true;
}

static inline bool read_bytes(Reader *r, size_t size) {
  if (left(r) < size) return truncated(r);
  if (!weigh(r, WEIGHT_STRING + size)) return false;
  lua_pushlstring(r->L, (const char *)r->at, size);
  r->at += size;
  return true;
}

static bool read_string(Reader *r) {
  size_t size;
  return read_count(r, &size) && read_bytes(r, size);
}

/* The other state may write there meanwhile: one copy is made, and only of what is never looked at;
 * a short string would be hashed before it is copied. */
static bool read_shared(Reader *r) {
  uint64_t offset, size;
  if (!r->share) return fail(r, "an unknown tag");
  if (!read_varint(r, &offset) || !read_varint(r, &size)) return false;
  const uint8_t *bytes = NULL;
  if (size > KEY_LONGEST && size <= r->shared_left) {
    bytes = r->share->get(r->share->data, (size_t)offset, (size_t)size);
  }
  if (!bytes) return fail(r, "a string outside of shared memory");
  if (!weigh(r, WEIGHT_STRING + (size_t)size)) return false;
  r->shared_left -= (size_t)size;
  lua_pushlstring(r->L, (const char *)bytes, (size_t)size);
  return true;
}

static bool read_proxy(Reader *r) {
  uint64_t id;
  if (left(r) < 1) return truncated(r);
  uint8_t kind = *r->at++;
  if (!read_varint(r, &id)) return false;
  if (!r->hooks) return fail(r, "a function came where none can");
  return r->hooks->import_value(r->hooks->data, r->L, id, kind) || fail(r, "an unknown function");
}

/* ---- tables ---- */

static bool read_ref(Reader *r) {
  uint64_t offset;
  if (!read_varint(r, &offset)) return false;
  if (r->refs == 0 || lua_rawgeti(r->L, r->refs, (lua_Integer)offset) != LUA_TTABLE)
    return fail(r, "a reference to no table");
  return true;
}

static bool remember_table(Reader *r, const uint8_t *tag) {
  if (r->refs == 0) return fail(r, "a shared table that was not announced");
  if (!weigh(r, WEIGHT_SHARED)) return false;
  lua_pushvalue(r->L, -1);
  lua_rawseti(r->L, r->refs, tag - r->start);
  return true;
}

/* Reads a string of up to KEY_LONGEST bytes that takes the next number. */
static inline bool read_short_key(Reader *r, size_t size, bool keep) {
  if (left(r) < size) return truncated(r);
  if (!weigh(r, WEIGHT_STRING + size)) return false;
  if (size > 0) keys_push(r->known, r->L, r->at, size);
  else lua_pushliteral(r->L, "");
  r->at += size;
  unsigned slot = r->key_count++;
  if (!keep) return true;
  if (slot >= r->slot_count) return fail(r, "a key without a slot");
  r->kept |= (uint32_t)1 << slot;
  lua_copy(r->L, -1, r->base + 1 + (int)slot);
  return true;
}

static inline bool read_slot(Reader *r, unsigned slot) {
  if (!(r->kept >> slot & 1)) return fail(r, "a key from an empty slot");
  lua_pushvalue(r->L, r->base + 1 + (int)slot);
  return true;
}

static bool read_other_key(Reader *r, int top) {
  if (!read_value(r, top)) return false;
  if (lua_isnil(r->L, -1)) return fail(r, "a key that is nil");
  if (lua_type(r->L, -1) == LUA_TNUMBER && !lua_rawequal(r->L, -1, -1))
    return fail(r, "a key that is not a number");
  return true;
}

static inline bool read_key(Reader *r, int top) {
  unsigned tag = *r->at;
  if (tag >= TAG_SLOT + KEY_SLOTS) return read_other_key(r, top);
  r->at++;
  if (tag >= TAG_SLOT) return read_slot(r, tag - TAG_SLOT);
  bool keep = tag < TAG_SHORT;
  size_t size = keep ? tag - TAG_KEEP : tag - TAG_SHORT;
  if (size <= KEY_LONGEST) return read_short_key(r, size, keep);
  return keep ? fail(r, "a key too long for a slot") : read_bytes(r, size);
}

/* Counts the key on top against what the message may make Lua walk. */
static bool spread(Reader *r, Chains *chains) {
  uint32_t steps = chains_count(chains, r->L);
  if (steps > r->steps) return fail(r, "keys chosen to collide");
  r->steps -= steps;
  return true;
}

/* Reads pairs into the table on top of the stack, at index `table`. */
static bool read_pairs(Reader *r, int table, size_t slots) {
  Chains *chains = slots < CHAINS_SLOTS ? NULL : chains_new(r->L, slots);
  int top = chains ? table + 1 : table;
  for (; r->at < r->end && *r->at != TAG_END; slots--) {
    if (slots == 0) return fail(r, "more pairs than announced");
    if (!read_key(r, top) || (chains && !spread(r, chains))) return false;
    if (!read_value(r, top + 1)) return false;
    lua_rawset(r->L, table);
  }
  if (r->at == r->end) return truncated(r);
  r->at++;
  if (chains) lua_pop(r->L, 1);
  return true;
}

static bool read_table(Reader *r, unsigned tag, int top) {
  const uint8_t *tag_at = r->at - 1;
  size_t length;
  unsigned code = tag & TABLE_CODE;
  size_t hash = code > 0 ? (size_t)1 << (code - 1) : 0;
  if (!read_count(r, &length) || !ready_stack(r, top)) return false;
  if (length + hash > r->slots) return fail(r, "a table larger than the message");
  if (r->depth == 0) return fail(r, "tables nested too deep (limit depth)");
  if (!weigh(r, WEIGHT_TABLE + WEIGHT_ITEM * length + WEIGHT_SLOT * hash)) return false;
  r->slots -= length + hash;
  r->depth--;
  lua_createtable(r->L, (int)length, (int)hash);
  if (tag & TABLE_SHARED && !remember_table(r, tag_at)) return false;
  for (size_t i = 1; i <= length; i++) {
    if (!read_value(r, top + 1)) return false;
    lua_rawseti(r->L, top + 1, (lua_Integer)i);
  }
  if (code > 0 && !read_pairs(r, top + 1, hash)) return false;
  r->depth++;
  return true;
}

static bool read_tagged(Reader *r, unsigned tag) {
  switch (tag) {
  case TAG_NIL: lua_pushnil(r->L); return true;
  case TAG_FALSE:
  case TAG_TRUE: lua_pushboolean(r->L, tag == TAG_TRUE); return true;
  case TAG_NULL: lua_pushlightuserdata(r->L, NULL); return true;
  case TAG_DOUBLE: return read_double(r);
  case TAG_STRING: return read_string(r);
  case TAG_REF: return read_ref(r);
  case TAG_PROXY: return read_proxy(r);
  case TAG_SHARED: return read_shared(r);
  default:
    if (tag - TAG_INT < sizeof(lua_Integer)) return read_integer(r, tag - TAG_INT + 1);
    return fail(r, "an unknown tag");
  }
}

/* Pushes one value at index top + 1. */
static bool read_value(Reader *r, int top) {
  if (r->at == r->end) return truncated(r);
  unsigned tag = *r->at++;
  if (tag >= TAG_TABLE) return read_table(r, tag, top);
  if (tag >= TAG_SLOT) return read_tagged(r, tag);
  if (tag >= TAG_SHORT) return read_bytes(r, tag - TAG_SHORT);
  lua_pushinteger(r->L, (lua_Integer)tag - TAG_SMALL - SMALL_BIAS);
  return true;
}

/* ---- the message ---- */

/* Room for so many values, the key slots and refs, and for two levels of tables. */
static bool begin_stack(Reader *r, size_t values, int extra) {
  int room = (int)values + extra + NEEDED + 2;
  if (!lua_checkstack(r->L, room)) return fail(r, "more values than the stack holds");
  r->stack_ready = r->base + room;
  if (r->slot_count > 0) lua_settop(r->L, r->base + (int)r->slot_count);
  return true;
}

/* Reads header and count, and pushes the key slots and refs. */
static bool begin(Reader *r, size_t *count, int *extra) {
  if (left(r) < 1) return truncated(r);
  unsigned header = *r->at++;
  r->slot_count = header & ~(unsigned)HEADER_SHARED;
  if (r->slot_count > KEY_SLOTS) return fail(r, "an unknown header");
  if (!read_count(r, count)) return false;
  *extra = (int)r->slot_count + (header & HEADER_SHARED ? 1 : 0);
  if (*count > INT32_MAX / 2) return fail(r, "more values than the stack holds");
  if (!begin_stack(r, *count, *extra)) return false;
  if (!(header & HEADER_SHARED)) return true;
  lua_newtable(r->L);
  r->refs = r->base + *extra;
  return true;
}

static bool read_list(Reader *r, size_t *count) {
  int extra;
  if (!begin(r, count, &extra)) return false;
  for (int i = 0; i < (int)*count; i++)
    if (!read_value(r, r->base + extra + i)) return false;
  if (r->at != r->end) return fail(r, "bytes behind the end of the message");
  if (extra == 0) return true;
  lua_rotate(r->L, r->base + 1, -extra);
  lua_pop(r->L, extra);
  return true;
}

/* How many bytes a message with a body of that size may have in shared memory. */
static size_t shared_max(const CloneLimits *limits, size_t size) {
  if (!limits->share) return 0;
  size_t left = limits->size - size;
  return left < limits->share->most ? left : limits->share->most;
}

int clone_read(CloneContext *context, lua_State *L, const uint8_t *data, size_t size,
               const CloneLimits *limits, const CloneHooks *hooks, const char **error) {
  int base = lua_gettop(L);
  Reader r = {
      .L = L,
      .at = data,
      .end = data + size,
      .start = data,
      .slots = size,
      .steps = STEPS_FREE + size * STEPS_PER_BYTE,
      .weight = clone_weight_max(limits->size),
      .depth = limits->depth,
      .stack_ready = base,
      .base = base,
      .known = &context->known,
      .hooks = hooks,
      .share = limits->share,
  };
  size_t count = 0;
  if (size > limits->size || size > INT32_MAX) {
    fail(&r, "larger than the limit (messageSize)");
  } else {
    r.shared_left = shared_max(limits, size);
    if (read_list(&r, &count)) return (int)count;
  }
  lua_settop(L, base);
  *error = r.error;
  return -1;
}
