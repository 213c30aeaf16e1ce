/* SPDX-License-Identifier: MIT
 * A link: one ordered duplex connection between two states, carrying packets.
 *
 * Within one process it goes over a channel (channel.h); else over a stream socket, and over a
 * pair of pipes once it is used a lot (upgrade.h). All are watched
 * by uv_poll rather than as uv_pipe: a write to a dead peer must not raise SIGPIPE in a host that
 * never asked for signals, descriptors travel beside a packet, and sendSync must read its own
 * descriptor blocking. */
#include "ipc/link.h"
#include "ipc/link_parts.h"

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
  ODD_READS_MAX = 8,     /* of a pipe, before its descriptor is changed for them */
};

static const char NO_MEMORY[] = "more than there is memory for";

static void on_poll(uv_poll_t *poll, int status, int events);

static void ask(Watch *watch, int events) {
  if (watch->events == events) return;
  watch->events = events;
  if (events) {
    uv_poll_start(&watch->poll, events, on_poll);
  } else {
    uv_poll_stop(&watch->poll);
  }
}

/* Asks for the events that are wanted, where they are to be had. While a pipe is not read, its
 * writer's death must be heard of all the same. */
static void watch_all(Link *link) {
  int in = link->watching & UV_READABLE, out = link->watching & UV_WRITABLE;
  if (link->channel) in = link->ended ? 0 : UV_READABLE, out = 0; /* that tells all */
  bool pipe_in = link->in_fd != link->fd, pipe_out = link->out_fd != link->fd;
  ask(&link->socket, (pipe_in ? 0 : in) | (pipe_out ? 0 : out));
  if (pipe_in) ask(&link->in_pipe, in || link->ended ? in : UV_DISCONNECT);
  if (pipe_out) ask(&link->out_pipe, out);
}

static void watch(Link *link, int events) {
  if (link->fd < 0 || link->watching == events) return;
  bool looks = events & ~link->watching & UV_READABLE;
  link->watching = events;
  watch_all(link);
  if (link->channel && looks) channel_look_again(link->channel);
}

void link_set_ready(Link *link) {
  if (link->closed) return;
  if (list_empty(&link->ready_node)) loop_add_ready(link->loop, &link->ready_node);
}

PacketStatus link_packet_at(Link *link, size_t offset, Packet *packet, size_t *size) {
  const char *error = NULL;
  const uint8_t *bytes = link->in.data ? buf_front(&link->in) + offset : NULL;
  size_t size_max = link->limits.message + LINK_OWN_ROOM + PACKET_CHANNEL_MAX;
  PacketStatus status =
      packet_read(bytes, buf_size(&link->in) - offset, link->from, size_max, packet, size, &error);
  if (status == PACKET_WHOLE && packet->flags & PACKET_FLAG_SHARED && !link->share &&
      !link->channel) {
    status = PACKET_BAD;
    error = "a packet in shared memory that is not there";
  }
  if (status == PACKET_BAD) link->fault = error;
  return status;
}

void link_end_reading(Link *link, const char *fault) {
  link->ended = true;
  if (fault) link->fault = fault;
  watch(link, 0);
  link_set_ready(link);
}

/* Room for one read: as much as is usual, more for a large packet that is under way, but never
 * more than came already, so that a length which is only claimed costs the claimer too. */
static size_t read_room(Link *link) {
  Packet packet;
  size_t size = 0, here = buf_size(&link->in);
  if (here == 0) return READ_SIZE; /* as a rule */
  if (link_packet_at(link, 0, &packet, &size) != PACKET_MORE || size < here) return READ_SIZE;
  size_t room = size - here < here ? size - here : here;
  return room > READ_SIZE ? room : READ_SIZE;
}

static void let_wait(Link *link, bool wait) {
  fcntl(link->in_fd, F_SETFL, wait ? 0 : O_NONBLOCK); /* a pipe has no other flags */
  link->in_waits = wait;
  link->odd_reads = 0;
}

/* A pipe has no flag that says for one call whether to wait. Where that is not as its descriptor
 * has it, reading takes a system call more; so the descriptor follows what is asked for. */
