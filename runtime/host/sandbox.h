/* SPDX-License-Identifier: MIT
 * The operating system's sandbox around a renderer: docs/security.md says what it promises. */
#pragma once

/* What a kernel, or what runs us, may lack; the rest of the sandbox stands all the same. */
enum {
  SANDBOX_FILTER = 1,   /* the filter of system calls */
  SANDBOX_LANDLOCK = 2, /* the second wall before files */
};

/* The first half, once a program, or once for all forks of a zygote, when everything that is read
 * from files is there: from here on no file can be opened and no socket made. The environment's
 * contents are overwritten; standard input and output lead nowhere. Returns what is missing, as
 * bits, or 0. */
unsigned sandbox_prepare(void);

/* Closes every descriptor but the standard streams and the link, which moves to CHILD_LINK_FD. */
void sandbox_close_others(int link_fd);

/* The second half, in each renderer: gives up, for good, what only starting needed. Call it with
 * one thread, before any byte of the app's code is there. Returns what is missing, as above. */
unsigned sandbox_enter(void);
