/* SPDX-License-Identifier: MIT
 * How a link that is used comes to a pair of pipes for its packets and to shared memory for large
 * strings: a pipe wakes its reader in two thirds of a socket's time. A link that is not used never
 * has them, so that an idle renderer costs no more than its socket. docs/protocol.md tells the
 * exchange. */
#pragma once

#include "ipc/share.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct Link Link;

/* How far the exchange is: main's end goes NONE, OFFERED, PASSED, OVER; the peer's NONE, AWAITED,
 * OVER. */
typedef enum UpgradeStep {
  UPGRADE_NONE,
  UPGRADE_OFFERED, /* the peer has not answered yet */
  UPGRADE_PASSED,  /* the descriptors are on their way */
  UPGRADE_AWAITED, /* descriptors may come */
  UPGRADE_OVER,
} UpgradeStep;

enum {
  UPGRADE_AFTER = 64, /* packets, both ways together */
  UPGRADE_FDS = 3,    /* passed: memory, the pipe that the peer reads, the one that it writes */
};

/* One end's part of the exchange; a member of Link. */
typedef struct Upgrade {
  UpgradeStep step;
  int packets;              /* that went or came, as far as that matters */
  Share *share;             /* owned; main's, until the peer says that it has it */
  int in, out, spare;       /* owned; this end's pipes until they are used, or -1 */
  int passing[UPGRADE_FDS]; /* owned; descriptors that go out, or came in, or -1 */
  size_t pass_at;           /* where in the bytes to write they go out */
} Upgrade;

/* For a new link. */
void upgrade_init(Upgrade *upgrade);

/* Closes what the exchange still holds. */
void upgrade_clear(Upgrade *upgrade);

/* A packet went or came; `is_large` when it is worth an upgrade by itself. Main's end offers one
 * when it is time. */
void upgrade_count(Link *link, bool is_large);

/* The peer's UPGRADE packet is here; `is_last`: nothing that was read stands behind it. */
void upgrade_take(Link *link, bool is_last);

/* Whether bytes to write must go through upgrade_send, not farther than what it sends. */
static inline bool upgrade_is_passing(const Upgrade *upgrade) {
  return upgrade->step == UPGRADE_PASSED && upgrade->passing[0] >= 0;
}

/* send(2) on the link's socket, with the descriptors beside the packet that they belong to. */
ssize_t upgrade_send(Link *link, const void *bytes, size_t size, int flags);

/* recv(2) on the link's socket while descriptors may come, which it keeps. */
ssize_t upgrade_receive(Link *link, void *bytes, size_t size, int flags);
