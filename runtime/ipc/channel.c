/* SPDX-License-Identifier: MIT
 * What a link within one process goes over.
 *
 * One lock guards both directions: it is held for a few moves of pointers, or for the copy of
 * CAPACITY bytes. An end is woken at most once until it looks: by its semaphore while it blocks, by
 * its descriptor otherwise. */
#include "ipc/channel.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
  CAPACITY = 1 << 20, /* bytes that may wait for a reader before a writer has to */
  LOANS = 64,         /* of one end, that may wait for the other to read them */
  WHOLE = 1 << 21,    /* a buffer up to this size is handed over as it is when none waits */
};

typedef struct Channel Channel;

struct ChannelEnd {
  Channel *channel;
  ChannelEnd *other;
  Buf bytes;          /* that wait for this end to read them */
  sem_t woken;        /* waited for by this end while it blocks */
  int fd;             /* owned; -1 until somebody has asked for it */
  bool is_told;       /* the descriptor is readable */
  bool blocks;        /* waits for `woken`, which nobody has posted yet */
  bool wants_room;    /* to be woken when there is: a write was cut short, or much is lent */
  bool finished;      /* nothing more comes from the other end */
  bool closed;        /* its owner is done */
  Loan *lent[LOANS];  /* by this end, owned: for the other one to read */
  uint64_t taken;     /* bits: which of them there are */
  uint64_t committed; /* and which the other end may know */
  uint64_t fresh;     /* those that are not committed; of this end's thread, without the lock */
  bool lends;         /* false: nothing is lent; of this end's thread, without the lock */
  uint64_t counted;   /* those that the other end has not set aside */
  size_t lent_size;   /* bytes of these */
};

struct Channel {
  pthread_mutex_t lock;
  ChannelEnd ends[2];
  Store store;    /* of the ends' buffers, and of those that they are exchanged for */
  int references; /* ends that are not closed, and calls of channel_hold */
};

static void init_end(Channel *channel, int which) {
  ChannelEnd *end = &channel->ends[which];
  end->channel = channel;
  end->other = &channel->ends[!which];
  end->bytes.store = &channel->store;
  end->fd = -1;
  sem_init(&end->woken, 0, 0);
}

bool channel_new(ChannelEnd **first, ChannelEnd **second) {
  Channel *channel = calloc(1, sizeof *channel);
  if (!channel) return false;
  pthread_mutex_init(&channel->lock, NULL);
  store_init(&channel->store);
  init_end(channel, 0);
  init_end(channel, 1);
  channel->references = 2;
  *first = &channel->ends[0];
  *second = &channel->ends[1];
  return true;
}

static void lock(ChannelEnd *end) { pthread_mutex_lock(&end->channel->lock); }

static void unlock(ChannelEnd *end) { pthread_mutex_unlock(&end->channel->lock); }

/* How an end is to be woken, once the lock is given back: it would wait for that else. */
typedef enum Wake { WAKE_NOT, WAKE_BLOCKED, WAKE_DESCRIPTOR } Wake;

/* With the lock. */
static Wake prepare_wake(ChannelEnd *end) {
  if (end->blocks) {
    end->blocks = false;
    return WAKE_BLOCKED;
  }
  if (end->fd < 0 || end->is_told) return WAKE_NOT;
  end->is_told = true;
  return WAKE_DESCRIPTOR;
}

/* Without the lock: the caller's own end keeps the channel, and that the descriptors. */
static void wake(ChannelEnd *end, Wake how) {
  const uint64_t one = 1;
  if (how == WAKE_BLOCKED) sem_post(&end->woken);
  if (how != WAKE_DESCRIPTOR) return;
  ssize_t written = write(end->fd, &one, sizeof one);
  (void)written; /* the counter is full never */
}

/* Whether there is anything to look at. With the lock. */
static bool has_news(const ChannelEnd *end, int wanted) {
  if (end->finished || end->other->closed) return true;
  if ((wanted & CHANNEL_BYTES) && buf_size(&end->bytes) > 0) return true;
  return (wanted & CHANNEL_ROOM) && buf_size(&end->other->bytes) < CAPACITY;
}

int channel_descriptor(ChannelEnd *end) {
  lock(end);
  if (end->fd < 0) end->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int fd = end->fd < 0 ? -errno : end->fd;
  Wake how = has_news(end, CHANNEL_BYTES) ? prepare_wake(end) : WAKE_NOT;
  unlock(end);
  wake(end, how);
  return fd;
}

void channel_clear(ChannelEnd *end) {
  uint64_t count;
  lock(end);
  if (end->is_told && read(end->fd, &count, sizeof count) > 0) end->is_told = false;
  unlock(end);
}

