/* SPDX-License-Identifier: MIT
 * A link: one ordered duplex connection between two states, carrying packets.
 *
 * Over a stream socket, watched by uv_poll and written with sendmsg's flags rather than over
 * uv_pipe: a write to a dead peer must not raise SIGPIPE in a host that never asked for signals,
 * a descriptor travels beside a packet, and sendSync must read its own descriptor blocking. */
#include "ipc/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  READ_SIZE = 1 << 16,   /* asked for in one system call, unless a larger packet is under way */
  BACKLOGS_PER_TURN = 4, /* that are read of one link, so that the others are read too */
  WRITE_EARLY = 1 << 18, /* new bytes beyond which a write does not wait for the turn's end */
};

static const char NO_MEMORY[] = "more than there is memory for";

/* Room for one descriptor beside a message. */
typedef union Control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
} Control;

static void on_poll(uv_poll_t *poll, int status, int events);

/* Asks libuv for exactly these events. */
static void watch(Link *link, int events) {
  if (link->fd < 0 || link->watching == events) return;
  link->watching = events;
  if (events) {
    uv_poll_start(&link->poll, events, on_poll);
  } else {
    uv_poll_stop(&link->poll);
  }
}

static void set_ready(Link *link) {
  if (link->closed) return;
  if (list_empty(&link->ready_node)) loop_add_ready(link->loop, &link->ready_node);
}

/* The packet that stands at `offset` of the unread bytes. */
static PacketStatus packet_at(Link *link, size_t offset, Packet *packet, size_t *size) {
  const char *error = NULL;
  const uint8_t *bytes = link->in.data ? buf_front(&link->in) + offset : NULL;
  size_t size_max = link->limits.message + LINK_OWN_ROOM + PACKET_CHANNEL_MAX;
  PacketStatus status =
      packet_read(bytes, buf_size(&link->in) - offset, link->from, size_max, packet, size, &error);
  if (status == PACKET_WHOLE && packet->flags & PACKET_FLAG_SHARED && !link->share) {
    status = PACKET_BAD;
    error = "a packet in shared memory that is not there";
  }
  if (status == PACKET_BAD) link->fault = error;
  return status;
}

/* Nothing more will come from the peer; the end is dispatched after the whole packets. */
static void end_reading(Link *link, const char *fault) {
  link->ended = true;
  if (fault) link->fault = fault;
  watch(link, 0);
  set_ready(link);
}

/* Room for one read: as much as is usual, more for a large packet that is under way, but never
 * more than came already, so that a length which is only claimed costs the claimer too. */
static size_t read_room(Link *link) {
  Packet packet;
  size_t size = 0, here = buf_size(&link->in);
  if (packet_at(link, 0, &packet, &size) != PACKET_MORE || size < here) return READ_SIZE;
  size_t room = size - here < here ? size - here : here;
  return room > READ_SIZE ? room : READ_SIZE;
}

/* Keeps a descriptor that came, for the SHARE packet that it belongs to. */
static void keep_descriptor(Link *link, struct msghdr *message) {
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return;
  if (link->passing >= 0) close(link->passing);
  memcpy(&link->passing, CMSG_DATA(header), sizeof link->passing);
}

/* recv, which lets the kernel close all descriptors that come; or recvmsg while one is awaited,
 * with room for one. */
static ssize_t receive(Link *link, size_t room, int flags) {
  uint8_t *at = link->in.data + link->in.end;
  if (link->share_step != SHARE_AWAITED) return recv(link->fd, at, room, flags);
  Control control;
  struct iovec data = {.iov_base = at, .iov_len = room};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_LEN(sizeof(int))};
  ssize_t got = recvmsg(link->fd, &message, flags | MSG_CMSG_CLOEXEC);
  if (got > 0 && message.msg_controllen > 0) keep_descriptor(link, &message);
  return got;
}

