/* SPDX-License-Identifier: MIT
 * Pipes, and large strings in shared memory: two links that talk, and links whose peer is hostile.
 */
#include "host.h"

#include "ipc/link.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  LARGE = 1 << 20,
  LARGE_BLOCKS = LARGE / SHARE_BLOCK_SIZE,
  MEMORY_SIZE = 2 * SHARE_REGION + (1 << 12), /* as share.c makes it */
};

/* One end, and what it was sent. Each packet's body is the offset and the size of a string. */
typedef struct End {
  Link *link;
  int packets;
  uint32_t next_id; /* how many came with an id that is one more than the last */
  int last;         /* the first byte of the last string; -1: it was not shared */
  const char *reason;
  int ended;
} End;

/* Both ends of a link; or main's or the page's end, the other one being a mere descriptor. */
typedef struct Pair {
  Loop *loop;
  End main, page;
  int fd;      /* the socket */
  int in, out; /* what the test reads and writes as the peer: the socket, or pipes that it owns */
} Pair;

typedef struct Place {
  size_t offset, size;
} Place;

static int first_byte(const Link *link, const Packet *packet) {
  Place place;
  if (!(packet->flags & PACKET_FLAG_SHARED)) return -1;
  memcpy(&place, packet->body, sizeof place);
  const uint8_t *bytes = link_get_shared(link, place.offset, place.size);
  if (!CHECK(bytes)) return -1;
  CHECK(bytes[0] == bytes[place.size / 2] && bytes[0] == bytes[place.size - 1]);
  return bytes[0];
}

static void on_packet(Link *link, const Packet *packet) {
  End *end = link->data;
  end->packets++;
  if (packet->id == end->next_id) end->next_id++;
  end->last = first_byte(link, packet);
  link_finish_packet(link);
}

static void on_end(Link *link, const char *reason) {
  End *end = link->data;
  end->ended++;
  end->reason = reason;
}

static void on_drained(Link *link) { (void)link; }

static const LinkEvents events = {on_packet, on_end, on_drained};

static void open_end(Pair *pair, End *end, int from, int fd) {
  end->link = link_new(pair->loop, from, &events);
  end->link->data = end;
  CHECK(link_open(end->link, fd) == 0);
}

enum { MAIN = 1, PAGE = 2 };