void channel_look_again(ChannelEnd *end) {
  lock(end);
  Wake how = has_news(end, CHANNEL_BYTES) ? prepare_wake(end) : WAKE_NOT;
  unlock(end);
  wake(end, how);
}

/* Moves bytes between two buffers: by exchanging them where that is all there is to it. */
static bool move(Buf *from, Buf *to, size_t size) {
  if (buf_size(to) == 0 && size == buf_size(from)) {
    Buf empty = *to;
    *to = *from;
    *from = empty;
    return true;
  }
  if (!buf_append(to, buf_front(from), size)) return false;
  buf_consume(from, size);
  return true;
}

/* Somebody may write again. With the lock. */
static Wake tell_room(ChannelEnd *writer) {
  if (!writer->wants_room) return WAKE_NOT;
  writer->wants_room = false;
  return prepare_wake(writer);
}

/* With the lock. As channel_read. */
static ssize_t read_from(ChannelEnd *end, Buf *into, Wake *how) {
  size_t size = buf_size(&end->bytes);
  bool is_over = end->finished || end->other->closed;
  errno = EAGAIN;
  if (size == 0) return is_over ? 0 : -1;
  errno = ENOMEM;
  if (!move(&end->bytes, into, size)) return -1;
  *how = tell_room(end->other);
  return (ssize_t)size;
}

ssize_t channel_read(ChannelEnd *end, Buf *into) {
  Wake how = WAKE_NOT;
  lock(end);
  ssize_t result = read_from(end, into, &how);
  unlock(end);
  wake(end->other, how);
  return result;
}

/* How much of `size` bytes may be added to those that wait. */
static size_t room_for(const Buf *waiting, size_t size) {
  size_t used = buf_size(waiting);
  if (used == 0 && size <= WHOLE) return size;
  if (used >= CAPACITY) return 0;
  return size < CAPACITY - used ? size : CAPACITY - used;
}

/* With the lock. */
static ssize_t write_to(ChannelEnd *end, Buf *from, Wake *how) {
  ChannelEnd *reader = end->other;
  size_t size = room_for(&reader->bytes, buf_size(from));
  bool is_rest = size < buf_size(from);
  errno = EPIPE;
  if (reader->closed || reader->finished || end->finished) return -1;
  if (is_rest) end->wants_room = true;
  errno = EAGAIN;
  if (size == 0) return -1;
  errno = ENOMEM;
  if (!move(from, &reader->bytes, size)) return -1;
  *how = prepare_wake(reader);
  return (ssize_t)size;
}

ssize_t channel_write(ChannelEnd *end, Buf *from) {
  Wake how = WAKE_NOT;
  lock(end);
  ssize_t result = write_to(end, from, &how);
  unlock(end);
  wake(end->other, how);
  return result;
}

Store *channel_store(ChannelEnd *end) { return &end->channel->store; }

/* With the lock. */
static bool add_loan(ChannelEnd *end, Loan *loan, size_t most, size_t *number) {
  size_t size = loan_size(loan), unread = end->lent_size;
  bool has_room = unread == 0 || (unread <= most && size <= most - unread);
  if (~end->taken == 0 || !has_room) return false;
  end->lends = true;
  *number = (size_t)__builtin_ctzll(~end->taken);
  end->lent[*number] = loan;
  end->taken |= (uint64_t)1 << *number;
  end->fresh |= (uint64_t)1 << *number;
  end->counted |= (uint64_t)1 << *number;
  end->lent_size += size;
  return true;
}

bool channel_lend(ChannelEnd *end, Loan *loan, size_t most, size_t *number) {
  lock(end);
  bool has_room = add_loan(end, loan, most, number);
  unlock(end);
  if (!has_room) loan_return(loan);
  return has_room;
}

uint64_t channel_commit(ChannelEnd *end) {
  uint64_t fresh = end->fresh;
  if (fresh == 0) return 0;
  lock(end);
  end->committed |= fresh;
  unlock(end);
  end->fresh = 0;
  return fresh;
}

/* With the lock. */
static void discount(ChannelEnd *end, uint64_t loans) {
  for (uint64_t left = loans & end->counted; left; left &= left - 1) {
    end->lent_size -= loan_size(end->lent[__builtin_ctzll(left)]);
  }
  end->counted &= ~loans;
}

/* Takes those of `loans` that there are out of the channel. With the lock. Returns how many. */
static int remove_loans(ChannelEnd *end, uint64_t loans, Loan **removed) {
  int count = 0;
  discount(end, loans);
  for (uint64_t left = loans & end->taken; left; left &= left - 1) {
    removed[count++] = end->lent[__builtin_ctzll(left)];
  }
  end->taken &= ~loans;
  end->committed &= ~loans;
  return count;
}

