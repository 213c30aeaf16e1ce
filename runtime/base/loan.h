/* SPDX-License-Identifier: MIT
 * Large strings of one heap that another thread reads where they lie: they are not copied on their
 * way, and not freed before they were read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one heap has lent. Its functions are for the thread of that heap. */
typedef struct Loans Loans;

/* Bytes that are read elsewhere, once or several times. For any thread. */
typedef struct Loan Loan;

enum { LOAN_LEAST = 1 << 15 /* bytes that are worth it: less is as well copied */ };

/* Makes it; NULL when memory is short. */
Loans *loans_new(void);

/* The heap has ended, having offered loans_keep all that it had. What is still lent stays until it
 * is returned. NULL is allowed. */
void loans_drop(Loans *loans);

/* Lends bytes that nobody changes, inside a block of malloc's: LOAN_LEAST of them at least. NULL
 * when memory is short; loan_return follows. */
Loan *loans_lend(Loans *loans, const void *bytes, size_t size);

/* The heap would free this block. True: something in it is lent, so it will be freed by
 * loan_return, and is the heap's no more. */
bool loans_keep(Loans *loans, void *block, size_t size);

/* The bytes, until loan_return. */
const uint8_t *loan_bytes(const Loan *loan);

/* How many they are. */
size_t loan_size(const Loan *loan);

/* They were read, or nobody will read them. */
void loan_return(Loan *loan);