static void pair_init(Pair *pair, int which) {
  int fds[2];
  memset(pair, 0, sizeof *pair);
  pair->fd = -1;
  pair->loop = loop_new();
  CHECK(pair->loop && loop_start(pair->loop) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  if (which & MAIN) open_end(pair, &pair->main, FROM_PEER, fds[0]);
  else pair->fd = fds[0];
  if (which & PAGE) open_end(pair, &pair->page, FROM_MAIN, fds[1]);
  else pair->fd = fds[1];
  pair->in = pair->out = pair->fd;
}

/* Runs the loop until no packet has come for a while. */
static void turn(Pair *pair) {
  for (int quiet = 0; quiet < 50; quiet++) {
    int before = pair->main.packets + pair->page.packets;
    uv_run(&pair->loop->uv, UV_RUN_NOWAIT);
    if (pair->main.packets + pair->page.packets > before) quiet = 0;
  }
}

static void pair_clear(Pair *pair) {
  if (pair->main.link) link_close(pair->main.link);
  if (pair->page.link) link_close(pair->page.link);
  if (pair->in != pair->fd) close(pair->in);
  if (pair->out != pair->fd) close(pair->out);
  if (pair->fd >= 0) close(pair->fd);
  loop_free(pair->loop);
}

/* Sends a string of `size` times the byte, shared if that can be. */
static bool send_string(Link *link, PacketKind kind, uint32_t id, int byte, size_t size) {
  Packet packet = {.kind = kind, .id = id};
  Place place = {.size = size};
  if (!link_begin(link)) return false;
  uint8_t *bytes = link_put_shared(link, size, &place.offset);
  if (bytes) memset(bytes, byte, size);
  CHECK(buf_append(&link->out, &place, sizeof place));
  if (!bytes) {
    CHECK(buf_reserve(&link->out, size));
    memset(link->out.data + link->out.end, byte, size);
    link->out.end += size;
  }
  link_commit(link, &packet);
  return bytes != NULL;
}

static bool send_large(Link *link, int byte) {
  return send_string(link, PACKET_MESSAGE, 0, byte, LARGE);
}

/* Of both ends: what they read, what they write, and main's spare. */
enum { PIPE_FDS = 5 };

/* Two ends that share memory, as they do after the first large packet. */
static void pair_share(Pair *pair) {
  pair_init(pair, MAIN | PAGE);
  int before = count_fds();
  CHECK(!send_large(pair->main.link, 'm'));
  turn(pair);
  CHECK(count_fds() == before + PIPE_FDS); /* the memory's own is closed */
  CHECK(pair->page.packets == 1 && pair->page.last == -1);
  CHECK(pair->main.link->share && pair->page.link->share);
  CHECK(pair->main.packets == 0 && pair->main.ended == 0 && pair->page.ended == 0);
}

/* ---- two ends ---- */

static void test_both_ways(void) {
  Pair pair;
  pair_share(&pair);
  for (int i = 0; i < 100; i++) {
    CHECK(send_large(pair.main.link, i) && send_large(pair.page.link, i + 1));
    CHECK(link_queued(pair.main.link) < 100);
    turn(&pair);
    CHECK(pair.page.last == i && pair.main.last == i + 1);
  }
  CHECK(pair.page.packets == 101 && pair.main.packets == 100);
  pair_clear(&pair);
}

/* A large packet of the page's is as good a reason to begin. */
static void test_page_first(void) {
  Pair pair;
  pair_init(&pair, MAIN | PAGE);
  CHECK(!send_large(pair.page.link, 'p'));
  turn(&pair);
  CHECK(send_large(pair.page.link, 'q') && send_large(pair.main.link, 'r'));
  turn(&pair);
  CHECK(pair.main.packets == 2 && pair.main.last == 'q' && pair.page.last == 'r');
  pair_clear(&pair);
}

static void send_small(Pair *pair, int count) {
  for (int i = 0; i < count; i++) {
    send_string(i % 2 ? pair->main.link : pair->page.link, PACKET_MESSAGE, 0, 's', 1000);
  }
  turn(pair);
}

/* Few small packets are no reason; many are, whoever sends them. */
static void test_small(void) {
  Pair pair;
  pair_init(&pair, MAIN | PAGE);
  int before = count_fds();
  send_small(&pair, UPGRADE_AFTER - 1);
  CHECK(count_fds() == before && pair.main.link->upgrade.step == UPGRADE_NONE);
  send_small(&pair, 1);
  CHECK(count_fds() == before + PIPE_FDS && pair.main.link->share && pair.page.link->share);
  send_small(&pair, 1000);
  CHECK(pair.main.packets + pair.page.packets == UPGRADE_AFTER + 1000);
  CHECK(pair.main.ended == 0 && pair.page.ended == 0);
  pair_clear(&pair);
}

static void close_drained(Link *link) {
  End *end = link->data;
  end->link = NULL;
  link_close(link);
}

static void send_drained(Link *link) { send_string(link, PACKET_MESSAGE, 0, 'd', 10); }

/* A pair in the midst of the exchange, one end of which is about to be told that there is room. */
static End *pair_drain(Pair *pair, int which, const LinkEvents *told) {
  End *end = which == MAIN ? &pair->main : &pair->page;
  UpgradeStep last = which == MAIN ? UPGRADE_PASSED : UPGRADE_AWAITED;
  pair_init(pair, MAIN | PAGE);
  CHECK(!send_large(pair->main.link, 'm'));
  while (end->link->upgrade.step != last) uv_run(&pair->loop->uv, UV_RUN_NOWAIT);
  end->link->events = told;
  end->link->over_high_water = true;
  end->link->early = 0; /* as when much waits: a packet is written at once */
  return end;
}

/* The owner may close the link then: not in the midst of a step of the exchange. */
static void test_close_when_drained(int which) {
  static const LinkEvents closing = {on_packet, on_end, close_drained};
  Pair pair;
  End *end = pair_drain(&pair, which, &closing);
  while (end->link) uv_run(&pair.loop->uv, UV_RUN_NOWAIT);
  turn(&pair);
  CHECK(pair.main.ended + pair.page.ended == 1);
  pair_clear(&pair);
}

/* What it sends then comes behind the exchange's last packet. */
static void test_send_when_drained(int which) {
  static const LinkEvents sending = {on_packet, on_end, send_drained};
  Pair pair;
  End *end = pair_drain(&pair, which, &sending);
  int before = pair.main.packets + pair.page.packets;
  turn(&pair);
  CHECK(!end->link->over_high_water && pair.main.packets + pair.page.packets > before);
  CHECK(pair.main.ended == 0 && pair.page.ended == 0);
  CHECK(pair.main.link->share && pair.page.link->share);
  pair_clear(&pair);
}

/* What was written before a change of the way arrives before what was written behind it. */
static void test_order(void) {
  Pair pair;
  pair_init(&pair, MAIN | PAGE);
  for (uint32_t i = 0; i < 4 * UPGRADE_AFTER; i++) {
    send_string(pair.page.link, PACKET_MESSAGE, 0, 'o', 10000);
    send_string(pair.main.link, PACKET_REPLY, i, 'o', i % 5 ? 10 : 20000);
    if (i % 7 == 0) uv_run(&pair.loop->uv, UV_RUN_NOWAIT);
  }
  turn(&pair);
  CHECK(pair.main.packets == 4 * UPGRADE_AFTER && pair.page.packets == 4 * UPGRADE_AFTER);
  CHECK(pair.page.next_id == 4 * UPGRADE_AFTER && pair.main.link->share);
  pair_clear(&pair);
}

/* The same while the page waits for an answer, with a message in front of it. */
static void test_wait_for_upgrade(void) {
  Pair pair;
  Packet reply;
  size_t offset;
  pair_init(&pair, MAIN | PAGE);
  for (int i = 0; i < 2; i++) {
    send_string(pair.main.link, PACKET_MESSAGE, 0, 'a', SHARE_LEAST);
    for (int n = 0; n < 20; n++) {
      send_string(pair.main.link, PACKET_REPLY, 7, 'b', 10);
      link_flush(pair.main.link);
      CHECK(link_wait_reply(pair.page.link, 7, &reply, &offset));
      link_remove(pair.page.link, offset, &reply);
      link_flush(pair.page.link);
      link_dispatch(pair.main.link, 1);
    }
    turn(&pair);
  }
  CHECK(pair.page.packets == 2 && pair.main.link->share && pair.page.link->share);
  CHECK(pair.main.ended == 0 && pair.page.ended == 0);
  pair_clear(&pair);
}

/* Either end's death is known through the pipe. */
static void test_end(int which) {
  Pair pair;
  pair_share(&pair);
  End *rest = which == MAIN ? &pair.page : &pair.main;
  End *gone = which == MAIN ? &pair.main : &pair.page;
  send_string(gone->link, PACKET_MESSAGE, 0, 'e', 10);
  link_flush(gone->link);
  link_close(gone->link);
  gone->link = NULL;
  send_string(rest->link, PACKET_MESSAGE, 0, 'e', 10);
  int before = rest->packets;
  turn(&pair);
  CHECK(rest->packets == before + 1 && rest->ended == 1 && !rest->reason);
  pair_clear(&pair);
}

/* Shared or not, packets come in order. */
static void test_full(void) {
  Pair pair;
  pair_share(&pair);
  int shared = 0, all = 3 * SHARE_BLOCKS / LARGE_BLOCKS;
  for (int i = 0; i < all; i++) shared += send_large(pair.main.link, i);
  CHECK(shared == SHARE_BLOCKS / LARGE_BLOCKS);
  turn(&pair);
  while (link_queued(pair.main.link) > 0) turn(&pair);
  turn(&pair);
  CHECK(pair.page.packets == 1 + all && pair.page.last == -1);
  CHECK(send_string(pair.main.link, PACKET_MESSAGE, 0, 'a', SHARE_REGION));
  CHECK(!send_string(pair.main.link, PACKET_MESSAGE, 0, 'b', SHARE_REGION + 1));
  turn(&pair);
  pair_clear(&pair);
}

/* Unread strings are no more than the high-water mark. */
static void test_high_water(void) {
  Pair pair;
  pair_share(&pair);
  pair.main.link->limits.high_water = 3 * LARGE;
  for (int i = 0; i < 3; i++) CHECK(send_large(pair.main.link, i));
  CHECK(!send_string(pair.main.link, PACKET_MESSAGE, 0, 'x', SHARE_LEAST));
  turn(&pair);
  CHECK(send_large(pair.main.link, 'y'));
  turn(&pair);
  CHECK(pair.page.last == 'y');
  pair_clear(&pair);
}

static void test_rollback(void) {
  Pair pair;
  size_t offset;
  pair_share(&pair);
  for (int i = 0; i < 1000; i++) {
    CHECK(link_begin(pair.main.link) && link_put_shared(pair.main.link, LARGE, &offset));
    if (i % 2) link_rollback(pair.main.link);
  }
  CHECK(send_string(pair.main.link, PACKET_MESSAGE, 0, 'r', SHARE_REGION));
  turn(&pair);
  CHECK(pair.page.last == 'r');
  pair_clear(&pair);
}

/* An answer is read before messages that came earlier: their strings stay. */
static void test_wait(void) {
  Pair pair;
  Packet reply;
  size_t offset;
  pair_share(&pair);
  CHECK(send_large(pair.main.link, 'a'));
  CHECK(send_string(pair.main.link, PACKET_REPLY, 7, 'b', LARGE));
  link_flush(pair.main.link);
  CHECK(link_wait_reply(pair.page.link, 7, &reply, &offset));
  CHECK(first_byte(pair.page.link, &reply) == 'b');
  link_remove(pair.page.link, offset, &reply);
  for (int i = 0; i < 2 * SHARE_BLOCKS / LARGE_BLOCKS; i++) send_large(pair.main.link, 'c');
  link_dispatch(pair.page.link, 1);
  CHECK(pair.page.last == 'a');
  turn(&pair);
  pair_clear(&pair);
}

/* Answers come in as often as is asked, by reads that wait or do not. */
static void read_answers(Pair *pair, int count, bool wait) {
  Packet reply;
  size_t offset;
  for (int i = 0; i < count; i++) {
    send_string(pair->main.link, PACKET_REPLY, 7, 'r', 10);
    link_flush(pair->main.link);
    if (!wait) uv_run(&pair->loop->uv, UV_RUN_NOWAIT);
    else if (CHECK(link_wait_reply(pair->page.link, 7, &reply, &offset)))
      link_remove(pair->page.link, offset, &reply);
  }
}

static bool waits(const Link *link) { return !(fcntl(link->in_fd, F_GETFL) & O_NONBLOCK); }

/* The pipe's flag is what most reads want; either kind of read works with either flag. */
static void test_flag_follows(void) {
  Pair pair;
  pair_share(&pair);
  CHECK(!waits(pair.page.link));
  read_answers(&pair, 3, true);
  CHECK(!waits(pair.page.link));
  read_answers(&pair, 1, false);
  for (int i = 0; i < 2; i++) {
    read_answers(&pair, 20, true);
    CHECK(waits(pair.page.link) && !waits(pair.main.link));
    read_answers(&pair, 20, false);
    CHECK(!waits(pair.page.link));
  }
  CHECK(pair.page.packets == 42 && pair.page.ended == 0);
  pair_clear(&pair);
}

static size_t shared_memory(void) {
  char line[200];
  size_t kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, file)) sscanf(line, "RssShmem: %zu", &kib);
  fclose(file);
  return kib << 10;
}

