/* SPDX-License-Identifier: MIT
 * Packets and links, over a socket pair whose other end the test plays, byte by byte. */
#include "host.h"

#include "ipc/link.h"

#include <sys/socket.h>
#include <unistd.h>

/* One link under test, and what it told. */
typedef struct End {
  Loop *loop;
  Link *link;
  int fd; /* the other end; -1 once closed */
  char log[4096];
  int packets;
  int drained;
  int ended;
  const char *reason;
  int close_at;  /* closes the link in on_packet when this many came; 0: never */
  uint64_t work; /* nanoseconds that each packet takes */
} End;

static void on_packet(Link *link, const Packet *packet) {
  End *end = link->data;
  size_t used = strlen(end->log);
  end->packets++;
  if (used < sizeof end->log / 2) {
    snprintf(end->log + used, sizeof end->log - used, "%s %u %.*s %zu\n",
             packet_kind_name(packet->kind), packet->id, (int)packet->channel_size, packet->channel,
             packet->body_size);
  }
  link_finish_packet(link);
  for (uint64_t begun = uv_hrtime(); uv_hrtime() - begun < end->work;) continue;
  if (end->packets == end->close_at) link_close(link);
}

static void on_end(Link *link, const char *reason) {
  End *end = link->data;
  end->ended++;
  end->reason = reason;
}

static void on_drained(Link *link) {
  End *end = link->data;
  end->drained++;
}

static const LinkEvents events = {on_packet, on_end, on_drained};

/* An end on a loop that is another's. */
static void end_join(End *end, int from, Loop *loop) {
  int pair[2];
  memset(end, 0, sizeof *end);
  end->loop = loop;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  end->link = link_new(end->loop, from, &events);
  end->link->data = end;
  end->fd = pair[1];
  CHECK(link_open(end->link, pair[0]) == 0);
}

static void end_init(End *end, int from) {
  Loop *loop = loop_new();
  CHECK(loop && loop_start(loop) == 0);
  end_join(end, from, loop);
}

static void hang_up(End *end) {
  if (end->fd >= 0) close(end->fd);
  end->fd = -1;
}

static void end_clear(End *end) {
  hang_up(end);
  link_close(end->link);
  loop_free(end->loop);
}

/* Turns the loop until nothing more can be due. */
static void turn(End *end) {
  for (int i = 0; i < 20 || !list_empty(&end->loop->ready); i++) {
    uv_run(&end->loop->uv, UV_RUN_NOWAIT);
  }
}

/* Writes bytes to the link, which reads meanwhile. Gives up when it does not. */
static bool feed(End *end, const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  for (int idle = 0; size > 0 && idle < 1000; idle++) {
    ssize_t sent = send(end->fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      at += sent;
      size -= (size_t)sent;
      idle = 0;
    }
    uv_run(&end->loop->uv, UV_RUN_NOWAIT);
  }
  return size == 0;
}

static void put_packet(Buf *buf, int kind, int flags, uint32_t id, const char *channel,
                       size_t body_size) {
  uint8_t header[PACKET_HEADER_SIZE];
  Packet packet = {.kind = (PacketKind)kind,
                   .flags = (uint8_t)flags,
                   .id = id,
                   .channel_size = strlen(channel),
                   .body_size = body_size};
  packet_write_header(header, &packet);
  buf_append(buf, header, sizeof header);
  buf_append(buf, channel, packet.channel_size);
  buf_reserve(buf, body_size);
  memset(buf->data + buf->end, 'b', body_size);
  buf->end += body_size;
}

static bool send_packet(Link *link, int kind, uint32_t id, size_t body_size) {
  Packet packet = {.kind = (PacketKind)kind, .id = id};
  if (!link_begin(link)) return false;
  buf_reserve(&link->out, body_size);
  memset(link->out.data + link->out.end, 'b', body_size);
  link->out.end += body_size;
  return link_commit(link, &packet);
}

