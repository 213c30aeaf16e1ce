/* SPDX-License-Identifier: MIT
 * Structured clone, writing: one pass over the values, straight into the caller's buffer.
 *
 * The stack while tables are open: ... (base) key value key value ..., a pair a level, where each
 * value but the last is the next open table. So the top tells the depth, and after a failure the
 * keys still lying there are the path to the culprit. Nothing here raises until then.
 *
 * C stack: write_table and what it calls for the next level take about 150 bytes together, so the
 * default of 1000 levels fits a thread with 256 KiB. Keep big locals out of those functions. */
#include "vm/clone.h"

#include <endian.h>
#include <string.h>

#include "vm/clone_error.h"
#include "vm/clone_format.h"
#include "vm/clone_seen.h"

enum {
  GAP_LONGEST = 16, /* more nils than this in a row are not written as holes */
  SIZE_SLACK = 16,  /* every reservation of fixed size is smaller */
  SHARED_MAX = 11,  /* a tag and two numbers below 2^35: shared memory is never as large */
};

typedef struct Writer {
  lua_State *L;
  uint8_t *at;    /* next byte to write, inside out */
  uint8_t *limit; /* no byte may be written from here on without make_room */
  uint8_t *start; /* of the body */
  CloneContext *context;
  const CloneHooks *hooks;
  const CloneShare *share;
  size_t size_max;   /* bytes that the body may still have, beside what is shared */
  uint64_t proxy_id; /* what the hooks said last */
  uint8_t proxy_kind;
  int slot_count; /* key slots that the reader needs */
  int shared;     /* HEADER_SHARED once a table came twice */
  Buf *out;
  size_t before;    /* unread bytes in out in front of the body */
  size_t weight;    /* that the values to come may have */
  int top_max;      /* the top at which one table too many would be entered */
  int stack_ready;  /* up to this index the stack has room */
  CloneError error; /* all but the problem is set while there is none */
} Writer;

static bool write_value(Writer *w, int index, int top);

static bool fail(Writer *w, CloneProblem problem) {
  w->error.problem = problem;
  return false;
}

static inline bool weigh(Writer *w, size_t weight) {
  if (weight > w->weight) return fail(w, PROBLEM_WEIGHT);
  w->weight -= weight;
  return true;
}

/* ---- bytes ---- */

static void take_buffer(Writer *w) {
  size_t used = buf_size(w->out) - w->before;
  size_t room = w->out->capacity - w->out->end;
  size_t allowed = w->size_max + SIZE_SLACK - used;
  w->at = w->out->data + w->out->end;
  w->start = w->at - used;
  w->limit = w->at + (room < allowed ? room : allowed);
}

static uint8_t *make_room(Writer *w, size_t size) {
  size_t used = (size_t)(w->at - w->start);
  w->out->end = (size_t)(w->at - w->out->data);
  bool fits = used <= w->size_max && size <= w->size_max + SIZE_SLACK - used;
  if (fits && buf_reserve(w->out, size)) {
    take_buffer(w);
    return w->at;
  }
  fail(w, fits ? PROBLEM_MEMORY : PROBLEM_SIZE);
  return NULL;
}

/* Room for `size` bytes at w->at, which the caller moves on; NULL is a failure. */
static inline uint8_t *room(Writer *w, size_t size) {
  if (size <= (size_t)(w->limit - w->at)) return w->at;
  return make_room(w, size);
}

static inline uint8_t *put_varint(uint8_t *at, uint64_t value) {
  for (; value > 127; value >>= 7) *at++ = (uint8_t)(value | 128);
  *at++ = (uint8_t)value;
  return at;
}

static inline void put_64(uint8_t *at, uint64_t value) {
  value = htole64(value);
  memcpy(at, &value, sizeof value);
}

static inline bool write_tag(Writer *w, int tag) {
  uint8_t *at = room(w, 1);
  if (!at) return false;
  *at = (uint8_t)tag;
  w->at = at + 1;
  return true;
}

static inline bool write_varint(Writer *w, uint64_t value) {
  uint8_t *at = room(w, VARINT_MAX);
  if (!at) return false;
  w->at = put_varint(at, value);
  return true;
}

/* ---- plain values ---- */

