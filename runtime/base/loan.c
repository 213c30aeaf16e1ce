/* SPDX-License-Identifier: MIT
 * Large strings of one heap that another thread reads where they lie.
 *
 * The lender goes on as if nothing were: its collector may free the string at any time, also
 * because the whole heap ends. Then the block changes hands: it is the loan's, and freed with it.
 */
#include "base/loan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/list.h"

struct Loans {
  pthread_mutex_t lock;
  List list;        /* of loans that were not returned */
  atomic_int count; /* how many: the heap asks at each large block that it frees */
  int references;   /* those, and the heap */
};

struct Loan {
  List node;
  Loans *loans;
  const uint8_t *bytes;
  size_t size;
  void *block; /* owned, once the heap does not need it any more */
  int uses;    /* calls of loan_return to come */
};

Loans *loans_new(void) {
  Loans *loans = calloc(1, sizeof *loans);
  if (!loans) return NULL;
  pthread_mutex_init(&loans->lock, NULL);
  list_init(&loans->list);
  loans->references = 1;
  return loans;
}

static void lock(Loans *loans) { pthread_mutex_lock(&loans->lock); }

/* Gives the lock back; and a reference, which may be the last one. */
static void unlock_and_drop(Loans *loans, int dropped) {
  loans->references -= dropped;
  bool is_last = loans->references == 0;
  pthread_mutex_unlock(&loans->lock);
  if (!is_last) return;
  pthread_mutex_destroy(&loans->lock);
  free(loans);
}

void loans_drop(Loans *loans) {
  if (!loans) return;
  lock(loans);
  unlock_and_drop(loans, 1);
}

/* A string that is sent twice is one loan. With the lock. */
static Loan *find(Loans *loans, const void *bytes) {
  for (List *node = loans->list.next; node != &loans->list; node = node->next) {
    Loan *loan = LIST_ENTRY(node, Loan, node);
    if (loan->bytes == bytes) return loan;
  }
  return NULL;
}

/* With the lock. */
static Loan *add(Loans *loans, const void *bytes, size_t size) {
  Loan *loan = calloc(1, sizeof *loan);
  if (!loan) return NULL;
  loan->loans = loans;
  loan->bytes = bytes;
  loan->size = size;
  list_init(&loan->node);
  list_append(&loans->list, &loan->node);
  loans->references++;
  atomic_fetch_add_explicit(&loans->count, 1, memory_order_relaxed);
  return loan;
}

Loan *loans_lend(Loans *loans, const void *bytes, size_t size) {
  lock(loans);
  Loan *loan = find(loans, bytes);
  if (!loan) loan = add(loans, bytes, size);
  if (loan) loan->uses++;
  unlock_and_drop(loans, 0);
  return loan;
}

bool loans_keep(Loans *loans, void *block, size_t size) {
  bool is_kept = false;
  /* What a reader did before its loan was returned has happened before the block is freed. */
  if (atomic_load_explicit(&loans->count, memory_order_acquire) == 0) return false;
  lock(loans);
  for (List *node = loans->list.next; node != &loans->list && !is_kept; node = node->next) {
    Loan *loan = LIST_ENTRY(node, Loan, node);
    is_kept = (uintptr_t)loan->bytes - (uintptr_t)block < size;
    if (is_kept) loan->block = block;
  }
  unlock_and_drop(loans, 0);
  return is_kept;
}

const uint8_t *loan_bytes(const Loan *loan) { return loan->bytes; }

size_t loan_size(const Loan *loan) { return loan->size; }

void loan_return(Loan *loan) {
  Loans *loans = loan->loans;
  lock(loans);
  bool is_last = --loan->uses == 0;
  if (is_last) {
    list_remove(&loan->node);
    atomic_fetch_sub_explicit(&loans->count, 1, memory_order_release);
  }
  unlock_and_drop(loans, is_last);
  if (!is_last) return;
  free(loan->block);
  free(loan);
}
