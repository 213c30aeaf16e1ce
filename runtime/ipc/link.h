/* SPDX-License-Identifier: MIT
 * A link: one ordered duplex connection between two states, carrying packets. */
#pragma once

#include "base/buf.h"
#include "ipc/channel.h"
#include "ipc/loop.h"
#include "ipc/packet.h"
#include "ipc/share.h"
#include "ipc/upgrade.h"

typedef struct Link Link;

/* What a link tells its owner. Each is called from the loop; any of them may close the link. */
typedef struct LinkEvents {
  /* A packet, in order. It stands in the link's buffer until link_finish_packet, which the owner
   * calls as soon as it has read the packet and before anything else may use the link. */
  void (*on_packet)(Link *link, const Packet *packet);
  /* The link ended: the peer closed it (reason NULL) or broke the protocol (the reason). All whole
   * packets came before. Called once; the owner then calls link_close. */
  void (*on_end)(Link *link, const char *reason);
  /* Fewer bytes wait than half the high-water mark, after more than the mark did. */
  void (*on_drained)(Link *link);
} LinkEvents;

/* What the runtime's own packets, and errors with their tracebacks, may have beyond LinkLimits'
 * `message`: an answer must arrive, however small that is. */
enum { LINK_OWN_ROOM = 1 << 16 };

/* Bounds of one link, in bytes. */
typedef struct LinkLimits {
  size_t message;    /* a packet's body, both ways; INT32_MAX at most */
  size_t high_water; /* waiting for a slow reader: beyond it, link_commit says false */
  size_t backlog;    /* undispatched, beyond which nothing more is read */
  size_t queue;      /* waiting for a slow reader: beyond it, the owner accepts nothing more, and a
                      * peer that does not read is not read any more by main */
} LinkLimits;

/* A descriptor under watch. */
typedef struct Watch {
  uv_poll_t poll;
  int events; /* that are asked for */
} Watch;

/* Public to loop.c and to the owner, who may read all of it and set `data` and `limits`. */
struct Link {
  Watch socket, in_pipe, out_pipe;
  int open_watches;         /* of these */
  Loop *loop;               /* borrowed */
  const LinkEvents *events; /* borrowed, constant */
  void *data;               /* the owner's */
  LinkLimits limits;
  List ready_node, dirty_node, grown_node; /* on the lists of `loop` */
  Buf in, out;
  uint64_t written; /* bytes, in all */
  size_t early;     /* waiting bytes beyond which a write does not wait for the turn's end */
  size_t begun;     /* offset in `out` of a packet that is not committed yet, else SIZE_MAX */
  size_t current;   /* size of the packet at the front of `in` that is being read, else 0 */
  uint64_t current_blocks; /* of shared memory, that this packet's strings lie in */
  Share *share;            /* owned; NULL until both ends have mapped it */
  Upgrade upgrade;
  ChannelEnd *channel; /* owned; instead of the socket, within one process; then `fd` is its
                        * descriptor, and the only one */
  size_t switch_at; /* how many bytes of `out` still go through the socket, then next_out_fd has its
                     * turn; SIZE_MAX: none is waiting */
  int from;         /* whose packets are welcome: FROM_MAIN or FROM_PEER */
  int fd;           /* owned; the socket; -1 until link_open and after link_close */
  int in_fd, out_fd; /* where packets come from and go to: the socket, or a pipe that is owned */
  int next_out_fd;   /* owned; a pipe whose turn has not come, or -1 */
  int spare;         /* owned; a reading end of the pipe that is written, or -1 */
  bool idle;         /* it does not keep the loop running */
  bool in_waits;     /* the pipe that is read is a blocking one */
  int odd_reads;     /* of it, in a row, that were to wait and it does not, or the reverse */
  int watching;      /* the uv_poll events that are wanted */
  bool ended;        /* nothing more comes: end of file, or a fault */
  bool end_told;     /* on_end was called */
  bool over_high_water;
  bool clogged;     /* packets wait until the peer has read */
  bool dispatching; /* packets, or the end */
  bool closed;
  const char *fault; /* why the peer is not trusted any more; NULL when it simply closed */
};

/* Makes a link without a connection: what is written to it waits. `from` says whose packets it
 * accepts. NULL when memory is short. The owner ends its life with link_close. */
Link *link_new(Loop *loop, int from, const LinkEvents *events);

