/* SPDX-License-Identifier: MIT
 * What is lent stays as it is until it was read, whoever frees it meanwhile. That it is freed in
 * the end, and once, is what a sanitizer or valgrind says of this test. */
#include "host.h"

#include "ipc/link.h"
#include "vm/memory.h"
#include "vm/slab.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 1 << 17, ROUNDS = 3000, SLOTS = 64, MOST = SLOTS * LARGE };

/* A block as a heap has it: the bytes begin behind a header. */
enum { HEADER = 24 };

static char *new_block(char letter) {
  char *block = malloc(HEADER + LARGE);
  memset(block, letter, HEADER + LARGE);
  return block;
}

/* The heap frees a block. */
static void heap_free(Loans *loans, char *block) {
  if (!loans_keep(loans, block, HEADER + LARGE)) free(block);
}

static bool is_all(const uint8_t *bytes, char letter) {
  for (size_t i = 0; i < LARGE; i++) {
    if (bytes[i] != (uint8_t)letter) return false;
  }
  return true;
}

static void test_returned_first(void) {
  Loans *loans = loans_new();
  char *block = new_block('a'), *other = new_block('b');
  Loan *loan = loans_lend(loans, block + HEADER, LARGE);
  CHECK(loan_size(loan) == LARGE && is_all(loan_bytes(loan), 'a'));
  CHECK(!loans_keep(loans, other, HEADER + LARGE));
  loan_return(loan);
  CHECK(!loans_keep(loans, block, HEADER + LARGE));
  free(block);
  free(other);
  loans_drop(loans);
}

static void test_freed_first(void) {
  Loans *loans = loans_new();
  char *block = new_block('a');
  Loan *loan = loans_lend(loans, block + HEADER, LARGE);
  Loan *again = loans_lend(loans, block + HEADER, LARGE);
  CHECK(loan == again);
  CHECK(loans_keep(loans, block, HEADER + LARGE));
  loan_return(loan);
  CHECK(is_all(loan_bytes(again), 'a'));
  loans_drop(loans); /* the heap has ended */
  CHECK(is_all(loan_bytes(again), 'a'));
  loan_return(again);
  loans_drop(NULL);
}

/* A string of a Lua state: collected, and closed, while it is lent. */
static void check_state(lua_Alloc allocator, Memory *memory) {
  lua_State *L = lua_newstate(allocator, memory);
  CHECK(!memory_lend(L, "short", 5));
  for (int round = 0; round < 2; round++) {
    char *text = new_block('a');
    const char *bytes = lua_pushlstring(L, text, LARGE);
    free(text);
    Loan *loan = memory_lend(L, bytes, LARGE);
    size_t used = memory->used;
    lua_settop(L, 0);
    if (round == 0) {
      lua_gc(L, LUA_GCCOLLECT);
      CHECK(memory->used + LARGE <= used); /* it is the state's no more */
    } else {
      lua_close(L);
      CHECK(memory->used == 0);
      memory_end(memory);
    }
    CHECK(is_all(loan_bytes(loan), 'a'));
    loan_return(loan);
  }
}

static void test_state(void) {
  Memory memory;
  memory_init(&memory);
  check_state(memory_allocate, &memory);
}

/* The state of a program with frames, whose allocator is our slab; and of one with its own, which
 * does not lend. */
static void test_hooked_state(void) {
  Memory memory;
  Slab slab;
  memory_init(&memory);
  slab_init(&slab);
  memory.hook = slab_allocate;
  memory.hook_data = &slab;
  memory.hook_lends = true;
  check_state(memory_allocate_hooked, &memory);
  memory_init(&memory);
  memory.hook = slab_allocate;
  memory.hook_data = &slab;
  lua_State *L = lua_newstate(memory_allocate_hooked, &memory);
  char *text = new_block('a');
  CHECK(!memory_lend(L, lua_pushlstring(L, text, LARGE), LARGE));
  free(text);
  lua_close(L);
  memory_end(&memory);
  slab_clear(&slab);
}

/* Over a channel */

/* As a packet that is made lends a string. */
static bool lend(ChannelEnd *end, Loans *loans, const char *block, size_t most, size_t *number) {
  return channel_lend(end, loans_lend(loans, block + HEADER, LARGE), most, number);
}