/* One read, with recv's flags. Returns true when there may be more to read at once. */
static bool read_once(Link *link, size_t *total, int flags) {
  size_t room = read_room(link);
  if (!buf_reserve(&link->in, room)) {
    end_reading(link, NO_MEMORY);
    return false;
  }
  ssize_t got = receive(link, room, flags);
  if (got > 0) {
    link->in.end += (size_t)got;
    *total += (size_t)got;
    return (size_t)got == room;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  end_reading(link, NULL);
  return false;
}

static void read_some(Link *link) {
  size_t total = 0, most = link->limits.backlog * BACKLOGS_PER_TURN;
  while (total < most && read_once(link, &total, MSG_DONTWAIT)) continue;
  if (total > 0) set_ready(link);
  Packet packet;
  size_t size;
  bool backlog = buf_size(&link->in) > link->limits.backlog &&
                 packet_at(link, 0, &packet, &size) == PACKET_WHOLE;
  if (backlog) watch(link, link->watching & ~UV_READABLE);
}

/* The peer is gone, with bytes of ours unread: what it sent before is here still. */
static void read_rest(Link *link) {
  size_t total = 0, before;
  do {
    before = total;
    read_once(link, &total, MSG_DONTWAIT);
  } while (total > before && !link->ended);
  if (!link->ended) end_reading(link, NULL);
}

bool link_is_quiet(const Link *link) {
  return link->watching == UV_READABLE && list_empty(&link->ready_node) && !link->ended;
}

void link_wait(Link *link, uint64_t spin) {
  size_t total = 0;
  uint64_t begun = spin > 0 ? uv_hrtime() : 0;
  while (spin > 0 && total == 0 && !link->ended && uv_hrtime() - begun < spin)
    read_once(link, &total, MSG_DONTWAIT);
  if (total == 0 && !link->ended) read_once(link, &total, 0);
  if (total > 0) set_ready(link);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  Link *link = poll->data;
  if (status < 0) {
    if (!link->ended) read_rest(link);
    return;
  }
  if (events & UV_WRITABLE) link_flush(link);
  if ((events & UV_READABLE) && !link->closed && !link->ended) read_some(link);
}

Link *link_new(Loop *loop, int from, const LinkEvents *events) {
  Link *link = calloc(1, sizeof *link);
  if (!link) return NULL;
  link->loop = loop;
  link->events = events;
  link->from = from;
  link->fd = link->passing = -1;
  link->begun = SIZE_MAX;
  link->early = WRITE_EARLY;
  link->limits =
      (LinkLimits){.message = 1 << 28, .high_water = 1 << 23, .backlog = 1 << 18, .queue = 1 << 28};
  list_init(&link->ready_node);
  list_init(&link->dirty_node);
  return link;
}

int link_open(Link *link, int fd) {
  int status = uv_poll_init(&link->loop->uv, &link->poll, fd);
  if (status < 0) {
    close(fd);
    return status;
  }
  /* libuv made it non-blocking; every call here says MSG_DONTWAIT instead, so that sendSync can
   * block in one system call. */
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC); /* a renderer's end came through an exec */
  link->poll.data = link;
  link->fd = fd;
  link->loop->link = link;
  link->loop->open_links++;
  watch(link, UV_READABLE);
  link_flush(link);
  return 0;
}

bool link_begin(Link *link) {
  link_rollback(link);
  if (!buf_reserve(&link->out, PACKET_HEADER_SIZE)) return false;
  link->begun = buf_size(&link->out);
  link->out.end += PACKET_HEADER_SIZE;
  return true;
}

void link_rollback(Link *link) {
  if (link->begun == SIZE_MAX) return;
  link->out.end = link->out.start + link->begun;
  link->begun = SIZE_MAX;
  if (link->share) share_rollback(link->share);
}

/* The link has bytes to write: at the end of the turn, or now when they are many. */
static void write_soon(Link *link) {
  if (link->fd < 0) return;
  if (list_empty(&link->dirty_node)) list_append(&link->loop->dirty, &link->dirty_node);
  if (link_queued(link) > link->early) link_flush(link);
}

