/* SPDX-License-Identifier: MIT
 * Changing the environment of a process with threads. */
#pragma once

#include <stddef.h>

/* What a caller keeps of it; zeroed at first, never freed. */
typedef struct Environment {
  char **list; /* that environ was made by us; NULL when it never was */
  size_t room; /* entries that fit into it, the NULL at the end not among them */
} Environment;

/* Sets the variable; NULL removes it. Others may read the environment meanwhile, which the C
 * library's setenv does not let them: what environ has ever led to stays valid. They must not
 * change it. Returns 0 or -ENOMEM. */
int environment_set(Environment *own, const char *name, const char *value);
