/* SPDX-License-Identifier: MIT
 * The zygote: a process that has booted as far as all renderers do, and has forked one by the time
 * it is asked for. That costs a tenth of an exec, and what nobody writes to is shared. */
#pragma once

#include "host/child.h"

/* Main's side of a zygote. */
typedef struct Zygote Zygote;

/* Starts the zygote process: `path` with `argv`, which makes it call zygote_serve on CHILD_LINK_FD.
 * It does not keep the loop alive. Returns 0 or a negative libuv code. */
int zygote_open(uv_loop_t *loop, const char *path, char *const *argv, Zygote **out);

/* Asks for a renderer, as child_spawn starts one; of the options it uses what
 * child_expect does. The
 * child is this process's own; its number is known, and child_pid tells it, a little later. Returns
 * 0 or a negative code, UV_EPIPE once the zygote has gone. */
int zygote_spawn(Zygote *zygote, const ChildOptions *options, Child **out, int *link_fd);

/* Whether the zygote can still be asked. */
bool zygote_is_alive(const Zygote *zygote);

/* Ends the zygote; its children live on. Those that are only expected are lost. */
void zygote_close(Zygote *zygote);

/* The zygote's own side: forks a child of main, which is `parent`, for each request on `fd`, ahead
 * of it; the child dies with main. Returns in the child, with its end of the link, and -1 in the
 * zygote and in the child that is left when main has closed. */
int zygote_serve(int fd, pid_t parent);