static void test_channel(void) {
  ChannelEnd *a, *b;
  Loans *loans = loans_new();
  size_t number, next;
  char *block = new_block('a');
  CHECK(channel_new(&a, &b));
  CHECK(channel_commit(a) == 0);
  CHECK(lend(a, loans, block, MOST, &number));
  CHECK(!channel_borrow(b, number, LARGE)); /* its packet is not there yet */
  channel_take_back(a);
  CHECK(channel_commit(a) == 0 && !loans_keep(loans, block, HEADER + LARGE));
  CHECK(lend(a, loans, block, MOST, &number));
  uint64_t bits = channel_commit(a);
  CHECK(bits == (uint64_t)1 << number);
  channel_take_back(a); /* that is on its way */
  CHECK(!channel_borrow(b, number, LARGE - 1) && !channel_borrow(b, number + 1, LARGE));
  CHECK(!channel_borrow(b, SLOTS, LARGE) && !channel_borrow(b, SIZE_MAX, LARGE));
  CHECK(!channel_borrow(a, number, LARGE)); /* it was not lent to this end */
  heap_free(loans, block);
  CHECK(is_all(channel_borrow(b, number, LARGE), 'a'));
  channel_give_back(b, UINT64_MAX);
  channel_give_back(b, bits); /* once more does nothing */
  CHECK(!channel_borrow(b, number, LARGE));
  block = new_block('b');
  CHECK(lend(a, loans, block, MOST, &next));
  channel_commit(a);
  heap_free(loans, block);
  channel_close(a);
  CHECK(is_all(channel_borrow(b, next, LARGE), 'b')); /* as it reads what was sent before */
  channel_close(b);                                   /* unread */
  loans_drop(loans);
}

/* So many, and so much of it, that the reader must read first. */
static void test_room(void) {
  ChannelEnd *a, *b;
  Loans *loans = loans_new();
  size_t number;
  char *block = new_block('a');
  CHECK(channel_new(&a, &b));
  for (int i = 0; i < 3; i++) {
    CHECK(lend(a, loans, block, 3 * LARGE, &number));
  }
  CHECK(!lend(a, loans, block, 3 * LARGE, &number));
  CHECK(!lend(a, loans, block, LARGE, &number));
  for (int i = 3; i < SLOTS; i++) {
    CHECK(lend(a, loans, block, MOST, &number));
  }
  CHECK(!lend(a, loans, block, SIZE_MAX, &number));
  channel_give_back(b, channel_commit(a));
  CHECK(lend(a, loans, block, LARGE, &number));
  channel_take_back(a);
  heap_free(loans, block); /* nothing is lent any more */
  channel_close(a);
  channel_close(b);
  loans_drop(loans);
}

/* Who has lent more than it likes is woken when some of it was read; who has not, is not. */
static void test_wake(void) {
  ChannelEnd *a, *b;
  Loans *loans = loans_new();
  size_t first, second;
  char *block = new_block('a');
  CHECK(channel_new(&a, &b));
  struct pollfd entry = {.fd = channel_descriptor(a), .events = POLLIN};
  CHECK(channel_lent(a, 0) == 0);
  CHECK(lend(a, loans, block, MOST, &first));
  CHECK(lend(a, loans, block, MOST, &second));
  channel_commit(a);
  CHECK(channel_lent(a, 2 * LARGE) == 2 * LARGE);
  channel_give_back(b, (uint64_t)1 << first);
  CHECK(poll(&entry, 1, 0) == 0);
  CHECK(channel_lent(a, LARGE - 1) == LARGE);
  channel_give_back(b, (uint64_t)1 << second);
  CHECK(poll(&entry, 1, 0) == 1 && channel_lent(a, 0) == 0);
  free(block);
  channel_close(a);
  channel_close(b);
  loans_drop(loans);
}