/* Reads what the link wrote, until `size` bytes came or nothing more does. */
static size_t drink(End *end, size_t size) {
  static uint8_t bytes[1 << 16];
  size_t total = 0;
  for (int idle = 0; total < size && idle < 100; idle++) {
    size_t wanted = size - total < sizeof bytes ? size - total : sizeof bytes;
    ssize_t got = recv(end->fd, bytes, wanted, MSG_DONTWAIT);
    if (got > 0) {
      total += (size_t)got;
      idle = 0;
    }
    uv_run(&end->loop->uv, UV_RUN_NOWAIT);
  }
  return total;
}

/* Packets */

static PacketStatus read_header(const uint8_t *header, int from, const char **error) {
  Packet packet;
  size_t size;
  return packet_read(header, PACKET_HEADER_SIZE, from, 1000, &packet, &size, error);
}

static void test_kinds(void) {
  static const int main_sends[] = {PACKET_BOOT,  PACKET_MESSAGE, PACKET_INVOKE,
                                   PACKET_REPLY, PACKET_CANCEL,  PACKET_UPGRADE};
  static const int peer_sends[] = {PACKET_HELLO,  PACKET_MESSAGE, PACKET_INVOKE,  PACKET_REPLY,
                                   PACKET_CANCEL, PACKET_SYNC,    PACKET_SEND_TO, PACKET_UPGRADE};
  for (int kind = 0; kind < 256; kind++) {
    bool main_may = false, peer_may = false;
    for (size_t i = 0; i < sizeof main_sends / sizeof *main_sends; i++) {
      if (main_sends[i] == kind) main_may = true;
    }
    for (size_t i = 0; i < sizeof peer_sends / sizeof *peer_sends; i++) {
      if (peer_sends[i] == kind) peer_may = true;
    }
    uint8_t header[PACKET_HEADER_SIZE] = {[4] = (uint8_t)kind};
    const char *error = NULL;
    CHECK((read_header(header, FROM_MAIN, &error) == PACKET_WHOLE) == main_may);
    CHECK((read_header(header, FROM_PEER, &error) == PACKET_WHOLE) == peer_may);
    CHECK((strcmp(packet_kind_name((unsigned)kind), "?") != 0) == (main_may || peer_may));
  }
}

static void test_header(void) {
  const char *error = NULL;
  for (int flags = 0; flags < 256; flags++) {
    uint8_t header[PACKET_HEADER_SIZE] = {[4] = PACKET_MESSAGE, [5] = (uint8_t)flags};
    bool is_whole = read_header(header, FROM_PEER, &error) == PACKET_WHOLE;
    CHECK(is_whole == (flags < PACKET_FLAG_SHARED)); /* which needs more than a header */
  }
  uint8_t large[PACKET_HEADER_SIZE] = {0xe8, 3, [4] = PACKET_MESSAGE}; /* 1,000 */
  CHECK(read_header(large, FROM_PEER, &error) == PACKET_MORE);
  large[0]++;
  CHECK(read_header(large, FROM_PEER, &error) == PACKET_BAD);
  uint8_t largest[PACKET_HEADER_SIZE] = {255, 255, 255, 255, [4] = PACKET_MESSAGE};
  CHECK(read_header(largest, FROM_PEER, &error) == PACKET_BAD);
  uint8_t channel[PACKET_HEADER_SIZE] = {5, [4] = PACKET_MESSAGE, [6] = 6};
  CHECK(read_header(channel, FROM_PEER, &error) == PACKET_BAD);
  channel[6] = 5;
  CHECK(read_header(channel, FROM_PEER, &error) == PACKET_MORE);
}

