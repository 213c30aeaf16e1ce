/* SPDX-License-Identifier: MIT
 * Descriptors that go to another process, beside bytes in a Unix socket. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

enum { FDS_MAX = 3 }; /* that one message may carry */

/* Sends bytes with `count` (1 to FDS_MAX) descriptors beside the first of them. They stay the
 * caller's: the peer gets copies. The result, errno and `flags` are sendmsg's. */
ssize_t fds_send(int socket, const void *bytes, size_t size, const int *fds, int count, int flags);

/* Receives bytes, and what descriptors are beside them: the caller's then, and close-on-exec.
 * `*count` is how many `fds` has room for (at most FDS_MAX; the system drops more), and becomes how
 * many came; the rest of `fds` stays as it is. The result, errno and `flags` are recvmsg's. */
ssize_t fds_receive(int socket, void *bytes, size_t size, int *fds, int *count, int flags);