static inline bool write_integer(Writer *w, lua_Integer value) {
  uint8_t *at = room(w, 1 + sizeof value);
  if (!at) return false;
  uint64_t magnitude = (uint64_t)(value < 0 ? ~value : value);
  int bits = 65 - __builtin_clzll(magnitude | 1); /* with the sign */
  int size = (bits + 7) / 8;
  *at = (uint8_t)(TAG_INT + size - 1);
  put_64(at + 1, (uint64_t)value);
  w->at = at + 1 + size;
  return true;
}

static bool write_double(Writer *w, lua_Number value) {
  uint8_t *at = room(w, 1 + sizeof value);
  if (!at) return false;
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  *at = TAG_DOUBLE;
  put_64(at + 1, bits);
  w->at = at + 1 + sizeof bits;
  return true;
}

static inline bool write_number(Writer *w, int index) {
  if (!lua_isinteger(w->L, index)) return write_double(w, lua_tonumber(w->L, index));
  lua_Integer value = lua_tointeger(w->L, index);
  if ((lua_Unsigned)value + SMALL_BIAS >= SMALL_COUNT) return write_integer(w, value);
  return write_tag(w, TAG_SMALL + (int)value + SMALL_BIAS);
}

static bool write_in_body(Writer *w, const char *bytes, size_t size) {
  uint8_t *at = room(w, size + 1 + VARINT_MAX);
  if (!at || !weigh(w, WEIGHT_STRING + size)) return false;
  *at++ = TAG_STRING;
  at = put_varint(at, size);
  memcpy(at, bytes, size);
  w->at = at + size;
  return true;
}

/* Into shared memory, if the string is worth it and the message may be as large. */
static bool put_shared(Writer *w, const char *bytes, size_t size, size_t *offset) {
  const CloneShare *share = w->share;
  size_t used = (size_t)(w->at - w->start);
  if (!share || size < share->least || size > w->size_max - used) return false;
  return share->put(share->data, w->L, bytes, size, offset);
}

static bool write_long(Writer *w, const char *bytes, size_t size) {
  size_t offset;
  if (!put_shared(w, bytes, size, &offset)) return write_in_body(w, bytes, size);
  uint8_t *at = room(w, SHARED_MAX);
  if (!at || !weigh(w, WEIGHT_STRING + size)) return false;
  *at++ = TAG_SHARED;
  w->at = put_varint(put_varint(at, offset), size);
  w->size_max -= size;
  return true;
}

static inline bool write_bytes(Writer *w, const char *bytes, size_t size) {
  if (size >= SHORT_LIMIT) return write_long(w, bytes, size);
  uint8_t *at = room(w, size + 1);
  if (!at || !weigh(w, WEIGHT_STRING + size)) return false;
  *at = (uint8_t)(TAG_SHORT + size);
  memcpy(at + 1, bytes, size);
  w->at = at + 1 + size;
  return true;
}

static inline bool write_string(Writer *w, int index) {
  size_t size;
  const char *bytes = lua_tolstring(w->L, index, &size);
  return write_bytes(w, bytes, size);
}

/* ---- tables ---- */

static inline bool ready_stack(Writer *w, int top) {
  enum { NEEDED = LUA_MINSTACK + 4 };
  if (top + NEEDED <= w->stack_ready) return true;
  if (!lua_checkstack(w->L, 4 * NEEDED)) return fail(w, PROBLEM_MEMORY);
  w->stack_ready = top + 4 * NEEDED;
  return true;
}

/* Asks the hooks whether a proxy is to be sent for the value. */
static bool is_exported(Writer *w, int index) {
  const CloneHooks *hooks = w->hooks;
  return hooks && hooks->export_value(hooks->data, w->L, index, &w->proxy_id, &w->proxy_kind);
}

static bool has_metatable(Writer *w, int table) {
  if (!lua_getmetatable(w->L, table)) return false;
  lua_pop(w->L, 1);
  return true;
}

static bool write_proxy(Writer *w) {
  return write_tag(w, TAG_PROXY) && write_tag(w, w->proxy_kind) && write_varint(w, w->proxy_id);
}