/* What is set aside is still lent, but it does not count any more. */
static void test_set_aside(void) {
  ChannelEnd *a, *b;
  Loans *loans = loans_new();
  size_t first, second;
  char *block = new_block('a');
  CHECK(channel_new(&a, &b));
  struct pollfd entry = {.fd = channel_descriptor(a), .events = POLLIN};
  CHECK(lend(a, loans, block, LARGE, &first));
  channel_set_aside(b, UINT64_MAX); /* not there yet */
  CHECK(channel_lent(a, 0) == LARGE && poll(&entry, 1, 0) == 0);
  channel_commit(a);
  channel_set_aside(b, (uint64_t)1 << first);
  CHECK(poll(&entry, 1, 0) == 1 && channel_lent(a, 0) == 0);
  CHECK(lend(a, loans, block, LARGE, &second));
  CHECK(first != second);
  channel_commit(a);
  channel_set_aside(b, (uint64_t)1 << first); /* once more does nothing */
  CHECK(channel_lent(a, 0) == LARGE);
  heap_free(loans, block);
  CHECK(is_all(channel_borrow(b, first, LARGE), 'a'));
  channel_give_back(b, (uint64_t)1 << first);
  CHECK(channel_lent(a, 0) == LARGE && !channel_borrow(b, first, LARGE));
  channel_give_back(b, (uint64_t)1 << second);
  CHECK(channel_lent(a, 0) == 0);
  channel_close(a);
  channel_close(b);
  loans_drop(loans);
}

/* A thread that cannot go on closes its end, not its link. */
static void test_abandoned(void) {
  static const LinkEvents events = {0};
  ChannelEnd *a, *b;
  Loans *loans = loans_new();
  size_t number;
  char *block = new_block('a');
  CHECK(channel_new(&a, &b));
  int fd = channel_descriptor(a);
  Loop *loop = loop_new();
  CHECK(loop && loop_start(loop) == 0);
  Link *link = link_new(loop, FROM_MAIN, &events);
  CHECK(link && link_join(link, b) == 0);
  CHECK(lend(a, loans, block, LARGE, &number));
  channel_commit(a);
  CHECK(loans_keep(loans, block, HEADER + LARGE));
  loop_free(loop);
  channel_close(b);
  channel_close(a);
  CHECK(fcntl(fd, F_GETFD) < 0); /* nothing of it is left, nor of what was lent */
  loans_drop(loans);
  free(link);
}

/* Reads what is lent: a byte a packet says under which number, and the letter. */
static void *read_all(void *end) {
  Buf in = {0};
  bool ok = true;
  for (ssize_t got; (got = channel_read(end, &in)) != 0;) {
    if (got < 0) channel_wait(end, CHANNEL_BYTES, -1);
    for (; buf_size(&in) >= 2; buf_consume(&in, 2)) {
      const uint8_t *packet = buf_front(&in), *bytes = channel_borrow(end, packet[0], LARGE);
      ok = ok && bytes && is_all(bytes, (char)packet[1]);
      channel_give_back(end, (uint64_t)1 << packet[0]);
    }
  }
  buf_clear(&in);
  channel_close(end);
  return ok ? end : NULL;
}

/* Sends a block that it frees at once, or a moment later. False when there was no room. */
static bool send_block(ChannelEnd *end, Loans *loans, char letter) {
  Buf out = {0};
  size_t number;
  char *block = new_block(letter);
  bool sent = lend(end, loans, block, MOST / 2, &number);
  const uint8_t packet[] = {(uint8_t)number, (uint8_t)letter};
  if (sent) {
    channel_commit(end);
    CHECK(buf_append(&out, packet, sizeof packet) && channel_write(end, &out) == sizeof packet);
  }
  heap_free(loans, block);
  buf_clear(&out);
  return sent;
}

static void test_threads(void) {
  ChannelEnd *a, *b;
  pthread_t thread;
  void *result;
  Loans *loans = loans_new();
  int sent = 0;
  CHECK(channel_new(&a, &b));
  CHECK(pthread_create(&thread, NULL, read_all, b) == 0);
  for (int i = 0; i < ROUNDS; i++) sent += send_block(a, loans, (char)('a' + i % 20));
  CHECK(sent > 0);
  channel_close(a);
  loans_drop(loans); /* what is lent stays */
  CHECK(pthread_join(thread, &result) == 0 && result);
}

static void test_all(void) {
  test_returned_first();
  test_freed_first();
  test_state();
  test_hooked_state();
  test_channel();
  test_room();
  test_wake();
  test_set_aside();
  test_abandoned();
  test_threads();
}

int main(void) { return run_test(test_all); }