static ssize_t read_pipe(Link *link, void *at, size_t room, bool wait) {
  link->odd_reads = link->in_waits == wait ? 0 : link->odd_reads + 1;
  if (link->odd_reads > ODD_READS_MAX) let_wait(link, wait);
  if (link->in_waits != wait) {
    struct pollfd entry = {.fd = link->in_fd, .events = POLLIN};
    int status = poll(&entry, 1, wait ? -1 : 0);
    if (status == 0) errno = EAGAIN;
    if (status <= 0) return -1;
  }
  return read(link->in_fd, at, room);
}

static ssize_t receive(Link *link, size_t room, bool wait) {
  uint8_t *at = link->in.data + link->in.end;
  int flags = wait ? 0 : MSG_DONTWAIT;
  if (link->in_fd != link->fd) return read_pipe(link, at, room, wait);
  if (link->upgrade.step == UPGRADE_AWAITED) return upgrade_receive(link, at, room, flags);
  return recv(link->fd, at, room, flags); /* the kernel closes all descriptors that come */
}

/* What a read came to. Returns whether it must be tried again. */
static bool note_read(Link *link, ssize_t got, size_t *total) {
  *total += got > 0 ? (size_t)got : 0;
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) link_end_reading(link, NULL);
  return got < 0 && errno == EINTR;
}

static bool take_all(Link *link, size_t *total, bool wait) {
  ssize_t (*const take)(ChannelEnd *, Buf *) = wait ? channel_await : channel_read;
  return note_read(link, take(link->channel, &link->in), total);
}

bool link_read_once(Link *link, size_t *total, bool wait) {
  if (link->channel) return take_all(link, total, wait);
  size_t room = read_room(link);
  if (!buf_reserve(&link->in, room)) {
    link_end_reading(link, NO_MEMORY);
    return false;
  }
  ssize_t got = receive(link, room, wait);
  if (got > 0) link->in.end += (size_t)got;
  return note_read(link, got, total) || got == (ssize_t)room;
}

static void read_some(Link *link) {
  bool pumped = link->loop->deadline > 0;
  size_t total = 0, most = pumped ? READ_SIZE : link->limits.backlog * BACKLOGS_PER_TURN;
  while (total < most && link_read_once(link, &total, false)) continue;
  if (total > 0) link_set_ready(link);
  if (pumped && total >= most) link->loop->unread = true;
  Packet packet;
  size_t size;
  bool backlog = buf_size(&link->in) > link->limits.backlog &&
                 link_packet_at(link, 0, &packet, &size) == PACKET_WHOLE;
  if (backlog) watch(link, link->watching & ~UV_READABLE);
}

/* The peer is gone, with bytes of ours unread: what it sent before is here still. */
static void read_rest(Link *link) {
  size_t total = 0, before;
  do {
    before = total;
    link_read_once(link, &total, false);
  } while (total > before && !link->ended);
  if (!link->ended) link_end_reading(link, NULL);
}

/* Nobody reads what waits to be written. */
static void drop_output(Link *link) {
  link->over_high_water = link->clogged = false;
  link->switch_at = SIZE_MAX;
  link->upgrade.pass_at = 0;
  buf_clear(&link->out);
}

/* The socket is broken. What the peer sent may be in the pipe, whose end follows. */
static void on_socket_error(Link *link) {
  drop_output(link);
  watch(link, link->watching & ~UV_WRITABLE);
}

/* The pipe's writer is dead, while the pipe was not read. */
static void on_disconnect(Link *link) {
  drop_output(link);
  watch(link, UV_READABLE);
  link_set_ready(link);
}

bool link_is_quiet(const Link *link) {
  bool is_reader = link->watching == UV_READABLE && !link->over_high_water;
  return is_reader && list_empty(&link->ready_node) && !link->ended;
}

size_t link_unread(const Link *link) {
  size_t mark = link->limits.high_water / 2;
  return link_queued(link) + (link->channel ? channel_lent(link->channel, mark) : 0);
}

bool link_is_full(const Link *link) { return link_unread(link) > link->limits.high_water; }

static void look_for_room(Link *link) {
  if (!link->over_high_water || link_unread(link) > link->limits.high_water / 2) return;
  link->over_high_water = false;
  link->events->on_drained(link);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  Link *link = poll->data;
  if (status < 0) {
    bool is_left = poll == &link->socket.poll && link->in_fd != link->fd;
    if (is_left) on_socket_error(link);
    else if (!link->ended) read_rest(link);
    return;
  }
  if (link->channel) {
    channel_clear(link->channel);
    events = link->watching;
    look_for_room(link);
  }
  if (events & UV_DISCONNECT) on_disconnect(link);
  if (events & UV_WRITABLE) link_flush(link);
  if ((events & UV_READABLE) && !link->closed && !link->ended) read_some(link);
}

