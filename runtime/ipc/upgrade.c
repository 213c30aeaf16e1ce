/* SPDX-License-Identifier: MIT
 * How a link that is used comes to pipes and shared memory: see upgrade.h. */
#include "ipc/upgrade.h"

#include "base/fds.h"
#include "ipc/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes that a pipe holds, as far as the system grants them: with its usual 64 KiB whoever sends a
 * lot is woken four times as often. Memory is taken for what waits in it only. */
enum { PIPE_SIZE = 1 << 18 };

/* The descriptors that are passed, in order. */
enum { PASS_MEMORY, PASS_IN, PASS_OUT };

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void close_passing(Upgrade *upgrade) {
  for (int i = 0; i < UPGRADE_FDS; i++) close_fd(&upgrade->passing[i]);
}

void upgrade_init(Upgrade *upgrade) {
  *upgrade = (Upgrade){.in = -1, .out = -1, .spare = -1, .passing = {-1, -1, -1}};
}

void upgrade_clear(Upgrade *upgrade) {
  close_passing(upgrade);
  close_fd(&upgrade->in);
  close_fd(&upgrade->out);
  close_fd(&upgrade->spare);
  share_close(upgrade->share);
  upgrade->share = NULL;
}

/* What comes next comes through the pipe. False when the link has failed. */
static bool read_pipe(Link *link, bool is_last) {
  if (is_last) {
    link_read_from(link, link->upgrade.in);
    link->upgrade.in = -1;
  } else {
    link_fail(link, "bytes behind the last packet of a socket");
  }
  return !link->fault;
}

/* ---- main's end ---- */

/* The pipes' other ends are passed. No descriptor of ours may be a copy of one that a peer has, or
 * it could make us wait; but for the reading end of what we write, from which we never read. */
static bool make_pipes(Upgrade *upgrade) {
  int to_peer[2], to_us[2];
  if (pipe2(to_peer, O_CLOEXEC) < 0) return false;
  upgrade->passing[PASS_IN] = to_peer[0];
  upgrade->out = to_peer[1];
  upgrade->spare = fcntl(to_peer[0], F_DUPFD_CLOEXEC, 0);
  if (upgrade->spare < 0 || pipe2(to_us, O_CLOEXEC) < 0) return false;
  upgrade->in = to_us[0];
  upgrade->passing[PASS_OUT] = to_us[1];
  fcntl(upgrade->out, F_SETPIPE_SZ, PIPE_SIZE);
  fcntl(upgrade->in, F_SETPIPE_SZ, PIPE_SIZE);
  return true;
}

/* Main makes all of it, so that it need not trust what a peer calls memory or a pipe. Where the
 * system has not enough, the link stays as it is. */
static bool make(Link *link) {
  Upgrade *upgrade = &link->upgrade;
  upgrade->share = share_new(&link->loop->uv, &upgrade->passing[PASS_MEMORY]);
  if (upgrade->share && make_pipes(upgrade)) return true;
  upgrade_clear(upgrade);
  return false;
}

static bool send_packet(Link *link) {
  Packet packet = {.kind = PACKET_UPGRADE};
  if (!link_begin(link)) return false;
  link->upgrade.pass_at = link->begun;
  link_commit(link, &packet);
  return true;
}

/* Were memory short for the packet, there would be no answer, and nothing changes. */
static void offer(Link *link) {
  link->upgrade.step = UPGRADE_OFFERED;
  if (make(link)) send_packet(link);
}

void upgrade_count(Link *link, bool is_large) {
  Upgrade *upgrade = &link->upgrade;
  if (upgrade->step != UPGRADE_NONE || link->from == FROM_MAIN) return;
  bool is_time = is_large || ++upgrade->packets >= UPGRADE_AFTER;
  if (is_time && link->fd >= 0 && !link->ended) offer(link);
}

/* The peer has all of it: from now on we use it too. */
static void use_pipes(Link *link, bool is_last) {
  Upgrade *upgrade = &link->upgrade;
  upgrade->step = UPGRADE_OVER;
  link->share = upgrade->share;
  upgrade->share = NULL;
  if (!read_pipe(link, is_last)) return;
  if (send_packet(link)) {
    link_write_to(link, upgrade->out, upgrade->spare);
    upgrade->out = upgrade->spare = -1;
  } else {
    link_fail(link, "more than there is memory for");
  }
}