static void test_fields(void) {
  uint8_t bytes[PACKET_HEADER_SIZE + 5] = {0};
  Packet sent = {.kind = PACKET_REPLY,
                 .flags = PACKET_FLAG_ERROR | PACKET_FLAG_JSON,
                 .id = 0x89abcdef,
                 .frame = 0xfedcba98,
                 .channel_size = 2,
                 .body_size = 3};
  packet_write_header(bytes, &sent);
  memcpy(bytes + PACKET_HEADER_SIZE, "chbod", 5);
  Packet came;
  size_t size;
  const char *error = NULL;
  for (size_t here = 0; here < sizeof bytes; here++) {
    CHECK(packet_read(bytes, here, FROM_PEER, 5, &came, &size, &error) == PACKET_MORE);
    CHECK(size == (here < PACKET_HEADER_SIZE ? 0 : sizeof bytes));
  }
  CHECK(packet_read(bytes, sizeof bytes, FROM_PEER, 5, &came, &size, &error) == PACKET_WHOLE);
  CHECK(came.kind == sent.kind && came.flags == sent.flags && came.id == sent.id);
  CHECK(came.frame == sent.frame && came.channel_size == 2 && came.body_size == 3);
  CHECK(memcmp(came.channel, "ch", 2) == 0 && memcmp(came.body, "bod", 3) == 0);
}

/* Reading */

static void test_bytewise(void) {
  End end;
  Buf buf = {0};
  end_init(&end, FROM_PEER);
  put_packet(&buf, PACKET_MESSAGE, 0, 1, "first", 3);
  size_t first = buf_size(&buf);
  put_packet(&buf, PACKET_INVOKE, 0, 2, "", 0);
  for (size_t i = 0; i < buf_size(&buf); i++) {
    CHECK(feed(&end, buf_front(&buf) + i, 1));
    turn(&end);
    CHECK(end.packets == (i + 1 >= first) + (i + 1 == buf_size(&buf)));
  }
  CHECK(strcmp(end.log, "MESSAGE 1 first 3\nINVOKE 2  0\n") == 0);
  CHECK(end.ended == 0);
  buf_clear(&buf);
  end_clear(&end);
}

/* A packet that is not to be, with what the peer is told to have sent. */
typedef struct Fault {
  uint8_t header[PACKET_HEADER_SIZE];
  const char *reason;
} Fault;

static const Fault faults[] = {
    {{[4] = 0}, "a packet of a kind that this peer may not send"},
    {{[4] = PACKET_BOOT}, "a packet of a kind that this peer may not send"},
    {{[4] = 10}, "a packet of a kind that this peer may not send"},
    {{[4] = 255}, "a packet of a kind that this peer may not send"},
    {{[4] = PACKET_MESSAGE, 16}, "a packet with unknown flags"},
    {{[4] = PACKET_MESSAGE, 255}, "a packet with unknown flags"},
    {{0, 0, 0, 0x80, PACKET_MESSAGE}, "a packet larger than the limit messageSize"},
    {{7, 0, 0, 0, PACKET_MESSAGE, PACKET_FLAG_SHARED},
     "a packet without the blocks that it shares"},
    {{9, 0, 0, 0, PACKET_MESSAGE, PACKET_FLAG_SHARED, 2},
     "a packet without the blocks that it shares"},
    {{255, 255, 255, 255, PACKET_MESSAGE}, "a packet larger than the limit messageSize"},
    {{4, 0, 0, 0, PACKET_MESSAGE, 0, 5}, "a packet whose channel is longer than the packet"},
    {{4, 0, 0, 0, PACKET_MESSAGE, 0, 0, 1}, "a packet whose channel is longer than the packet"},
};

static void test_faults(void) {
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    End end;
    Buf buf = {0};
    end_init(&end, FROM_PEER);
    put_packet(&buf, PACKET_MESSAGE, 0, 1, "good", 3);
    buf_append(&buf, faults[i].header, PACKET_HEADER_SIZE);
    put_packet(&buf, PACKET_MESSAGE, 0, 2, "never", 3);
    CHECK(feed(&end, buf_front(&buf), buf_size(&buf)));
    turn(&end);
    CHECK(strcmp(end.log, "MESSAGE 1 good 3\n") == 0);
    CHECK(end.ended == 1 && end.reason && strcmp(end.reason, faults[i].reason) == 0);
    buf_clear(&buf);
    end_clear(&end);
  }
}

