/* SPDX-License-Identifier: MIT
 * Memory that both ends of a link have mapped: see share.h. */
#include "ipc/share.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  WORDS_SIZE = 1 << 12, /* in front of the regions: a page with the words of freed blocks */
  WORD_DISTANCE = 64,   /* so that each has a cache line for itself */
  SHARE_SIZE = WORDS_SIZE + 2 * SHARE_REGION,
  SEALS = F_SEAL_SHRINK | F_SEAL_GROW,
  NOEXEC_SEAL = 8, /* MFD_NOEXEC_SEAL, which older headers do not have */
  IDLE_TIME = 100, /* milliseconds after which unused blocks give their pages back */
};

/* What one end knows of one direction. */
struct Share {
  uv_timer_t timer; /* runs while blocks have pages; its end is the share's */
  uint8_t *memory;  /* the mapping */
  uint8_t *out, *in;
  uint64_t *out_freed; /* in the mapping: set by the peer, taken by us */
  uint64_t *in_freed;  /* the other way round */
  uint64_t taken;      /* blocks of `out` that the peer has not freed yet */
  uint64_t begun;      /* those of them that share_commit has not seen */
  uint64_t touched;    /* blocks that may have pages */
  uint64_t recent;     /* those of them that were taken since the timer's last turn */
};

/* ---- the mapping ---- */

/* The size of a file that is longer than the process may write is a signal, not an error. */
static bool may_be_as_large(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= SHARE_SIZE;
}

static int new_memory(void) {
  if (!may_be_as_large()) return -1;
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create("lunette", flags | NOEXEC_SEAL);
  if (fd < 0) fd = memfd_create("lunette", flags); /* before Linux 6.3 */
  if (fd < 0) return -1;
  if (ftruncate(fd, SHARE_SIZE) == 0 && fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == 0) return fd;
  close(fd);
  return -1;
}

/* Were the file to shrink, reading in the mapping would be a signal. (Not by fstat, which the C
 * library makes a look at any path: the sandbox refuses that.) */
static bool is_good(int fd) {
  if (lseek(fd, 0, SEEK_END) != SHARE_SIZE) return false;
  int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & SEALS) == SEALS;
}

/* `first` is the region that this end sends in: 0 or 1. */
static Share *map(uv_loop_t *loop, int fd, int first) {
  Share *share = calloc(1, sizeof *share);
  if (!share) return NULL;
  uint8_t *memory = mmap(NULL, SHARE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED || uv_timer_init(loop, &share->timer) < 0) {
    if (memory != MAP_FAILED) munmap(memory, SHARE_SIZE);
    free(share);
    return NULL;
  }
  uv_unref((uv_handle_t *)&share->timer);
  share->timer.data = share;
  share->memory = memory;
  share->out = memory + WORDS_SIZE + (size_t)first * SHARE_REGION;
  share->in = memory + WORDS_SIZE + (size_t)!first * SHARE_REGION;
  share->out_freed = (uint64_t *)(memory + (size_t)first * WORD_DISTANCE);
  share->in_freed = (uint64_t *)(memory + (size_t)!first * WORD_DISTANCE);
  return share;
}

Share *share_new(uv_loop_t *loop, int *fd) {
  *fd = new_memory();
  if (*fd < 0) return NULL;
  Share *share = map(loop, *fd, 0);
  if (share) return share;
  close(*fd);
  *fd = -1;
  return NULL;
}

Share *share_map(uv_loop_t *loop, int fd) { return is_good(fd) ? map(loop, fd, 1) : NULL; }

static void on_close(uv_handle_t *timer) {
  Share *share = timer->data;
  munmap(share->memory, SHARE_SIZE);
  free(share);
}

void share_close(Share *share) {
  if (share) uv_close((uv_handle_t *)&share->timer, on_close);
}

/* ---- sending ---- */

/* `count` blocks from `first` on; count is 1 to SHARE_BLOCKS. */
static uint64_t bits(int first, size_t count) {
  return ~UINT64_C(0) >> (SHARE_BLOCKS - count) << first;
}

static void take_back(Share *share) {
  if (!share->taken) return;
  share->taken &= ~__atomic_exchange_n(share->out_freed, 0, __ATOMIC_ACQUIRE);
}

/* Gives the pages of blocks that were not used for a while back to the system. */
static void on_idle(uv_timer_t *timer) {
  Share *share = timer->data;
  take_back(share);
  uint64_t stale = share->touched & ~share->recent & ~share->taken;
  for (int i = 0; i < SHARE_BLOCKS; i++) {
    if (!(stale >> i & 1)) continue;
    madvise(share->out + (size_t)i * SHARE_BLOCK_SIZE, SHARE_BLOCK_SIZE, MADV_REMOVE);
  }
  share->touched &= ~stale;
  share->recent = 0;
  if (!share->touched) uv_timer_stop(timer);
}

/* The first of `count` free blocks in a row; the lowest, as their pages are there already. */
static int find_free(const Share *share, size_t count) {
  uint64_t free = ~share->taken, found = free;
  for (size_t i = 1; i < count; i++) found &= free >> i;
  return found ? __builtin_ctzll(found) : -1;
}

uint8_t *share_take(Share *share, size_t size, size_t most, size_t *offset) {
  if (size == 0 || size > SHARE_REGION) return NULL;
  take_back(share);
  size_t count = (size + SHARE_BLOCK_SIZE - 1) / SHARE_BLOCK_SIZE;
  size_t unread = (size_t)__builtin_popcountll(share->taken) * SHARE_BLOCK_SIZE;
  int first = unread + size > most ? -1 : find_free(share, count);
  if (first < 0) return NULL;
  uint64_t blocks = bits(first, count);
  share->taken |= blocks;
  share->begun |= blocks;
  share->touched |= blocks;
  share->recent |= blocks;
  if (!uv_is_active((uv_handle_t *)&share->timer)) {
    uv_timer_start(&share->timer, on_idle, IDLE_TIME, IDLE_TIME);
  }
  *offset = (size_t)first * SHARE_BLOCK_SIZE;
  return share->out + *offset;
}

uint64_t share_commit(Share *share) {
  uint64_t blocks = share->begun;
  share->begun = 0;
  return blocks;
}

void share_rollback(Share *share) { share->taken &= ~share_commit(share); }

/* ---- receiving ---- */

const uint8_t *share_at(const Share *share, size_t offset, size_t size) {
  if (offset > SHARE_REGION || size > SHARE_REGION - offset) return NULL;
  return share->in + offset;
}

void share_release(Share *share, uint64_t blocks) {
  __atomic_fetch_or(share->in_freed, blocks, __ATOMIC_RELEASE);
}