Link *link_new(Loop *loop, int from, const LinkEvents *events) {
  Link *link = calloc(1, sizeof *link);
  if (!link) return NULL;
  link->loop = loop;
  link->events = events;
  link->from = from;
  link->fd = link->in_fd = link->out_fd = link->next_out_fd = link->spare = -1;
  link->begun = link->switch_at = SIZE_MAX;
  upgrade_init(&link->upgrade);
  link->early = WRITE_EARLY;
  link->limits =
      (LinkLimits){.message = 1 << 28, .high_water = 1 << 23, .backlog = 1 << 18, .queue = 1 << 28};
  list_init(&link->ready_node);
  list_init(&link->dirty_node);
  list_init(&link->grown_node);
  return link;
}

static void apply_ref(const Link *link, Watch *watch) {
  if (link->idle) uv_unref((uv_handle_t *)&watch->poll);
  else uv_ref((uv_handle_t *)&watch->poll);
}

void link_ref(Link *link, bool keep) {
  if (link->fd < 0) return;
  link->idle = !keep;
  apply_ref(link, &link->socket);
  if (link->in_fd != link->fd) apply_ref(link, &link->in_pipe);
  if (link->out_fd != link->fd || link->next_out_fd >= 0) apply_ref(link, &link->out_pipe);
}

/* Blocking stays blocking: libuv makes every descriptor that it watches non-blocking. */
static int open_watch(Link *link, Watch *watch, int fd, bool blocks) {
  int status = uv_poll_init(&link->loop->uv, &watch->poll, fd);
  if (status < 0) return status;
  watch->poll.data = link;
  link->open_watches++;
  apply_ref(link, watch);
  if (blocks) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return 0;
}

/* It is connected. */
static void begin(Link *link, int fd) {
  link->fd = link->in_fd = link->out_fd = fd;
  link->loop->link = link;
  link->loop->open_links++;
  watch(link, UV_READABLE);
  link_flush(link);
}

int link_open(Link *link, int fd) {
  /* Every call here says MSG_DONTWAIT, so that sendSync can block in one system call. */
  int status = open_watch(link, &link->socket, fd, true);
  if (status < 0) {
    close(fd);
    return status;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC); /* a renderer's end came through an exec */
  begin(link, fd);
  return 0;
}

int link_join(Link *link, ChannelEnd *end) {
  int fd = channel_descriptor(end);
  int status = fd < 0 ? fd : open_watch(link, &link->socket, fd, false);
  if (status < 0) {
    channel_close(end);
    return status;
  }
  link->channel = end;
  link->in.store = link->out.store = channel_store(end);
  link->upgrade.step = UPGRADE_OVER; /* there is nothing better */
  begin(link, fd);
  return 0;
}

void link_read_from(Link *link, int pipe) {
  link->in_waits = link->loop->alone; /* then most reads wait */
  if (open_watch(link, &link->in_pipe, pipe, link->in_waits) < 0) {
    close(pipe);
    link_fail(link, NO_MEMORY);
    return;
  }
  link->in_fd = pipe;
  if (link->ended && !link->fault && !link->end_told) { /* only the socket's end was read */
    link->ended = false;
    link->watching |= UV_READABLE;
  }
  watch_all(link);
}

/* The socket's part is written. */
static void begin_pipe(Link *link) {
  link->switch_at = SIZE_MAX;
  link->out_fd = link->next_out_fd;
  link->next_out_fd = -1;
  watch_all(link);
}

void link_write_to(Link *link, int pipe, int spare) {
  link->spare = spare;
  if (open_watch(link, &link->out_pipe, pipe, false) < 0) {
    close(pipe);
    link_fail(link, NO_MEMORY);
    return;
  }
  link->next_out_fd = pipe;
  link->switch_at = link_queued(link);
  if (link->switch_at == 0) begin_pipe(link);
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
  if (link->channel) channel_take_back(link->channel);
}