static void test_cuts(void) {
  Buf buf = {0};
  put_packet(&buf, PACKET_MESSAGE, 0, 1, "channel", 9);
  for (size_t cut = 0; cut < buf_size(&buf); cut++) {
    End end;
    end_init(&end, FROM_PEER);
    CHECK(feed(&end, buf_front(&buf), buf_size(&buf)) && feed(&end, buf_front(&buf), cut));
    hang_up(&end);
    turn(&end);
    CHECK(end.packets == 1 && end.ended == 1 && !end.reason);
    end_clear(&end);
  }
  buf_clear(&buf);
}

/* A length that is only claimed takes no memory. */
static void test_claim(void) {
  End end;
  uint8_t header[PACKET_HEADER_SIZE + 100] = {0, 0, 0, 0x0f, PACKET_MESSAGE}; /* 240 MiB */
  end_init(&end, FROM_PEER);
  CHECK(feed(&end, header, sizeof header));
  turn(&end);
  CHECK(end.packets == 0 && end.ended == 0 && end.link->in.capacity < 1 << 20);
  end_clear(&end);
}

static uint32_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 33);
}

static void test_random_bytes(void) {
  uint64_t state = 42;
  for (int round = 0; round < 300; round++) {
    End end;
    uint8_t bytes[400];
    size_t size = next_random(&state) % sizeof bytes;
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)next_random(&state);
    if (size > 4 && round % 2) {
      bytes[1] = bytes[2] = bytes[3] = 0;
      bytes[4] = PACKET_MESSAGE;
    }
    end_init(&end, FROM_PEER);
    feed(&end, bytes, size);
    hang_up(&end);
    turn(&end);
    CHECK(end.ended == 1);
    end_clear(&end);
  }
}

/* A backlog stops reading; the packet behind it, of which only a part is here, starts it again. */
static void test_resume(void) {
  enum { SMALL = 400, LARGE = 4 << 20 };
  End end;
  Buf buf = {0};
  end_init(&end, FROM_PEER);
  end.loop->budget = 0; /* a round a turn, so that bytes pile up */
  for (int i = 0; i < SMALL; i++) put_packet(&buf, PACKET_MESSAGE, 0, 0, "small", 100);
  put_packet(&buf, PACKET_MESSAGE, 0, 0, "large", LARGE);
  CHECK(feed(&end, buf_front(&buf), buf_size(&buf)));
  turn(&end);
  CHECK(end.packets == SMALL + 1);
  CHECK(end.link->in.capacity <= BUF_KEEP);
  buf_clear(&buf);
  end_clear(&end);
}

/* A flood is read only as far as it is dispatched. */
static void check_backlog(size_t backlog, size_t bound) {
  End end;
  Buf buf = {0};
  end_init(&end, FROM_PEER);
  end.loop->budget = 0;
  end.link->limits.backlog = backlog;
  for (int i = 0; i < 100000; i++) put_packet(&buf, PACKET_MESSAGE, 0, 0, "n", 100);
  size_t most = 0;
  for (size_t at = 0; at < buf_size(&buf);) {
    ssize_t sent = send(end.fd, buf_front(&buf) + at, buf_size(&buf) - at, MSG_DONTWAIT);
    if (sent > 0) at += (size_t)sent;
    uv_run(&end.loop->uv, UV_RUN_NOWAIT);
    if (buf_size(&end.link->in) > most) most = buf_size(&end.link->in);
  }
  for (int i = 0; i < 100 && end.packets < 100000; i++) turn(&end);
  CHECK(end.packets == 100000 && most < bound);
  buf_clear(&buf);
  end_clear(&end);
}

static void test_backlog(void) {
  check_backlog(1 << 18, 2 << 20);
  check_backlog(1000, 70000);
  check_backlog(1, 70000);
}

static void send_notes(End *end, int count) {
  Buf buf = {0};
  for (int i = 0; i < count; i++) put_packet(&buf, PACKET_MESSAGE, 0, 0, "n", 10);
  CHECK(send(end->fd, buf_front(&buf), buf_size(&buf), 0) == (ssize_t)buf_size(&buf));
  buf_clear(&buf);
}