/* Everything that most messages do not hold. */
static bool write_special(Writer *w, int index, int top) {
  switch (lua_type(w->L, index)) {
  case LUA_TFUNCTION:
  case LUA_TUSERDATA:
    if (!ready_stack(w, top)) return false;
    if (is_exported(w, index)) return write_proxy(w);
    return fail(w, lua_isuserdata(w->L, index) ? PROBLEM_USERDATA : PROBLEM_FUNCTION);
  case LUA_TTHREAD: return fail(w, PROBLEM_THREAD);
  case LUA_TLIGHTUSERDATA:
    if (!lua_touserdata(w->L, index)) return write_tag(w, TAG_NULL);
    return fail(w, PROBLEM_USERDATA);
  default: return fail(w, PROBLEM_USERDATA); /* there is no other type */
  }
}

/* A key that comes again: from here on its first place keeps it, and its number is sent. */
static bool write_slot(Writer *w, SeenKey *seen) {
  if (!seen->kept) {
    seen->kept = true;
    w->start[seen->offset] = (uint8_t)(w->start[seen->offset] - TAG_SHORT + TAG_KEEP);
    if (w->slot_count <= seen->slot) w->slot_count = seen->slot + 1;
  }
  return write_tag(w, TAG_SLOT + seen->slot);
}

static inline bool write_key_string(Writer *w, int index) {
  CloneContext *c = w->context;
  size_t size;
  const char *bytes = lua_tolstring(w->L, index, &size);
  if (size > KEY_LONGEST) return write_bytes(w, bytes, size);
  SeenKey *seen = seen_find_key(c, bytes);
  if (seen->generation == c->generation) return write_slot(w, seen);
  if (c->key_count < KEY_SLOTS) {
    uint32_t offset = (uint32_t)(w->at - w->start);
    *seen = (SeenKey){bytes, c->generation, offset, (uint8_t)c->key_count++, false};
  }
  return write_bytes(w, bytes, size);
}

static bool write_key(Writer *w, int index, int top) {
  if (lua_type(w->L, index) == LUA_TSTRING) return write_key_string(w, index);
  if (lua_isinteger(w->L, index)) return write_integer(w, lua_tointeger(w->L, index));
  return write_value(w, index, top);
}

/* Changes a varint to a value that is no larger, without moving what follows it. */
static void patch_varint(uint8_t *at, uint64_t value) {
  for (; *at & 128; value >>= 7) *at++ = (uint8_t)(value | 128);
  *at = (uint8_t)value;
}

typedef enum Walk { WALK_FAILED, WALK_OVER, WALK_MORE } Walk;

/* Writes the array length and the values of keys 1, 2, 3... for as long as lua_next brings them in
 * this order. The pair where they stop is left on the stack (WALK_MORE). The border alone cannot
 * be trusted as the length: it may be huge in a table of few values that lie in the hash part. */
static Walk write_array(Writer *w, int table, int top) {
  lua_State *L = w->L;
  lua_Unsigned length = lua_isinteger(L, -2) ? lua_rawlen(L, table) : 0;
  size_t length_at = (size_t)(w->at - w->start);
  if (!write_varint(w, length)) return WALK_FAILED;
  lua_Unsigned next = 1;
  bool more = true;
  while (more && next <= length && lua_isinteger(L, -2)) {
    lua_Unsigned key = (lua_Unsigned)lua_tointeger(L, -2);
    if (key > length || key - next > GAP_LONGEST) break; /* a key below next wraps around */
    for (; next < key; next++)
      if (!write_tag(w, TAG_NIL)) return WALK_FAILED;
    if (!write_value(w, top + 2, top + 2)) return WALK_FAILED;
    next++;
    lua_pop(L, 1);
    more = lua_next(L, table) != 0;
  }
  if (next <= length) patch_varint(w->start + length_at, next - 1);
  if (!weigh(w, WEIGHT_ITEM * (size_t)(next - 1))) return WALK_FAILED;
  return more ? WALK_MORE : WALK_OVER;
}

