/* SPDX-License-Identifier: MIT
 * Large strings in shared memory: two links that talk, and links whose peer is hostile. */
#include "host.h"

#include "ipc/link.h"

#include <fcntl.h>
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
  int last; /* the first byte of the last string; -1: it was not shared */
  const char *reason;
  int ended;
} End;

/* Both ends of a link; or main's or the page's end, the other one being a mere descriptor. */
typedef struct Pair {
  Loop *loop;
  End main, page;
  int fd;
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
}

static void turn(Pair *pair) {
  for (int i = 0; i < 50; i++) uv_run(&pair->loop->uv, UV_RUN_NOWAIT);
}

static void pair_clear(Pair *pair) {
  if (pair->main.link) link_close(pair->main.link);
  if (pair->page.link) link_close(pair->page.link);
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

/* Two ends that share memory, as they do after the first large packet. */
static void pair_share(Pair *pair) {
  pair_init(pair, MAIN | PAGE);
  int before = count_fds();
  CHECK(!send_large(pair->main.link, 'm'));
  turn(pair);
  CHECK(count_fds() == before); /* the memory's own is closed */
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

static void test_small(void) {
  Pair pair;
  pair_init(&pair, MAIN | PAGE);
  for (int i = 0; i < 100; i++) send_string(pair.main.link, PACKET_MESSAGE, 0, 's', 1000);
  turn(&pair);
  CHECK(pair.page.packets == 100 && !pair.main.link->offered && !pair.main.link->share);
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

static void write_packet(int fd, int kind, int flags, uint64_t blocks) {
  uint8_t bytes[PACKET_HEADER_SIZE + PACKET_BLOCKS_SIZE];
  Packet packet = {.kind = (PacketKind)kind, .flags = (uint8_t)flags, .blocks = blocks};
  packet_write_header(bytes, &packet);
  packet_write_blocks(bytes + PACKET_HEADER_SIZE, &packet);
  size_t size = packet_size(&packet);
  CHECK(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* Sends one byte, or `bytes`, with `count` times the descriptor. */
static void send_descriptors(int fd, const void *bytes, size_t size, int descriptor, int count) {
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
  for (int i = 0; i < count; i++) all[i] = descriptor;
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
    send_descriptors(pair->fd, header, sizeof header, pair->fd, i % 2 ? 250 : 1);
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
    write_packet(pair.fd, PACKET_SHARE, 0, 0);
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
  static const char unasked[] = "an answer to no offer of shared memory";
  expect_fault(PACKET_MESSAGE, PACKET_FLAG_SHARED, 0, unshared);
  expect_fault(PACKET_MESSAGE, PACKET_FLAG_SHARED, 1, unshared);
  expect_fault(PACKET_SHARE, 0, 0, unasked);
  expect_fault(PACKET_SHARE, 0, 2, unasked);
}

/* Asks for the descriptor that main offers, and reads up to it. */
static int receive_offer(Pair *pair) {
  write_packet(pair->fd, PACKET_SHARE, 0, 0);
  static uint8_t bytes[1 << 16];
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  for (int idle = 0; idle < 1000; idle++) {
    struct iovec data = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    uv_run(&pair->loop->uv, UV_RUN_NOWAIT);
    if (recvmsg(pair->fd, &message, MSG_DONTWAIT) <= 0 || message.msg_controllen == 0) continue;
    int fd;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
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
  write_packet(pair->fd, PACKET_SHARE, 0, 0);
  turn(pair);
  CHECK(pair->main.link->share);
  return memory;
}

static void unmap_offer(Pair *pair, int fd, uint8_t *memory) {
  munmap(memory, MEMORY_SIZE);
  close(fd);
  pair_clear(pair);
}

static void drink(Pair *pair) {
  char bytes[1000];
  turn(pair);
  while (recv(pair->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
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
  write_packet(pair.fd, PACKET_MESSAGE, 0, 0);
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

/* Whether the page takes it; then it says so. It keeps no descriptor in any case. */
static bool takes(int fd, int count) {
  Pair pair;
  char bytes[100];
  uint8_t header[PACKET_HEADER_SIZE];
  Packet packet = {.kind = PACKET_SHARE};
  packet_write_header(header, &packet);
  pair_init(&pair, PAGE);
  int before = count_fds();
  write_packet(pair.fd, PACKET_SHARE, 0, 0);
  turn(&pair);
  CHECK(recv(pair.fd, bytes, sizeof bytes, MSG_DONTWAIT) == PACKET_HEADER_SIZE);
  send_descriptors(pair.fd, header, sizeof header, fd, count);
  turn(&pair);
  CHECK(count_fds() == before && pair.page.ended == 0);
  bool taken = pair.page.link->share != NULL;
  ssize_t answer = taken ? PACKET_HEADER_SIZE : -1;
  CHECK(recv(pair.fd, bytes, sizeof bytes, MSG_DONTWAIT) == answer);
  pair_clear(&pair);
  close(fd);
  return taken;
}

static void test_offers(void) {
  int good = F_SEAL_SHRINK | F_SEAL_GROW, ends[2];
  CHECK(takes(new_file(MEMORY_SIZE, good), 1));
  CHECK(takes(new_file(MEMORY_SIZE, good), 250)); /* the others are closed by the system */
  CHECK(!takes(new_file(MEMORY_SIZE, F_SEAL_GROW), 1));
  CHECK(!takes(new_file(MEMORY_SIZE, F_SEAL_SHRINK), 1));
  CHECK(!takes(new_file(MEMORY_SIZE - 1, good), 1));
  CHECK(!takes(new_file(0, good), 1));
  CHECK(pipe(ends) == 0 && !takes(ends[0], 1));
  close(ends[1]);
}

/* Descriptors that belong to no offer are closed: at once, or with the link when one is awaited. */
static void test_stray_descriptors(void) {
  Pair pair;
  pair_init(&pair, PAGE);
  int before = count_fds();
  send_stray(&pair, 20);
  CHECK(pair.page.packets == 20 && count_fds() == before);
  write_packet(pair.fd, PACKET_SHARE, 0, 0);
  turn(&pair);
  send_stray(&pair, 20);
  CHECK(pair.page.packets == 40 && count_fds() == before + 1);
  pair_clear(&pair);
}

static void test_no_descriptor(void) {
  Pair pair;
  pair_init(&pair, PAGE);
  for (int i = 0; i < 2; i++) {
    CHECK(pair.page.ended == 0);
    write_packet(pair.fd, PACKET_SHARE, 0, 0);
    turn(&pair);
  }
  CHECK(pair.page.ended == 1 && pair.page.reason);
  pair_clear(&pair);
}

static void test(void) {
  test_both_ways();
  test_page_first();
  test_small();
  test_full();
  test_high_water();
  test_rollback();
  test_wait();
  test_idle();
  test_descriptors_to_main();
  test_faults();
  test_seals();
  test_hostile_memory();
  test_unread();
  test_offers();
  test_stray_descriptors();
  test_no_descriptor();
}

int main(void) { return run_test(test); }