uint8_t *link_put_shared(Link *link, size_t size, size_t *offset) {
  if (!link->share) return NULL;
  return share_take(link->share, size, link->limits.high_water, offset);
}

const uint8_t *link_get_shared(const Link *link, size_t offset, size_t size) {
  return link->share ? share_at(link->share, offset, size) : NULL;
}

static void end_packet(Link *link, const Packet *packet) {
  packet_write_header(buf_front(&link->out) + link->begun, packet);
  link->begun = SIZE_MAX;
  write_soon(link);
}

static bool send_share_packet(Link *link) {
  const Packet packet = {.kind = PACKET_SHARE};
  if (!link_begin(link)) return false;
  link->pass_at = link->begun;
  end_packet(link, &packet);
  return true;
}

static void end_passing(Link *link) {
  if (link->passing >= 0) close(link->passing);
  link->passing = -1;
}

/* A large packet went or came: the next ones may have shared memory. Main makes it, so that it need
 * not trust what a peer calls memory. */
static void offer_share(Link *link) {
  if (link->share_step != SHARE_NONE || link->from == FROM_MAIN) return;
  if (link->fd < 0 || link->ended) return;
  link->share_step = SHARE_OFFERED;
  link->offered = share_new(&link->loop->uv, &link->passing);
  if (link->offered) send_share_packet(link); /* were memory short, there would be no answer */
}

/* The peer's SHARE: it would have the descriptor; then, that it has mapped it. */
static void go_on_sharing(Link *link) {
  if (link->share_step == SHARE_OFFERED && link->offered) {
    link->share_step = SHARE_PASSED;
    send_share_packet(link);
  } else if (link->share_step == SHARE_PASSED) {
    link->share_step = SHARE_OVER;
    link->share = link->offered;
    link->offered = NULL;
  } else {
    link_fail(link, "an answer to no offer of shared memory");
  }
}

/* Maps what came. Without an answer, main sends nothing that way, nor expects it. */
static void map_share(Link *link) {
  Share *share = share_map(&link->loop->uv, link->passing);
  end_passing(link);
  link->share_step = SHARE_OVER;
  if (share && send_share_packet(link)) {
    link->share = share;
  } else {
    share_close(share);
  }
}

/* Main's SHARE: it would share memory; then the descriptor. Only in between does the peer look for
 * descriptors, which makes each read slower. */
static void answer_share(Link *link) {
  if (link->share_step == SHARE_NONE) {
    link->share_step = SHARE_AWAITED;
    send_share_packet(link);
  } else if (link->share_step == SHARE_AWAITED && link->passing >= 0) {
    map_share(link);
  } else {
    link_fail(link, "shared memory that is not there");
  }
}

/* Names the blocks of shared memory that the packet's strings lie in. False: memory is short. */
static bool add_blocks(Link *link, Packet *packet) {
  packet->blocks = share_commit(link->share);
  if (packet->blocks == 0) return true;
  uint8_t blocks[PACKET_BLOCKS_SIZE];
  packet->flags |= PACKET_FLAG_SHARED;
  packet_write_blocks(blocks, packet);
  return buf_append(&link->out, blocks, sizeof blocks);
}

bool link_commit(Link *link, Packet *packet) {
  if (link->ended) {
    link_rollback(link); /* nobody reads it; the end is told by on_end */
    return true;
  }
  size_t size = buf_size(&link->out) - link->begun - PACKET_HEADER_SIZE;
  packet->body_size = size - packet->channel_size;
  if (link->share && !add_blocks(link, packet)) {
    link_rollback(link);
    end_reading(link, NO_MEMORY);
    return true;
  }
  end_packet(link, packet);
  if (size >= SHARE_LEAST) offer_share(link);
  if (link_queued(link) <= link->limits.high_water) return true;
  link->over_high_water = true;
  return false;
}

bool link_take_queue(Link *link, Link *from) {
  link_rollback(from);
  if (!buf_append(&link->out, buf_front(&from->out), link_queued(from))) return false;
  buf_clear(&from->out);
  link->over_high_water = from->over_high_water;
  write_soon(link);
  return true;
}