/* The pages go back once they are not used; and come again. */
static void test_idle(void) {
  Pair pair;
  Wait wait;
  pair_share(&pair);
  wait_init(&wait);
  for (int i = 0; i < 3; i++) {
    for (int n = 0; n < 4; n++) CHECK(send_large(pair.main.link, n));
    CHECK(send_large(pair.page.link, 'p'));
    turn(&pair);
    CHECK(pair.page.last == 3 && pair.main.last == 'p');
    CHECK(shared_memory() >= 5 * LARGE);
    while (shared_memory() > LARGE && wait_may_last(&wait)) {
      uv_run(&wait.loop, UV_RUN_NOWAIT);
      uv_run(&pair.loop->uv, UV_RUN_NOWAIT);
    }
  }
  wait_clear(&wait);
  pair_clear(&pair);
}

/* ---- a hostile page ---- */

static void drink(Pair *pair) {
  char bytes[1000];
  turn(pair);
  while (recv(pair->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
  while (pair->in != pair->fd && read(pair->in, bytes, sizeof bytes) > 0) continue;
}

static void write_packet(int fd, int kind, int flags, uint64_t blocks) {
  uint8_t bytes[PACKET_HEADER_SIZE + PACKET_BLOCKS_SIZE];
  Packet packet = {.kind = (PacketKind)kind, .flags = (uint8_t)flags, .blocks = blocks};
  packet_write_header(bytes, &packet);
  packet_write_blocks(bytes + PACKET_HEADER_SIZE, &packet);
  size_t size = packet_size(&packet);
  CHECK(write(fd, bytes, size) == (ssize_t)size);
}

/* Sends the bytes with the descriptors: `count` in all, the last one again and again. */
static void send_descriptors(int fd, const void *bytes, size_t size, const int *descriptors,
                             int count) {
  int all[250];
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof all)];
  } control = {0};
  size_t taken = (size_t)count * sizeof(int);
  struct iovec data = {.iov_base = (void *)bytes, .iov_len = size};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(taken)};
  for (int i = 0; i < count; i++) all[i] = descriptors[i < UPGRADE_FDS ? i : UPGRADE_FDS - 1];
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(taken);
  memcpy(CMSG_DATA(&control.header), all, taken);
  CHECK(sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)size);
}

