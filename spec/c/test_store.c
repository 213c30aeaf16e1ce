/* SPDX-License-Identifier: MIT
 * What grew for a large message: it goes round between the ends of a channel, and is freed when no
 * more come. */
#include "host.h"

#include "ipc/link.h"

enum { LARGE = 1 << 20, ROUNDS = 20 };

static void fill(Buf *buf, size_t size) {
  CHECK(buf_reserve(buf, size));
  memset(buf->data + buf->end, 'b', size);
  buf->end += size;
}

static void test_store(void) {
  Store store;
  size_t capacity;
  uint8_t *first = malloc(100), *second = malloc(200), *third = malloc(50);
  store_init(&store);
  CHECK(!store_give(&store, first, 100)); /* nobody tends it */
  store_open(&store);
  CHECK(store_give(&store, first, 100));
  CHECK(!store_give(&store, third, 50));
  CHECK(store_give(&store, second, 200)); /* in the place of the first */
  CHECK(!store_give(&store, third, (size_t)STORE_MOST + 1));
  CHECK(!store_take(&store, 201, &capacity));
  CHECK(store_take(&store, 150, &capacity) == second && capacity == 200);
  CHECK(!store_take(&store, 1, &capacity));
  CHECK(store_give(&store, second, 200));
  CHECK(store_tend(&store) && store.data);
  CHECK(!store_tend(&store) && !store.data);
  CHECK(!store_give(&store, third, 50));
  free(third);
  store_open(&store);
  CHECK(store_give(&store, malloc(10), 10));
  store_clear(&store);
}

/* A buffer goes on in what the store has, with what it holds, and gives that back. */
static void test_buffer(void) {
  Store store;
  size_t capacity;
  store_init(&store);
  store_open(&store);
  uint8_t *stored = malloc(LARGE);
  CHECK(store_give(&store, stored, LARGE));
  Buf buf = {.store = &store};
  fill(&buf, BUF_KEEP / 2);
  CHECK(buf.data != stored);
  buf_consume(&buf, 1);
  fill(&buf, BUF_KEEP);
  CHECK(buf.data == stored && buf.capacity == LARGE && buf_size(&buf) == BUF_KEEP / 2 * 3 - 1);
  CHECK(*buf_front(&buf) == 'b' && buf.data[buf.end - 1] == 'b');
  buf_consume(&buf, buf_size(&buf));
  CHECK(!buf.data && buf.store == &store);
  CHECK(store_take(&store, LARGE, &capacity) == stored);
  free(stored);
  store_clear(&store);
}

/* ---- two links over a channel ---- */

static void on_packet(Link *link, const Packet *packet) {
  *(size_t *)link->data += packet->body_size;
  link_finish_packet(link);
}

static void on_end(Link *link, const char *reason) { (void)link, (void)reason; }

static void on_drained(Link *link) { (void)link; }

static const LinkEvents events = {on_packet, on_end, on_drained};

/* Main's end and the page's, on one loop. */
typedef struct Pair {
  Loop *loop;
  Link *main, *page;
  ChannelEnd *held;
  size_t came; /* bytes */
} Pair;

static Link *join(Pair *pair, int from, ChannelEnd *end) {
  Link *link = link_new(pair->loop, from, &events);
  link->data = &pair->came;
  CHECK(link_join(link, end) == 0);
  return link;
}

static void pair_init(Pair *pair) {
  ChannelEnd *first, *second;
  *pair = (Pair){.loop = loop_new()};
  CHECK(pair->loop && loop_start(pair->loop) == 0);
  CHECK(channel_new(&first, &second));
  channel_hold(first);
  pair->held = first;
  pair->main = join(pair, FROM_PEER, first);
  pair->page = join(pair, FROM_MAIN, second);
}

static void pair_clear(Pair *pair) {
  link_close(pair->main);
  link_close(pair->page);
  loop_free(pair->loop);
  channel_drop(pair->held);
}

static bool pass(Pair *pair, Link *link, size_t size) {
  Packet packet = {.kind = PACKET_MESSAGE};
  pair->came = 0;
  if (!link_begin(link)) return false;
  fill(&link->out, size);
  link_commit(link, &packet);
  for (int i = 0; i < 20 && pair->came < size; i++) uv_run(&pair->loop->uv, UV_RUN_NOWAIT);
  return pair->came == size;
}

/* The same memory all the time. */
static void test_circle(void) {
  Pair pair;
  pair_init(&pair);
  Store *store = channel_store(pair.held);
  CHECK(pass(&pair, pair.page, LARGE));
  CHECK(pass(&pair, pair.main, LARGE));
  uint8_t *stored = store->data;
  CHECK(stored != NULL);
  for (int i = 0; i < ROUNDS; i++) {
    CHECK(pass(&pair, pair.page, LARGE) && store->data == stored);
    CHECK(pass(&pair, pair.main, LARGE) && store->data == stored);
  }
  pair_clear(&pair);
}

static void on_late(uv_timer_t *timer) { *(bool *)timer->data = true; }

/* Freed a while after the last one, by a timer that keeps no loop running and stops then. */
static void test_idle(void) {
  Pair pair;
  bool late = false;
  pair_init(&pair);
  uv_timer_t deadline;
  uv_timer_init(&pair.loop->uv, &deadline);
  deadline.data = &late;
  uv_timer_start(&deadline, on_late, (uint64_t)patience(), 0);
  CHECK(pass(&pair, pair.main, LARGE));
  CHECK(channel_store(pair.held)->data && !list_empty(&pair.loop->grown));
  CHECK(!uv_has_ref((uv_handle_t *)&pair.loop->tender));
  while (!late && !list_empty(&pair.loop->grown)) uv_run(&pair.loop->uv, UV_RUN_ONCE);
  CHECK(!late && !channel_store(pair.held)->data);
  CHECK(!uv_is_active((uv_handle_t *)&pair.loop->tender));
  CHECK(pass(&pair, pair.page, LARGE) && !list_empty(&pair.loop->grown)); /* and again */
  pair_clear(&pair);
}

/* A link that is closed has nothing of the channel's, which may be gone. */
static void test_close(void) {
  Pair pair;
  pair_init(&pair);
  CHECK(pass(&pair, pair.main, LARGE));
  link_close(pair.main);
  CHECK(list_empty(&pair.loop->grown) && !pair.main->in.store && !pair.main->out.store);
  pair_clear(&pair);
}

static void test_all(void) {
  test_store();
  test_buffer();
  test_circle();
  test_idle();
  test_close();
}

int main(void) { return run_test(test_all); }