/* Sends the first bytes beside the descriptor, which is the peer's then. */
static ssize_t send_passing(Link *link, int flags) {
  Control control = {0};
  struct iovec data = {.iov_base = buf_front(&link->out), .iov_len = link_queued(link)};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof link->passing);
  memcpy(CMSG_DATA(header), &link->passing, sizeof link->passing);
  ssize_t sent = sendmsg(link->fd, &message, flags);
  if (sent > 0) end_passing(link);
  return sent;
}

/* Sends what waits, or what waits in front of a descriptor. */
static ssize_t send_some(Link *link, int flags) {
  if (link->share_step != SHARE_PASSED || link->passing < 0) {
    return send(link->fd, buf_front(&link->out), link_queued(link), flags);
  }
  if (link->pass_at == 0) return send_passing(link, flags);
  ssize_t sent = send(link->fd, buf_front(&link->out), link->pass_at, flags);
  if (sent > 0) link->pass_at -= (size_t)sent;
  return sent;
}

/* One write. Returns true when all is written or the rest is pointless, false when it must wait. */
static bool write_once(Link *link, int flags) {
  ssize_t sent = send_some(link, flags | MSG_NOSIGNAL);
  if (sent >= 0) {
    buf_consume(&link->out, (size_t)sent);
    link->written += (uint64_t)sent;
    return link_queued(link) == 0;
  }
  if (errno == EINTR || errno == EAGAIN) return false;
  link->over_high_water = false; /* nothing was drained: on_end tells how it ended */
  buf_clear(&link->out); /* the peer is gone: its end of file says so, after what it sent before */
  return true;
}

/* Whether main reads no more of this peer, as it does not read its own answers: they would pile up
 * without bound. Peers always read main; were both ends to wait, they would do so forever. */
static bool is_clogged(const Link *link) {
  return link->from == FROM_PEER && link_queued(link) > link->limits.queue && !link->ended;
}

void link_flush(Link *link) {
  link_rollback(link);
  if (link->fd < 0 || link_queued(link) == 0) return;
  bool done = write_once(link, MSG_DONTWAIT);
  link->early = link_queued(link) + WRITE_EARLY; /* a slow reader is not tried at each packet */
  if (!link->ended) {
    watch(link, done ? link->watching & ~UV_WRITABLE : link->watching | UV_WRITABLE);
  }
  if (link->clogged && !is_clogged(link)) {
    link->clogged = false;
    set_ready(link);
  }
  if (link->over_high_water && link_queued(link) <= link->limits.high_water / 2) {
    link->over_high_water = false;
    link->events->on_drained(link);
  }
}

void link_finish_packet(Link *link) {
  buf_consume(&link->in, link->current);
  link->current = 0;
  if (!link->current_blocks) return;
  share_release(link->share, link->current_blocks);
  link->current_blocks = 0;
}

/* The end, after the last whole packet. A cut-off packet is a fault only of a peer that lives. */
static void dispatch_end(Link *link) {
  if (link->end_told) return;
  link->ended = link->end_told = true;
  watch(link, 0);
  link->events->on_end(link, link->fault);
}

static void take_packet(Link *link, const Packet *packet) {
  if (packet->kind != PACKET_SHARE) {
    link->events->on_packet(link, packet);
  } else if (link->from == FROM_MAIN) {
    answer_share(link);
  } else {
    go_on_sharing(link);
  }
}

/* Returns false when there was no whole packet. One in shared memory, where more may lie than was
 * sent, ends the round: *count, how many may follow. */
static bool dispatch_one(Link *link, int *count) {
  Packet packet;
  PacketStatus status = packet_at(link, 0, &packet, &link->current);
  if (status == PACKET_WHOLE) {
    bool is_large = link->current >= SHARE_LEAST;
    link->current_blocks = packet.blocks;
    if (packet.flags & PACKET_FLAG_SHARED) *count = 0;
    take_packet(link, &packet);
    link_finish_packet(link);
    if (is_large && !link->closed) offer_share(link);
    return true;
  }
  link->current = 0;
  if (status == PACKET_BAD || link->ended) dispatch_end(link);
  return false;
}