/* The peer's UPGRADE: it would have the descriptors; then, that it has them, its last packet on the
 * socket, as the answer is ours. */
static void go_on(Link *link, bool is_last) {
  Upgrade *upgrade = &link->upgrade;
  if (upgrade->step == UPGRADE_OFFERED && upgrade->share) {
    upgrade->step = UPGRADE_PASSED;
    send_packet(link);
  } else if (upgrade->step == UPGRADE_PASSED && !upgrade_is_passing(upgrade)) {
    use_pipes(link, is_last);
  } else {
    link_fail(link, "an answer to no offer of an upgrade");
  }
}

/* ---- the peer's end ---- */

/* Takes what came, if all of it did: this process may have no descriptors left. Without an answer,
 * main goes on as before. */
static void take_passed(Link *link) {
  Upgrade *upgrade = &link->upgrade;
  int *passing = upgrade->passing;
  upgrade->step = UPGRADE_OVER;
  bool whole = passing[PASS_IN] >= 0 && passing[PASS_OUT] >= 0;
  Share *share = whole ? share_map(&link->loop->uv, passing[PASS_MEMORY]) : NULL;
  if (share && send_packet(link)) {
    link->share = share;
    link_write_to(link, passing[PASS_OUT], -1);
    upgrade->in = passing[PASS_IN];
    passing[PASS_OUT] = passing[PASS_IN] = -1;
  } else {
    share_close(share);
  }
  close_passing(upgrade);
}

/* Main's UPGRADE: it offers one; then the descriptors are here; then, that what follows comes
 * through the pipe. Only between the first two does the peer look for descriptors, which makes each
 * read slower. */
static void answer(Link *link, bool is_last) {
  Upgrade *upgrade = &link->upgrade;
  if (upgrade->step == UPGRADE_NONE) {
    upgrade->step = UPGRADE_AWAITED;
    send_packet(link);
  } else if (upgrade->step == UPGRADE_AWAITED) {
    take_passed(link);
  } else if (upgrade->step == UPGRADE_OVER && upgrade->in >= 0) {
    read_pipe(link, is_last);
  } else {
    link_fail(link, "an upgrade that is not there");
  }
}

void upgrade_take(Link *link, bool is_last) {
  if (link->from == FROM_MAIN) answer(link, is_last);
  else go_on(link, is_last);
}

/* ---- descriptors on their way ---- */

/* Whether that may pass, or the peer has gone: not so ETOOMANYREFS, which too many descriptors on
 * their way are. */
static bool is_passing_error(int error) {
  return error == EAGAIN || error == EINTR || error == EPIPE || error == ECONNRESET;
}

/* Sends the first bytes beside the descriptors, which are the peer's then. */
static ssize_t send_passing(Link *link, const void *bytes, size_t size, int flags) {
  Upgrade *upgrade = &link->upgrade;
  ssize_t sent = fds_send(link->fd, bytes, size, upgrade->passing, UPGRADE_FDS, flags);
  bool may_not = sent < 0 && !is_passing_error(errno);
  if (sent > 0 || may_not) close_passing(upgrade);
  if (may_not) errno = EAGAIN; /* the packet goes without them, and nothing changes */
  return sent;
}

ssize_t upgrade_send(Link *link, const void *bytes, size_t size, int flags) {
  size_t before = link->upgrade.pass_at;
  if (before == 0) return send_passing(link, bytes, size, flags);
  ssize_t sent = send(link->fd, bytes, before, flags);
  if (sent > 0) link->upgrade.pass_at -= (size_t)sent;
  return sent;
}

ssize_t upgrade_receive(Link *link, void *bytes, size_t size, int flags) {
  int fds[UPGRADE_FDS], count = UPGRADE_FDS;
  ssize_t got = fds_receive(link->fd, bytes, size, fds, &count, flags);
  if (count > 0) close_passing(&link->upgrade);
  for (int i = 0; i < count; i++) link->upgrade.passing[i] = fds[i];
  return got;
}
