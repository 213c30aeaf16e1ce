/* SPDX-License-Identifier: MIT
 * The single instance lock: the first process of an app holds it, later ones leave a message. */
#pragma once

#include <stddef.h>
#include <uv.h>

enum { INSTANCE_MESSAGE_MAX = 32 << 20 };

/* Tries to become the one instance of the app `id` of this user on this machine. Returns
 *   1  this is the first: *listen_fd (owned by the caller, close-on-exec, non-blocking) holds the
 *      lock until it is closed, by the kernel at the latest; give it to instance_listen;
 *   0  another process holds it, and got the message, or will find it when it wakes;
 *   or a negative libuv code: UV_E2BIG for more than INSTANCE_MESSAGE_MAX bytes, UV_EPERM when
 *   another user holds the name, UV_ETIMEDOUT when the holder did not take the message.
 * Waits for two seconds at a time for a holder that does not react, once or twice. */
int instance_acquire(const char *id, const void *message, size_t size, int *listen_fd);

/* The listening side of the lock. None of its handles keeps the loop alive. */
typedef struct Instance Instance;

/* A whole message of a later instance; `bytes` live until this returns. May close the instance. */
typedef void (*InstanceMessage)(void *data, const void *bytes, size_t size);

/* Reads the messages of later instances, a piece a turn, and gives them to `on_message`. Owns
 * listen_fd from now on unless it fails. Returns 0 or a negative libuv code. */
int instance_listen(uv_loop_t *loop, int listen_fd, InstanceMessage on_message, void *data,
                    Instance **out);

/* Gives the lock up. No callback comes any more; freed in the close callbacks. */
void instance_close(Instance *instance);