void link_dispatch(Link *link, int count) {
  link->clogged = is_clogged(link);
  bool more = !link->clogged;
  while (more && !link->closed && count-- > 0) more = dispatch_one(link, &count);
  if (link->closed || link->clogged) return;
  if (more) set_ready(link);
  bool has_room = !more || buf_size(&link->in) <= link->limits.backlog / 2;
  if (has_room && !link->ended) watch(link, link->watching | UV_READABLE);
}

void link_fail(Link *link, const char *reason) {
  buf_clear(&link->in);
  link->current = 0;
  link->current_blocks = 0;
  end_reading(link, reason);
}

/* Reads, blocking; while something waits to be written, writes when that is possible instead. */
static void read_or_write(Link *link) {
  size_t total = 0;
  struct pollfd entry = {.fd = link->fd, .events = POLLIN | POLLOUT};
  if (link_queued(link) > 0) {
    poll(&entry, 1, -1);
    if (entry.revents & POLLOUT) write_once(link, MSG_DONTWAIT);
    if (!(entry.revents & ~POLLOUT)) return;
  }
  read_once(link, &total, 0);
}

bool link_wait_reply(Link *link, uint32_t id, Packet *packet, size_t *offset) {
  *offset = 0;
  link_rollback(link);
  write_once(link, MSG_DONTWAIT);
  for (;;) {
    size_t size;
    PacketStatus status = packet_at(link, *offset, packet, &size);
    if (status == PACKET_WHOLE && packet->kind == PACKET_REPLY && packet->id == id) {
      set_ready(link); /* the others were read behind libuv's back */
      return true;
    }
    if (status == PACKET_WHOLE) {
      *offset += size;
      continue;
    }
    if (status == PACKET_BAD) end_reading(link, link->fault);
    if (link->ended) return false;
    read_or_write(link);
  }
}

void link_remove(Link *link, size_t offset, const Packet *packet) {
  size_t size = packet_size(packet);
  if (buf_size(&link->in) < offset + size) return; /* it has gone */
  if (packet->blocks) share_release(link->share, packet->blocks);
  if (offset == 0) {
    buf_consume(&link->in, size);
    return;
  }
  uint8_t *hole = buf_front(&link->in) + offset;
  memmove(hole, hole + size, buf_size(&link->in) - offset - size);
  link->in.end -= size;
}

void link_drain(Link *link, int timeout) {
  link_rollback(link);
  uint64_t deadline = uv_hrtime() + (uint64_t)timeout * 1000000;
  while (link->fd >= 0 && link_queued(link) > 0 && uv_hrtime() < deadline) {
    if (write_once(link, MSG_DONTWAIT)) return;
    struct pollfd entry = {.fd = link->fd, .events = POLLOUT};
    poll(&entry, 1, timeout);
  }
}

void link_ref(Link *link, bool keep) {
  if (link->fd < 0) return;
  if (keep) uv_ref((uv_handle_t *)&link->poll);
  else uv_unref((uv_handle_t *)&link->poll);
}

static void release(Link *link) {
  buf_clear(&link->in);
  buf_clear(&link->out);
  free(link);
}

static void on_close(uv_handle_t *handle) { release(handle->data); }

void link_close(Link *link) {
  if (link->closed) return;
  link->closed = true;
  list_remove(&link->ready_node);
  list_remove(&link->dirty_node);
  if (link->loop->link == link) link->loop->link = NULL;
  end_passing(link);
  share_close(link->share);
  share_close(link->offered);
  if (link->fd < 0) {
    release(link);
    return;
  }
  int fd = link->fd;
  link->fd = -1;
  link->loop->open_links--;
  uv_close((uv_handle_t *)&link->poll, on_close);
  close(fd); /* after uv_close, which takes it out of the loop's set */
}