/* The memory may be large: it is freed without the lock. */
static void return_all(Loan **loans, int count) {
  while (count > 0) loan_return(loans[--count]);
}

void channel_take_back(ChannelEnd *end) {
  Loan *loans[LOANS];
  if (end->fresh == 0) return;
  lock(end);
  int count = remove_loans(end, end->fresh, loans);
  unlock(end);
  end->fresh = 0;
  return_all(loans, count);
}

const uint8_t *channel_borrow(ChannelEnd *end, size_t number, size_t size) {
  const ChannelEnd *lender = end->other;
  const uint8_t *bytes = NULL;
  lock(end);
  bool is_lent = number < LOANS && (lender->committed >> number & 1);
  if (is_lent && loan_size(lender->lent[number]) == size) bytes = loan_bytes(lender->lent[number]);
  unlock(end);
  return bytes;
}

void channel_set_aside(ChannelEnd *end, uint64_t loans) {
  lock(end);
  discount(end->other, loans & end->other->committed);
  Wake how = tell_room(end->other);
  unlock(end);
  wake(end->other, how);
}

void channel_give_back(ChannelEnd *end, uint64_t loans) {
  Loan *read[LOANS];
  lock(end);
  int count = remove_loans(end->other, loans & end->other->committed, read);
  Wake how = tell_room(end->other);
  unlock(end);
  wake(end->other, how);
  return_all(read, count);
}

size_t channel_lent(ChannelEnd *end, size_t mark) {
  if (!end->lends) return 0;
  lock(end);
  size_t size = end->lent_size;
  if (size > mark) end->wants_room = true;
  unlock(end);
  end->lends = size > 0;
  return size;
}

static struct timespec time_in(int milliseconds) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  time.tv_sec += milliseconds / 1000;
  time.tv_nsec += milliseconds % 1000 * 1000000;
  if (time.tv_nsec >= 1000000000) {
    time.tv_sec++;
    time.tv_nsec -= 1000000000;
  }
  return time;
}

/* Waits for `woken`, also in vain: false after the timeout. */
static bool block(ChannelEnd *end, const struct timespec *until) {
  int status = until ? sem_clockwait(&end->woken, CLOCK_MONOTONIC, until) : sem_wait(&end->woken);
  return status == 0 || errno == EINTR;
}

/* Until one of `wanted` is there, or the time is over, which NULL never is. With the lock. */
static void wait_for(ChannelEnd *end, int wanted, const struct timespec *until) {
  bool has_time = true;
  while (has_time && !has_news(end, wanted)) {
    end->blocks = true;
    if (wanted & CHANNEL_ROOM) end->wants_room = true;
    unlock(end);
    has_time = block(end, until);
    lock(end);
  }
  end->blocks = false;
}

void channel_wait(ChannelEnd *end, int wanted, int timeout) {
  struct timespec until = timeout >= 0 ? time_in(timeout) : (struct timespec){0};
  lock(end);
  wait_for(end, wanted, timeout >= 0 ? &until : NULL);
  unlock(end);
}

ssize_t channel_await(ChannelEnd *end, Buf *into) {
  Wake how = WAKE_NOT;
  lock(end);
  wait_for(end, CHANNEL_BYTES, NULL);
  ssize_t result = read_from(end, into, &how);
  unlock(end);
  wake(end->other, how);
  return result;
}

void channel_break(ChannelEnd *end) {
  lock(end);
  end->other->finished = true;
  Wake how = prepare_wake(end->other);
  unlock(end);
  wake(end->other, how);
}

static void release(Channel *channel) {
  for (int i = 0; i < 2; i++) {
    Loan *loans[LOANS];
    return_all(loans, remove_loans(&channel->ends[i], UINT64_MAX, loans));
    buf_clear(&channel->ends[i].bytes);
    if (channel->ends[i].fd >= 0) close(channel->ends[i].fd);
    sem_destroy(&channel->ends[i].woken);
  }
  store_clear(&channel->store);
  pthread_mutex_destroy(&channel->lock);
  free(channel);
}

void channel_close(ChannelEnd *end) {
  lock(end);
  bool was_closed = end->closed;
  end->closed = true;
  buf_clear(&end->bytes); /* what nobody reads */
  Wake how = prepare_wake(end->other);
  unlock(end);
  wake(end->other, how);
  if (!was_closed) channel_drop(end);
}

void channel_hold(ChannelEnd *end) {
  lock(end);
  end->channel->references++;
  unlock(end);
}

void channel_drop(ChannelEnd *end) {
  lock(end);
  bool was_last = --end->channel->references == 0;
  unlock(end);
  if (was_last) release(end->channel);
}