/* How many turns the link takes for that many packets, of which each takes 20 us. */
static int turns_of_flood(End *end, int count) {
  int turns = 0, wanted = end->packets + count;
  end->work = 20000;
  send_notes(end, count);
  for (; end->packets < wanted && turns < 1000; turns++) {
    uv_run(&end->loop->uv, UV_RUN_NOWAIT);
  }
  return turns;
}

/* A link with a backlog has long turns while it is alone, and short ones beside another. */
static void test_shared_loop(void) {
  End flood, other;
  end_init(&flood, FROM_PEER);
  flood.loop->budget = UINT64_MAX / 2;
  CHECK(turns_of_flood(&flood, 80) == 1);
  end_join(&other, FROM_PEER, flood.loop);
  CHECK(turns_of_flood(&flood, 80) == 10);
  hang_up(&other);
  link_close(other.link);
  CHECK(turns_of_flood(&flood, 80) == 1);
  end_clear(&flood);
}

static void answer(Link *link, const Packet *packet) {
  on_packet(link, packet);
  CHECK(send_packet(link, PACKET_MESSAGE, 1, 0));
}

/* The link's owner may close it here, which the dispatching that called must survive. */
static void close_drained(Link *link) {
  on_drained(link);
  link_close(link);
}

/* What is written to a link without a backlog leaves before the others' backlog is dispatched. */
static void test_early_flush(void) {
  static const LinkEvents answering = {answer, on_end, close_drained};
  End flood, other;
  char bytes[256];
  end_init(&flood, FROM_PEER);
  end_join(&other, FROM_PEER, flood.loop);
  other.link->events = &answering;
  other.link->over_high_water = true; /* so that writing tells that there is room again */
  send_notes(&flood, 8 * 50);
  send_notes(&other, 1);
  while (other.packets == 0) uv_run(&flood.loop->uv, UV_RUN_NOWAIT);
  CHECK(flood.packets < 8 * 50);
  CHECK(recv(other.fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0 && other.drained == 1);
  turn(&flood);
  CHECK(flood.packets == 8 * 50);
  hang_up(&other);
  end_clear(&flood);
}

/* Writing */

static void test_water_marks(void) {
  End end;
  end_init(&end, FROM_PEER);
  end.link->limits.high_water = 1 << 20;
  int sent = 1;
  while (send_packet(end.link, PACKET_MESSAGE, 1, 100000)) sent++;
  size_t queued = link_queued(end.link);
  CHECK(queued > 1 << 20 && queued < (1 << 20) + 200000 && end.drained == 0);
  turn(&end);
  CHECK(end.drained == 0);
  size_t size = (size_t)sent * (100000 + PACKET_HEADER_SIZE);
  CHECK(drink(&end, size) == size);
  CHECK(end.drained == 1 && link_queued(end.link) == 0);
  CHECK(send_packet(end.link, PACKET_MESSAGE, 1, 10));
  end_clear(&end);
}

/* Main does not read a peer that does not read; a peer always reads main. */
static void test_clogged(int from, bool is_read) {
  End end;
  Buf buf = {0};
  end_init(&end, from);
  end.link->limits.queue = 1 << 20;
  while (link_queued(end.link) <= 1 << 20) send_packet(end.link, PACKET_REPLY, 1, 100000);
  for (int i = 0; i < 100; i++) put_packet(&buf, PACKET_MESSAGE, 0, 0, "n", 10);
  CHECK(feed(&end, buf_front(&buf), buf_size(&buf)));
  for (int i = 0; i < 30; i++) uv_run(&end.loop->uv, UV_RUN_NOWAIT);
  CHECK(end.packets == (is_read ? 100 : 0));
  drink(&end, 1 << 19);
  turn(&end);
  CHECK(end.packets == 100);
  buf_clear(&buf);
  end_clear(&end);
}

/* What a peer sent before it went is dispatched, clogged or not. */
static void test_clogged_end(void) {
  End end;
  Buf buf = {0};
  end_init(&end, FROM_PEER);
  end.link->limits.queue = 1 << 20;
  while (link_queued(end.link) <= 1 << 20) send_packet(end.link, PACKET_REPLY, 1, 100000);
  put_packet(&buf, PACKET_MESSAGE, 0, 0, "last", 10);
  CHECK(feed(&end, buf_front(&buf), buf_size(&buf)));
  hang_up(&end);
  turn(&end);
  CHECK(strcmp(end.log, "MESSAGE 0 last 10\n") == 0 && end.ended == 1 && !end.reason);
  buf_clear(&buf);
  end_clear(&end);
}

/* No SIGPIPE, and no error: the end tells. */
static void test_dead_peer(void) {
  End end;
  end_init(&end, FROM_PEER);
  hang_up(&end);
  for (int i = 0; i < 10; i++) CHECK(send_packet(end.link, PACKET_MESSAGE, 1, 300000));
  turn(&end);
  CHECK(end.ended == 1 && !end.reason);
  CHECK(send_packet(end.link, PACKET_MESSAGE, 1, 10) && link_queued(end.link) == 0);
  link_drain(end.link, 1000);
  end_clear(&end);
}

static void test_rollback(void) {
  End end;
  end_init(&end, FROM_PEER);
  CHECK(link_begin(end.link) && buf_append(&end.link->out, "lost", 4));
  link_rollback(end.link);
  link_rollback(end.link);
  CHECK(link_queued(end.link) == 0);
  CHECK(link_begin(end.link) && buf_append(&end.link->out, "lost", 4)); /* by a raised error */
  CHECK(send_packet(end.link, PACKET_MESSAGE, 1, 10));
  CHECK(link_queued(end.link) == PACKET_HEADER_SIZE + 10);
  CHECK(link_begin(end.link) && buf_append(&end.link->out, "lost", 4));
  CHECK(drink(&end, 1000) == PACKET_HEADER_SIZE + 10);
  end_clear(&end);
}

static void test_take_queue(void) {
  End end;
  end_init(&end, FROM_PEER);
  Link *queue = link_new(end.loop, FROM_PEER, &events);
  queue->limits.high_water = end.link->limits.high_water = 1000;
  CHECK(send_packet(end.link, PACKET_BOOT, 0, 10));
  CHECK(!send_packet(queue, PACKET_MESSAGE, 1, 2000));
  CHECK(link_begin(queue) && buf_append(&queue->out, "lost", 4));
  CHECK(link_take_queue(end.link, queue));
  link_close(queue);
  CHECK(link_queued(end.link) == 2 * PACKET_HEADER_SIZE + 2010);
  CHECK(drink(&end, 10000) == 2 * PACKET_HEADER_SIZE + 2010);
  CHECK(end.drained == 1);
  end_clear(&end);
}

/* Waiting */

static void test_wait(void) {
  End end;
  Buf buf = {0};
  Packet reply;
  size_t offset;
  end_init(&end, FROM_MAIN);
  put_packet(&buf, PACKET_MESSAGE, 0, 1, "before", 1);
  put_packet(&buf, PACKET_REPLY, 0, 6, "", 0);
  put_packet(&buf, PACKET_REPLY, 0, 7, "", 5);
  put_packet(&buf, PACKET_MESSAGE, 0, 2, "behind", 2);
  CHECK(send(end.fd, buf_front(&buf), buf_size(&buf), 0) == (ssize_t)buf_size(&buf));
  send_packet(end.link, PACKET_SYNC, 7, 3);
  CHECK(link_wait_reply(end.link, 7, &reply, &offset));
  CHECK(reply.kind == PACKET_REPLY && reply.id == 7 && reply.body_size == 5);
  link_remove(end.link, offset, &reply);
  CHECK(end.packets == 0);
  turn(&end);
  CHECK(strcmp(end.log, "MESSAGE 1 before 1\nREPLY 6  0\nMESSAGE 2 behind 2\n") == 0);
  CHECK(drink(&end, 1000) == PACKET_HEADER_SIZE + 3);
  buf_clear(&buf);
  end_clear(&end);
}

static void test_wait_for_nothing(void) {
  Packet reply;
  size_t offset;
  End end;
  Buf buf = {0};
  end_init(&end, FROM_MAIN);
  put_packet(&buf, PACKET_MESSAGE, 0, 1, "before", 1);
  CHECK(send(end.fd, buf_front(&buf), buf_size(&buf), 0) == (ssize_t)buf_size(&buf));
  hang_up(&end);
  send_packet(end.link, PACKET_SYNC, 7, 3);
  CHECK(!link_wait_reply(end.link, 7, &reply, &offset));
  turn(&end);
  CHECK(end.packets == 1 && end.ended == 1 && !end.reason);
  buf_clear(&buf);
  end_clear(&end);
  end_init(&end, FROM_MAIN);
  uint8_t bad[PACKET_HEADER_SIZE] = {[4] = PACKET_HELLO};
  CHECK(send(end.fd, bad, sizeof bad, 0) == (ssize_t)sizeof bad);
  CHECK(!link_wait_reply(end.link, 7, &reply, &offset));
  turn(&end);
  CHECK(end.ended == 1 && end.reason);
  end_clear(&end);
}

/* Ending */

static void test_close_inside(void) {
  End end;
  Buf buf = {0};
  end_init(&end, FROM_PEER);
  end.close_at = 3;
  for (int i = 0; i < 20; i++) put_packet(&buf, PACKET_MESSAGE, 0, 0, "n", 10);
  CHECK(send(end.fd, buf_front(&buf), buf_size(&buf), 0) == (ssize_t)buf_size(&buf));
  for (int i = 0; i < 10; i++) uv_run(&end.loop->uv, UV_RUN_NOWAIT);
  CHECK(end.packets == 3 && end.ended == 0);
  hang_up(&end);
  loop_free(end.loop);
  buf_clear(&buf);
}

static void test_fail(void) {
  End end;
  Buf buf = {0};
  end_init(&end, FROM_PEER);
  for (int i = 0; i < 20; i++) put_packet(&buf, PACKET_MESSAGE, 0, 0, "n", 10);
  CHECK(send(end.fd, buf_front(&buf), buf_size(&buf), 0) == (ssize_t)buf_size(&buf));
  link_fail(end.link, "what only the owner sees");
  turn(&end);
  CHECK(end.packets == 0 && end.ended == 1);
  CHECK(end.reason && strcmp(end.reason, "what only the owner sees") == 0);
  link_fail(end.link, "again");
  turn(&end);
  CHECK(end.ended == 1);
  buf_clear(&buf);
  end_clear(&end);
}

static void close_ended(Link *link, const char *reason) {
  on_end(link, reason);
  link_close(link);
}

/* One that never got a connection is freed by that, which what called on_end must survive. */
static void test_fail_unopened(void) {
  static const LinkEvents closing = {on_packet, close_ended, on_drained};
  End end = {.loop = loop_new(), .fd = -1};
  CHECK(end.loop && loop_start(end.loop) == 0);
  end.link = link_new(end.loop, FROM_PEER, &closing);
  end.link->data = &end;
  link_fail(end.link, "what only the owner sees");
  for (int i = 0; i < 5; i++) uv_run(&end.loop->uv, UV_RUN_NOWAIT);
  CHECK(end.ended == 1 && strcmp(end.reason, "what only the owner sees") == 0);
  loop_free(end.loop);
}

static void test(void) {
  test_kinds();
  test_header();
  test_fields();
  test_bytewise();
  test_faults();
  test_cuts();
  test_claim();
  test_random_bytes();
  test_resume();
  test_backlog();
  test_shared_loop();
  test_early_flush();
  test_water_marks();
  test_clogged(FROM_PEER, false);
  test_clogged(FROM_MAIN, true);
  test_clogged_end();
  test_dead_peer();
  test_rollback();
  test_take_queue();
  test_wait();
  test_wait_for_nothing();
  test_close_inside();
  test_fail();
  test_fail_unopened();
}

int main(void) { return run_test(test); }