static void send_stray(Pair *pair, int times) {
  uint8_t header[PACKET_HEADER_SIZE];
  Packet packet = {.kind = PACKET_MESSAGE};
  packet_write_header(header, &packet);
  for (int i = 0; i < times; i++) {
    const int stray[] = {pair->fd, pair->fd, pair->fd};
    send_descriptors(pair->fd, header, sizeof header, stray, i % 2 ? 250 : 1);
    turn(pair);
  }
}

static void test_descriptors_to_main(void) {
  Pair pair;
  pair_init(&pair, MAIN);
  int before = count_fds();
  send_stray(&pair, 20);
  CHECK(count_fds() == before && pair.main.packets == 20 && pair.main.ended == 0);
  pair_clear(&pair);
}

/* Main meets the packet, which is bad, after `answers` answers to its offer. */
static void expect_fault(int kind, int flags, int answers, const char *reason) {
  Pair pair;
  pair_init(&pair, MAIN);
  if (answers > 0) send_large(pair.main.link, 'x'); /* so that there is an offer */
  for (int i = 0; i < answers; i++) {
    write_packet(pair.fd, PACKET_UPGRADE, 0, 0);
    turn(&pair);
    CHECK(pair.main.ended == 0);
  }
  write_packet(pair.fd, kind, flags, 1);
  turn(&pair);
  CHECK(pair.main.packets == 0 && pair.main.ended == 1);
  CHECK(pair.main.reason && strcmp(pair.main.reason, reason) == 0);
  pair_clear(&pair);
}