/* The link has bytes to write, at the end of the turn. */
static void write_later(Link *link) {
  if (link->fd < 0) return;
  if (list_empty(&link->dirty_node)) list_append(&link->loop->dirty, &link->dirty_node);
}

/* The same; or now, when they are many, or say where many others lie. */
static void write_soon(Link *link, bool says_where) {
  write_later(link);
  bool are_many = says_where || link_queued(link) > link->early;
  if (link->fd >= 0 && are_many) link_flush(link);
}

static void end_packet(Link *link, const Packet *packet) {
  packet_write_header(buf_front(&link->out) + link->begun, packet);
  link->begun = SIZE_MAX;
  if (packet->kind == PACKET_UPGRADE) write_later(link); /* or others could come behind the last */
  else write_soon(link, packet->blocks != 0);
}

bool link_commit(Link *link, Packet *packet) {
  if (link->ended) {
    link_rollback(link); /* nobody reads it; the end is told by on_end */
    return true;
  }
  size_t size = buf_size(&link->out) - link->begun - PACKET_HEADER_SIZE;
  packet->body_size = size - packet->channel_size;
  if (!link_add_blocks(link, packet)) {
    link_rollback(link);
    link_end_reading(link, NO_MEMORY);
    return true;
  }
  end_packet(link, packet);
  if (packet->kind != PACKET_UPGRADE) upgrade_count(link, size >= SHARE_LEAST);
  if (!link_is_full(link)) return true;
  link->over_high_water = true;
  return false;
}

bool link_take_queue(Link *link, Link *from) {
  link_rollback(from);
  if (!buf_append(&link->out, buf_front(&from->out), link_queued(from))) return false;
  buf_clear(&from->out);
  link->over_high_water = from->over_high_water;
  write_soon(link, false);
  return true;
}

/* Sends what waits, or that of it which goes first. */
static ssize_t send_some(Link *link) {
  enum { FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL };
  const uint8_t *bytes = buf_front(&link->out);
  size_t size = link_queued(link);
  if (link->out_fd != link->fd) return write(link->out_fd, bytes, size);
  if (upgrade_is_passing(&link->upgrade)) return upgrade_send(link, bytes, size, FLAGS);
  if (link->switch_at == SIZE_MAX) return send(link->fd, bytes, size, FLAGS);
  ssize_t sent = send(link->fd, bytes, link->switch_at, FLAGS);
  if (sent > 0) link->switch_at -= (size_t)sent;
  if (link->switch_at == 0) begin_pipe(link);
  return sent;
}

/* A large message over a channel: the memory that it took serves the next one, in either
 * direction, until there was none for a while. Main looks after that: a page's thread may sleep. */
static void keep_grown(Link *link) {
  if (!link->channel || link->closed || link->from != FROM_PEER) return;
  store_open(channel_store(link->channel));
  loop_tend(link->loop, &link->grown_node);
}

bool link_tend(Link *link) { return store_tend(channel_store(link->channel)); }

bool link_write_once(Link *link) {
  if (link->out.capacity > BUF_KEEP) keep_grown(link);
  ssize_t sent = link->channel ? channel_write(link->channel, &link->out) : send_some(link);
  if (sent >= 0) {
    if (!link->channel) buf_consume(&link->out, (size_t)sent);
    link->written += (uint64_t)sent;
    return link_queued(link) == 0;
  }
  if (errno == EINTR || errno == EAGAIN) return false;
  if (errno == ENOMEM) link_end_reading(link, NO_MEMORY);
  /* The peer is gone: its end of file says so, after what it sent before. */
  bool is_gone = errno == EPIPE || errno == ECONNRESET;
  drop_output(link); /* nothing was drained: on_end tells how it ended */
  if (!is_gone) link_end_reading(link, NULL);
  return true;
}

/* Whether main reads no more of this peer, as it does not read its own answers: they would pile up
 * without bound. Peers always read main; were both ends to wait, they would do so forever. */
static bool is_clogged(const Link *link) {
  return link->from == FROM_PEER && link_queued(link) > link->limits.queue && !link->ended;
}

void link_flush(Link *link) {
  link_rollback(link);
  if (link->fd < 0) return;
  bool done = link_queued(link) == 0 || link_write_once(link); /* sendSync may have written it */
  link->early = link_queued(link) + WRITE_EARLY; /* a slow reader is not tried at each packet */
  if (!link->ended) {
    watch(link, done ? link->watching & ~UV_WRITABLE : link->watching | UV_WRITABLE);
  }
  if (link->clogged && !is_clogged(link)) {
    link->clogged = false;
    link_set_ready(link);
  }
  look_for_room(link);
}

