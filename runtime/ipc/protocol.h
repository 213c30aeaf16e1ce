/* SPDX-License-Identifier: MIT
 * The protocol between a main state and its peers: every packet kind, once. docs/protocol.md
 * tells the same in prose; bump PROTOCOL_VERSION whenever a byte on the wire changes meaning.
 *
 * A packet is a header of 16 bytes, little-endian, then the channel, then the body:
 *
 *   0       4      5       6               8      12      16        16+channel      16+size
 *   | size  | kind | flags | channel size  | id   | frame | channel | body           |
 *
 * `size` counts what follows the header. The body is a list of values (vm/clone.h) unless the
 * link's codec is JSON. */
#pragma once

#include <stdint.h>

enum {
  PROTOCOL_VERSION = 2,
  PACKET_HEADER_SIZE = 16,
  PACKET_BLOCKS_SIZE = 8,
  PACKET_CHANNEL_MAX = 0xffff,
  QUESTION_ID_MAX = 1 << 20, /* so this many questions may be open at once, each way */
  VALUES_MAX = 1 << 16,      /* of one body: on their way they are on Lua's stack several times */
};

/* Which end may send a kind. A packet from the wrong end closes the link. */
enum { FROM_MAIN = 1, FROM_PEER = 2, FROM_BOTH = FROM_MAIN | FROM_PEER };

/* kind, value, who may send, what `id` is */
#define PACKET_KINDS(X)                                                                            \
  X(HELLO, 1, FROM_PEER)   /* first packet of a peer, once; id: PROTOCOL_VERSION */                \
  X(BOOT, 2, FROM_MAIN)    /* first packet of main, once; body: what to run and how */             \
  X(MESSAGE, 3, FROM_BOTH) /* one-way message; id: sender's webContents id, 0 for main */          \
  X(INVOKE, 4, FROM_BOTH)  /* a question; id: chosen by the asker, not in use */                   \
  X(REPLY, 5, FROM_BOTH)   /* its answer; id: the question's */                                    \
  X(CANCEL, 6, FROM_BOTH)  /* the asker no longer waits; id: the question's */                     \
  X(SYNC, 7, FROM_PEER)    /* a question whose asker blocks; id as for INVOKE */                   \
  X(SEND_TO, 8, FROM_PEER) /* main passes it on as MESSAGE; id: the receiver's webContents id */   \
  X(UPGRADE, 9, FROM_BOTH) /* to pipes and shared memory; each end's last one on the socket */

typedef enum PacketKind {
#define X(name, value, from) PACKET_##name = (value),
  PACKET_KINDS(X)
#undef X
} PacketKind;

enum {
  PACKET_FLAG_ERROR = 1,    /* REPLY: the body is one table that tells the error */
  PACKET_FLAG_INTERNAL = 2, /* the channel is Lunette's own, never an app's */
  PACKET_FLAG_JSON = 4,     /* the body is JSON text, not a clone */
  PACKET_FLAG_SHARED = 8, /* strings lie in shared memory; behind the body: which blocks, 8 bytes */
  PACKET_FLAGS = 15,      /* all of them; any other bit closes the link */
};