static void test_faults(void) {
  static const char unshared[] = "a packet in shared memory that is not there";
  static const char unasked[] = "an answer to no offer of an upgrade";
  expect_fault(PACKET_MESSAGE, PACKET_FLAG_SHARED, 0, unshared);
  expect_fault(PACKET_MESSAGE, PACKET_FLAG_SHARED, 1, unshared);
  expect_fault(PACKET_UPGRADE, 0, 0, unasked);
}

/* The answer that main's descriptors have arrived is a peer's last packet on the socket. */
static void test_last_packet(void) {
  Pair pair;
  uint8_t bytes[2 * PACKET_HEADER_SIZE];
  Packet packet = {.kind = PACKET_UPGRADE};
  pair_init(&pair, MAIN);
  send_large(pair.main.link, 'x');
  write_packet(pair.fd, PACKET_UPGRADE, 0, 0);
  for (int i = 0; i < 20; i++) drink(&pair); /* until main has sent the descriptors */
  packet_write_header(bytes, &packet);
  packet_write_header(bytes + PACKET_HEADER_SIZE, &packet);
  CHECK(write(pair.fd, bytes, sizeof bytes) == sizeof bytes);
  turn(&pair);
  CHECK(pair.main.ended == 1);
  CHECK(strcmp(pair.main.reason, "bytes behind the last packet of a socket") == 0);
  pair_clear(&pair);
}