/* Connects the link to the stream socket `fd`, which it owns from now on, also on failure.
 * Returns 0 or a negative libuv code. */
int link_open(Link *link, int fd);

/* Connects the link to the end of a channel, which it owns from now on, also on failure. Returns 0
 * or a negative libuv code. */
int link_join(Link *link, ChannelEnd *end);

/* Begins a packet: reserves its header behind what waits already. False when memory is short.
 * Channel and body are appended to link->out by the caller; link_commit or link_rollback follow.
 * Should a raised error prevent both, the next use of the link rolls back. */
bool link_begin(Link *link);

/* Ends the packet that was begun: what was appended since is its channel (packet->channel_size
 * bytes) and its body. The bytes are written at the end of the turn. Returns false when more than
 * the high-water mark waits afterwards. */
bool link_commit(Link *link, Packet *packet);

/* Room for a large string of the packet that was begun, in memory that another process sees, at
 * *offset there. NULL: there is none, and the string goes into the body. */
uint8_t *link_put_shared(Link *link, size_t size, size_t *offset);

/* The same over a channel, whose other end reads what is lent: takes over the loan. False: there is
 * no room, the loan is returned, and the string goes into the body. */
bool link_lend(Link *link, Loan *loan, size_t *offset);

/* The `size` bytes at `offset` that the peer put there, which it may still change; or NULL. */
const uint8_t *link_get_shared(const Link *link, size_t offset, size_t size);

/* What comes next comes through the pipe, which the link owns from now on. For upgrade.c. */
void link_read_from(Link *link, int pipe);

/* What is written from now on goes through the pipe, which the link owns from now on, as it does
 * `spare`: with a reading end of one's own, writing to a dead peer is no SIGPIPE in a host that
 * never asked for signals. For upgrade.c. */
void link_write_to(Link *link, int pipe, int spare);

/* Forgets the packet that was begun; harmless when there is none. */
void link_rollback(Link *link);

/* Moves what waits on `from`, which was never opened, behind what waits on `link`; on_drained comes
 * if it would have. False, with both as they were, when memory is short. */
bool link_take_queue(Link *link, Link *from);

/* How many bytes wait to be written. */
static inline size_t link_queued(const Link *link) { return buf_size(&link->out); }

/* How many bytes wait for the peer, as far as we know: to be written, or, if they were lent, to be
 * read. */
size_t link_unread(const Link *link);

/* Whether that is more than the high-water mark. */
bool link_is_full(const Link *link);

/* Writes as much as the socket takes now; the loop does it once a turn. */
void link_flush(Link *link);

/* Whether all that can happen to the link is that something comes. */
bool link_is_quiet(const Link *link);

/* Blocks until something has come, or the end, or a signal; polls for `spin` nanoseconds first. For
 * loop.c. */
void link_wait(Link *link, uint64_t spin);

/* Dispatches up to `count` packets, then sees to it that the rest has its turn. For loop.c. */
void link_dispatch(Link *link, int count);

/* Whether the memory that grew for large messages, and waits for the next one, was used lately. If
 * not, it is freed. For loop.c. */
bool link_tend(Link *link);

/* The packet given to on_packet was read: its bytes may go. Harmless when there is none. */
void link_finish_packet(Link *link);

/* The peer broke the protocol in a way that only the owner could see: nothing more is read, and
 * on_end follows with this reason, a string that outlives the link. */
void link_fail(Link *link, const char *reason);

/* Blocks this thread until the REPLY to `id` is here, writing and reading meanwhile; other packets
 * stay in the buffer, in order. Returns true with *packet and its *offset in the unread bytes of
 * link->in; false when the link ended first. The caller then calls link_remove. */
bool link_wait_reply(Link *link, uint32_t id, Packet *packet, size_t *offset);

/* Takes the packet at `offset` of the unread bytes, where link_wait_reply found it, out of the
 * buffer. */
void link_remove(Link *link, size_t offset, const Packet *packet);

/* Whether the open link keeps the loop running, as it does at first. */
void link_ref(Link *link, bool keep);

/* Blocks until everything is written, the link ended or `timeout` milliseconds went by. */
void link_drain(Link *link, int timeout);

/* Closes the descriptor; no event comes any more. Idempotent; freed in the close callback. */
void link_close(Link *link);
