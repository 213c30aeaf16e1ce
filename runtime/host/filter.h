/* SPDX-License-Identifier: MIT
 * The system calls that a sandboxed renderer may make: a constant, made by tools/filter.c at build
 * time, so that nothing is computed, and nothing needs libseccomp, when a renderer starts. */
#pragma once

#include <linux/filter.h>

/* Stands in the second filter where the process's own number belongs; larger than any of those. */
#define FILTER_SELF 0x5e1f0000u

enum {
  FILTER_LINK_FD = 3,    /* the link; those below are the standard streams */
  FILTER_FD_LIMIT = 256, /* descriptors are smaller than this: a power of two */
};

/* Programs for seccomp: what may be called while a renderer starts, and what is taken away then. */
extern const struct sock_filter first_filter[], second_filter[];
extern const unsigned short first_filter_size, second_filter_size;