/* Asks for the descriptors that main offers, and reads up to them: the memory's, which it returns,
 * and the pipes'. */
static int receive_offer(Pair *pair) {
  write_packet(pair->fd, PACKET_UPGRADE, 0, 0);
  static uint8_t bytes[1 << 16];
  int all[UPGRADE_FDS];
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof all)];
  } control;
  for (int idle = 0; idle < 1000; idle++) {
    struct iovec data = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    uv_run(&pair->loop->uv, UV_RUN_NOWAIT);
    if (recvmsg(pair->fd, &message, MSG_DONTWAIT) <= 0 || message.msg_controllen == 0) continue;
    memcpy(all, CMSG_DATA(&control.header), sizeof all);
    pair->in = all[1];
    pair->out = all[2];
    fcntl(pair->in, F_SETFL, O_NONBLOCK);
    return all[0];
  }
  return -1;
}

/* Main's end alone, which shares memory with the test: sets *fd. */
static uint8_t *map_offer(Pair *pair, int *fd) {
  pair_init(pair, MAIN);
  send_large(pair->main.link, 'x');
  *fd = receive_offer(pair);
  uint8_t *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
  CHECK(*fd >= 0 && memory != MAP_FAILED);
  write_packet(pair->fd, PACKET_UPGRADE, 0, 0);
  turn(pair);
  CHECK(pair->main.link->share);
  return memory;
}

static void unmap_offer(Pair *pair, int fd, uint8_t *memory) {
  munmap(memory, MEMORY_SIZE);
  close(fd);
  pair_clear(pair);
}

static void test_seals(void) {
  Pair pair;
  int fd;
  uint8_t *memory = map_offer(&pair, &fd);
  CHECK(ftruncate(fd, 0) < 0 && ftruncate(fd, 1 << 30) < 0);
  CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0);
  unmap_offer(&pair, fd, memory);
}

/* Nonsense in the memory spoils nothing but what is in it. */
static void test_hostile_memory(void) {
  Pair pair;
  int fd;
  uint8_t *memory = map_offer(&pair, &fd);
  for (int i = 0; i < 100; i++) {
    memset(memory, i % 2 ? 255 : 0, 1 << 12);
    send_large(pair.main.link, i);
    drink(&pair);
  }
  CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MEMORY_SIZE) == 0);
  const uint8_t *bytes = link_get_shared(pair.main.link, 0, SHARE_REGION);
  CHECK(bytes && bytes[SHARE_REGION - 1] == 0);
  CHECK(!link_get_shared(pair.main.link, 1, SHARE_REGION));
  CHECK(!link_get_shared(pair.main.link, SIZE_MAX, 2));
  write_packet(pair.out, PACKET_MESSAGE, 0, 0);
  turn(&pair);
  CHECK(pair.main.packets == 1 && pair.main.ended == 0);
  unmap_offer(&pair, fd, memory);
}

/* Who frees nothing is sent no more that way, and what is unread stays, however long that takes. */
static void test_unread(void) {
  Pair pair;
  int fd, shared = 0;
  uint8_t *memory = map_offer(&pair, &fd);
  uint8_t *last = memory + (1 << 12) + SHARE_REGION - LARGE;
  while (send_large(pair.main.link, 'u')) shared++;
  CHECK(shared == SHARE_REGION / LARGE);
  uint64_t until = uv_hrtime() + 300 * 1000000;
  while (uv_hrtime() < until) drink(&pair);
  CHECK(!send_large(pair.main.link, 'v'));
  CHECK(last[0] == 'u' && memcmp(last, last + 1, LARGE - 1) == 0);
  unmap_offer(&pair, fd, memory);
}

/* ---- a page that is offered what is no such memory ---- */

static int new_file(off_t size, int seals) {
  int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(fd >= 0 && ftruncate(fd, size) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0);
  return fd;
}

/* Whether the page takes the memory and the pipes; then it says so. If not, it keeps none of them.
 */
