/* SPDX-License-Identifier: MIT
 * The bytes of a cloned message, for clone_write.c and clone_read.c only. */
#pragma once

/* body    = header u8, count varint, `count` values
 * header  = number of key slots (0 to KEY_SLOTS), plus HEADER_SHARED if a table is shared
 * varint  = seven bits a byte, low ones first, the high bit says that more follow; padding allowed
 * table   = tag, array length varint, that many values (nil is a hole), and if the hash code in the
 *           tag is not 0, pairs of key and value up to TAG_END. Code c promises 2^(c-1) slots at
 *           most for more than 2^(c-2) pairs, so that slots never outnumber the bytes of the pairs.
 * A REF names a table by the offset of its tag in the body; that tag carries TABLE_SHARED.
 *
 * Keys: the first KEY_SLOTS different string keys of up to KEY_LONGEST bytes are numbered as they
 * appear. When one appears again, its first tag is changed from SHORT to KEEP ("keep this one
 * in its slot") and the number is sent instead. So a key that comes once costs the reader nothing.
 * For this the low tags mean KEEP in a key's place, and a small integer in a value's. */
enum {
  TAG_SMALL = 0x00, /* 64: the integer tag - SMALL_BIAS (value's place) */
  TAG_KEEP = 0x00,  /* 64: a string of tag bytes that goes into its slot (key's place) */
  TAG_SHORT = 0x40, /* 64: a string of tag - TAG_SHORT bytes */
  TAG_SLOT = 0x80,  /* 32: the key in slot tag - TAG_SLOT (key's place) */
  TAG_NIL = 0xa0,
  TAG_FALSE = 0xa1,
  TAG_TRUE = 0xa2,
  TAG_NULL = 0xa3,   /* lunette.null */
  TAG_DOUBLE = 0xa4, /* 8 bytes, little-endian */
  TAG_STRING = 0xa5, /* length varint, bytes */
  TAG_REF = 0xa6,    /* offset varint */
  TAG_PROXY = 0xa7,  /* kind u8, id varint: see CloneHooks */
  TAG_END = 0xa8,    /* the pairs of a table end */
  TAG_SHARED = 0xa9, /* offset varint, length varint: a string in shared memory: see CloneShare */
  TAG_INT = 0xb0,    /* 8: an integer of tag - TAG_INT + 1 bytes, little-endian, sign-extended */
  TAG_TABLE = 0xc0,  /* 64: the hash code is in the low five bits */
  TABLE_SHARED = 0x20,
  TABLE_CODE = 0x1f,
};

enum {
  SMALL_BIAS = 8, /* small integers are -8 to 55 */
  SMALL_COUNT = 64,
  SHORT_LIMIT = 64,
  KEY_SLOTS = 32,
  KEY_LONGEST = 40, /* Lua interns strings up to this: equal ones have one address */
  HEADER_SHARED = 0x80,
  VARINT_MAX = 10,
};

/* The weight of a message: about the bytes that its values take in the reader's Lua state. Writer
 * and reader count the same, see clone_weight_max. */
enum {
  WEIGHT_TABLE = 80,
  WEIGHT_ITEM = 16,   /* of the array part */
  WEIGHT_SLOT = 32,   /* of the hash part */
  WEIGHT_SHARED = 80, /* more for a table that is named again */
  WEIGHT_STRING = 48, /* and its bytes */
};