/* Writes the pair on the stack and all that follow it; `tag` is the offset of the table's tag. */
static bool write_pairs(Writer *w, int table, int top, size_t tag) {
  uint32_t count = 0;
  do {
    if (!write_key(w, top + 1, top + 2)) {
      w->error.bad_key = top + 1; /* unwinding leaves the outermost here */
      return false;
    }
    if (!write_value(w, top + 2, top + 2)) return false;
    lua_pop(w->L, 1);
    count++;
  } while (lua_next(w->L, table));
  int code = count > 1 ? 33 - __builtin_clz(count - 1) : 1;
  w->start[tag] = (uint8_t)(w->start[tag] | code);
  return weigh(w, (size_t)WEIGHT_SLOT << (code - 1)) && write_tag(w, TAG_END);
}

static bool write_ref(Writer *w, const SeenTable *seen) {
  w->shared = HEADER_SHARED;
  bool first = !(w->start[seen->offset] & TABLE_SHARED);
  if (first && !weigh(w, WEIGHT_SHARED)) return false;
  w->start[seen->offset] |= TABLE_SHARED;
  return write_tag(w, TAG_REF) && write_varint(w, seen->offset);
}

static bool write_table(Writer *w, int table, int top) {
  if (!ready_stack(w, top)) return false;
  if (w->hooks && has_metatable(w, table) && is_exported(w, table)) return write_proxy(w);
  CloneContext *c = w->context;
  const void *identity = lua_topointer(w->L, table);
  SeenTable *seen = seen_find_table(c, identity);
  if (seen->generation == c->generation) return write_ref(w, seen);
  if (top >= w->top_max) return fail(w, PROBLEM_DEPTH);
  if (!weigh(w, WEIGHT_TABLE)) return false;
  size_t tag = (size_t)(w->at - w->start);
  if (!seen_add_table(c, seen, identity, tag)) return fail(w, PROBLEM_MEMORY);
  if (!write_tag(w, TAG_TABLE)) return false;
  lua_pushnil(w->L);
  if (!lua_next(w->L, table)) return write_tag(w, 0);
  Walk walk = write_array(w, table, top);
  return walk == WALK_MORE ? write_pairs(w, table, top, tag) : walk == WALK_OVER;
}

static bool write_value(Writer *w, int index, int top) {
  switch (lua_type(w->L, index)) {
  case LUA_TNIL: return write_tag(w, TAG_NIL);
  case LUA_TBOOLEAN: return write_tag(w, lua_toboolean(w->L, index) ? TAG_TRUE : TAG_FALSE);
  case LUA_TNUMBER: return write_number(w, index);
  case LUA_TSTRING: return write_string(w, index);
  case LUA_TTABLE: return write_table(w, index, top);
  default: return write_special(w, index, top);
  }
}

/* ---- the message ---- */

static bool write_list(Writer *w, int first, int count) {
  if (!seen_begin(w->context) || !buf_reserve(w->out, 1)) return fail(w, PROBLEM_MEMORY);
  take_buffer(w);
  /* The header is known when all is written. */
  if (!write_tag(w, 0) || !write_varint(w, (uint64_t)count)) return false;
  for (int i = 0; i < count; i++) {
    w->error.argument = i + 1;
    if (!write_value(w, first + i, w->error.base)) return false;
    /* room allows a few bytes too many */
    if ((size_t)(w->at - w->start) > w->size_max) return fail(w, PROBLEM_SIZE);
  }
  *w->start = (uint8_t)(w->slot_count | w->shared);
  w->out->end = (size_t)(w->at - w->out->data);
  return true;
}

bool clone_write(CloneContext *context, lua_State *L, int first, int count,
                 const CloneLimits *limits, const CloneHooks *hooks, const char *what, Buf *out) {
  int base = lua_gettop(L);
  Writer w = {
      .L = L,
      .context = context,
      .hooks = hooks,
      .share = limits->share,
      .out = out,
      .before = buf_size(out),
      .top_max = base + 2 * limits->depth,
      .stack_ready = base,
      .error = {.what = what, .argument = 1, .base = base, .depth = limits->depth},
  };
  w.weight = clone_weight_max(limits->size);
  w.size_max = w.error.size = limits->size < INT32_MAX ? limits->size : INT32_MAX;
  if (write_list(&w, first, count)) return true;
  out->end = out->start + w.before;
  clone_push_error(L, &w.error);
  return false;
}