static bool takes_all(const int *descriptors, int count) {
  Pair pair;
  char bytes[100];
  uint8_t header[PACKET_HEADER_SIZE];
  Packet packet = {.kind = PACKET_UPGRADE};
  packet_write_header(header, &packet);
  pair_init(&pair, PAGE);
  int before = count_fds();
  write_packet(pair.fd, PACKET_UPGRADE, 0, 0);
  turn(&pair);
  CHECK(recv(pair.fd, bytes, sizeof bytes, MSG_DONTWAIT) == PACKET_HEADER_SIZE);
  send_descriptors(pair.fd, header, sizeof header, descriptors, count);
  turn(&pair);
  bool taken = pair.page.link->share != NULL;
  CHECK(count_fds() == before + (taken ? UPGRADE_FDS - 1 : 0) && pair.page.ended == 0);
  ssize_t answer = taken ? PACKET_HEADER_SIZE : -1;
  CHECK(recv(pair.fd, bytes, sizeof bytes, MSG_DONTWAIT) == answer);
  pair_clear(&pair);
  return taken;
}

/* Closes the memory. */
static bool takes(int memory, int count) {
  int in[2], out[2];
  CHECK(pipe(in) == 0 && pipe(out) == 0);
  const int all[] = {memory, in[0], out[1]};
  bool taken = takes_all(all, count);
  for (int i = 0; i < 2; i++) close(in[i]);
  for (int i = 0; i < 2; i++) close(out[i]);
  close(memory);
  return taken;
}

static void test_offers(void) {
  int good = F_SEAL_SHRINK | F_SEAL_GROW, ends[2];
  CHECK(takes(new_file(MEMORY_SIZE, good), 3));
  CHECK(takes(new_file(MEMORY_SIZE, good), 250)); /* the others are closed by the system */
  CHECK(!takes(new_file(MEMORY_SIZE, good), 1));
  CHECK(!takes(new_file(MEMORY_SIZE, good), 2));
  CHECK(!takes(new_file(MEMORY_SIZE, F_SEAL_GROW), 3));
  CHECK(!takes(new_file(MEMORY_SIZE, F_SEAL_SHRINK), 3));
  CHECK(!takes(new_file(MEMORY_SIZE - 1, good), 3));
  CHECK(!takes(new_file(0, good), 3));
  CHECK(pipe(ends) == 0 && !takes(ends[0], 3));
  close(ends[1]);
}

/* Descriptors that belong to no offer are closed: at once, or with the link when one is awaited. */
static void test_stray_descriptors(void) {
  Pair pair;
  pair_init(&pair, PAGE);
  int before = count_fds();
  send_stray(&pair, 20);
  CHECK(pair.page.packets == 20 && count_fds() == before);
  write_packet(pair.fd, PACKET_UPGRADE, 0, 0);
  turn(&pair);
  send_stray(&pair, 20);
  CHECK(pair.page.packets == 40);
  CHECK(count_fds() == before + UPGRADE_FDS);
  pair_clear(&pair);
}

static void test_no_descriptor(void) {
  Pair pair;
  pair_init(&pair, PAGE);
  for (int i = 0; i < 3; i++) {
    CHECK(pair.page.ended == 0);
    write_packet(pair.fd, PACKET_UPGRADE, 0, 0);
    turn(&pair);
  }
  CHECK(pair.page.ended == 1 && pair.page.reason);
  pair_clear(&pair);
}

/* A page's end that has no descriptors left stays on its socket. */
static void test_no_room_for_descriptors(void) {
  Pair pair;
  pair_init(&pair, PAGE);
  for (int i = 0; i < 2; i++) write_packet(pair.fd, PACKET_UPGRADE, 0, 0);
  write_packet(pair.fd, PACKET_MESSAGE, 0, 0);
  turn(&pair);
  CHECK(pair.page.packets == 1 && pair.page.ended == 0 && !pair.page.link->share);
  pair_clear(&pair);
}

/* Main's end alone, which has moved to pipes; the test plays the page. */
static void pair_upgrade(Pair *pair) {
  int fd;
  uint8_t *memory = map_offer(pair, &fd);
  munmap(memory, MEMORY_SIZE);
  close(fd);
}

static void hang_up(Pair *pair) {
  close(pair->in);
  close(pair->out);
  close(pair->fd);
  pair->fd = pair->in = pair->out = -1;
}