void link_finish_packet(Link *link) {
  if (link->in.capacity > BUF_KEEP) keep_grown(link);
  buf_consume(&link->in, link->current);
  link->current = 0;
  if (!link->current_blocks) return;
  link_release_blocks(link, link->current_blocks);
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
  bool is_last = buf_size(&link->in) == link->current;
  if (packet->kind == PACKET_UPGRADE) upgrade_take(link, is_last);
  else link->events->on_packet(link, packet);
}

/* Returns false when there was no whole packet. One in shared memory, where more may lie than was
 * sent, ends the round: *count, how many may follow. */
static bool dispatch_one(Link *link, int *count) {
  Packet packet;
  if (buf_size(&link->in) == 0 && !link->ended) return false; /* as a rule, after the last one */
  PacketStatus status = link_packet_at(link, 0, &packet, &link->current);
  if (status == PACKET_WHOLE) {
    bool is_large = link->current >= SHARE_LEAST;
    link->current_blocks = packet.blocks;
    if (packet.flags & PACKET_FLAG_SHARED) *count = 0;
    take_packet(link, &packet);
    link_finish_packet(link);
    if (!link->closed) upgrade_count(link, is_large);
    return true;
  }
  link->current = 0;
  if (status == PACKET_BAD || link->ended) dispatch_end(link);
  return false;
}

static void release(Link *link) {
  buf_clear(&link->in);
  buf_clear(&link->out);
  if (link->channel) channel_drop(link->channel);
  free(link);
}

/* Whether there is more. The owner may close the link meanwhile: it stays until this returns. */
static bool dispatch_some(Link *link, int count) {
  bool more = true;
  link->dispatching = true;
  while (more && !link->closed && count-- > 0) more = dispatch_one(link, &count);
  link->dispatching = false;
  return more;
}

void link_dispatch(Link *link, int count) {
  link->clogged = is_clogged(link);
  if (link->clogged) return;
  bool more = dispatch_some(link, count);
  if (link->closed) {
    if (link->open_watches == 0) release(link);
    return;
  }
  if (more) link_set_ready(link);
  bool has_room = !more || buf_size(&link->in) <= link->limits.backlog / 2;
  if (has_room && !link->ended) watch(link, link->watching | UV_READABLE);
}

void link_fail(Link *link, const char *reason) {
  buf_clear(&link->in);
  link->current = 0;
  link->current_blocks = 0;
  link_end_reading(link, reason);
}

static void on_close(uv_handle_t *handle) {
  Link *link = handle->data;
  if (--link->open_watches == 0) release(link);
}

/* The descriptor after its handle, which takes it out of the loop's set. */
static void close_watch(Watch *watch, int fd) {
  uv_close((uv_handle_t *)&watch->poll, on_close);
  if (fd >= 0) close(fd);
}

/* Who is reading a packet still may read in what is lent. */
static void close_channel(ChannelEnd *end) {
  channel_hold(end);
  channel_close(end);
}

static void close_watches(Link *link) {
  int out_fd = link->next_out_fd >= 0 ? link->next_out_fd : link->out_fd;
  if (link->in_fd != link->fd) close_watch(&link->in_pipe, link->in_fd);
  if (out_fd != link->fd) close_watch(&link->out_pipe, out_fd);
  close_watch(&link->socket, link->channel ? -1 : link->fd);
  if (link->channel) close_channel(link->channel);
  link->fd = link->in_fd = link->out_fd = link->next_out_fd = -1;
}

void link_close(Link *link) {
  if (link->closed) return;
  link->closed = true;
  list_remove(&link->ready_node);
  list_remove(&link->dirty_node);
  list_remove(&link->grown_node);
  if (link->loop->link == link) link->loop->link = NULL;
  upgrade_clear(&link->upgrade);
  share_close(link->share);
  if (link->spare >= 0) close(link->spare);
  if (link->fd < 0) {
    if (!link->dispatching) release(link);
    return;
  }
  link->loop->open_links--;
  link->in.store = link->out.store = NULL; /* it is the channel's */
  close_watches(link);
}