/* What a page does with its own ends must not make main's wait. */
static void test_flags(void) {
  Pair pair;
  pair_upgrade(&pair);
  fcntl(pair.in, F_SETFL, 0);
  fcntl(pair.out, F_SETFL, 0);
  CHECK(fcntl(pair.main.link->in_fd, F_GETFL) & O_NONBLOCK);
  CHECK(fcntl(pair.main.link->out_fd, F_GETFL) & O_NONBLOCK);
  for (int i = 0; i < 4096; i++) write_packet(pair.out, PACKET_MESSAGE, 0, 0);
  turn(&pair); /* a whole read, behind which nothing is */
  CHECK(pair.main.packets == 4096);
  pair_clear(&pair);
}

/* The page dies behind its answer, with what it wrote to its pipe unread, and perhaps with bytes of
 * main's unread, by which its socket ends in an error. */
static void test_last_words(bool unread) {
  Pair pair;
  pair_init(&pair, MAIN);
  send_large(pair.main.link, 'x');
  close(receive_offer(&pair));
  if (!unread) drink(&pair);
  write_packet(pair.fd, PACKET_UPGRADE, 0, 0);
  for (int i = 0; i < 100; i++) write_packet(pair.out, PACKET_MESSAGE, 0, 0);
  hang_up(&pair);
  turn(&pair);
  CHECK(pair.main.packets == 100 && pair.main.ended == 1 && !pair.main.reason);
  pair_clear(&pair);
}

/* The same for a page that main does not read, as it did not read its answers. */
static void test_death_unread(void) {
  Pair pair;
  static uint8_t packets[1 << 15];
  Packet packet = {.kind = PACKET_MESSAGE};
  for (size_t i = 0; i < sizeof packets; i += PACKET_HEADER_SIZE) {
    packet_write_header(packets + i, &packet);
  }
  pair_upgrade(&pair);
  pair.main.link->limits.queue = pair.main.link->limits.high_water = 1 << 16;
  pair.main.link->limits.backlog = 1 << 12;
  for (int i = 0; i < 40; i++) send_string(pair.main.link, PACKET_REPLY, 0, 'u', 30000);
  for (int i = 0; i < 3; i++) {
    turn(&pair);
    CHECK(write(pair.out, packets, sizeof packets / 2) == sizeof packets / 2);
  }
  turn(&pair);
  CHECK(pair.main.link->clogged && pair.main.ended == 0);
  hang_up(&pair);
  turn(&pair);
  CHECK(pair.main.packets == 3 * sizeof packets / 2 / PACKET_HEADER_SIZE);
  CHECK(pair.main.ended == 1 && link_queued(pair.main.link) == 0);
  pair_clear(&pair);
}

/* An answer to what was not sent yet is none. */
static void test_answers_ahead(void) {
  Pair pair;
  pair_init(&pair, MAIN);
  send_large(pair.main.link, 'x');
  turn(&pair);
  for (int i = 0; i < 2; i++) write_packet(pair.fd, PACKET_UPGRADE, 0, 0);
  turn(&pair);
  CHECK(pair.main.ended == 1);
  CHECK(strcmp(pair.main.reason, "an answer to no offer of an upgrade") == 0);
  pair_clear(&pair);
}

static void test(void) {
  signal(SIGPIPE, SIG_IGN); /* as in a renderer's process */
  test_both_ways();
  test_page_first();
  test_small();
  test_order();
  test_close_when_drained(MAIN);
  test_close_when_drained(PAGE);
  test_send_when_drained(MAIN);
  test_send_when_drained(PAGE);
  test_wait_for_upgrade();
  test_end(MAIN);
  test_end(PAGE);
  test_full();
  test_high_water();
  test_rollback();
  test_wait();
  test_flag_follows();
  test_idle();
  test_descriptors_to_main();
  test_faults();
  test_last_packet();
  test_seals();
  test_hostile_memory();
  test_unread();
  test_offers();
  test_stray_descriptors();
  test_no_descriptor();
  test_no_room_for_descriptors();
  test_flags();
  test_last_words(false);
  test_last_words(true);
  test_death_unread();
  test_answers_ahead();
}

int main(void) { return run_test(test); }
