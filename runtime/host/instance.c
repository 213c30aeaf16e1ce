/* SPDX-License-Identifier: MIT
 * The single instance lock: the first process of an app holds it, later ones leave a message.
 *
 * The lock is an abstract socket name, which the kernel frees when its holder ends, however that
 * happens. A later instance connects and writes the message's size (4 bytes, little-endian) and the
 * message; the holder answers with one byte once it has it all. When the holder goes before that
 * byte, the later instance tries to become the first. Any user may bind or connect to an abstract
 * name, so both sides look at who the other is. */
#include "host/instance.h"

#include "base/buf.h"
#include "base/list.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  HEADER_SIZE = 4,
  PLAIN_ID_MAX = 64,    /* a longer id is hashed into the name */
  BACKLOG = 128,        /* later instances that wait to be accepted */
  CLIENTS_MAX = 8,      /* later instances that are being read */
  READ_SIZE = 1 << 16,  /* bytes read at once */
  WRITE_SIZE = 1 << 18, /* bytes sent at once: a socket takes no more */
  READS_PER_TURN = 8,   /* of one client, before the loop's other work */
  TICK = 500,           /* milliseconds */
  SILENT_TICKS = 6,     /* after which a silent client is dropped */
};

static const uint64_t PATIENCE = 2000; /* milliseconds for one reaction of the holder */
static const uint8_t RECEIVED = 1;     /* the holder's answer */

/* Both sides */

typedef struct Address {
  struct sockaddr_un name;
  socklen_t size;
} Address;

static uint64_t hash(const char *text, uint64_t value) {
  for (; *text; text++) value = (value ^ (uint8_t)*text) * 0x100000001b3u; /* FNV-1a */
  return value;
}

static void make_address(Address *address, const char *id) {
  char *name = address->name.sun_path + 1; /* after a zero byte, which makes it abstract */
  size_t room = sizeof address->name.sun_path - 1;
  unsigned long user = geteuid();
  int length;
  memset(address, 0, sizeof *address);
  address->name.sun_family = AF_UNIX;
  if (strlen(id) <= PLAIN_ID_MAX) {
    length = snprintf(name, room, "lunette/%lu/%s", user, id);
  } else {
    unsigned long long low = hash(id, 0xcbf29ce484222325u), high = hash(id, ~low);
    length = snprintf(name, room, "lunette/%lu#%016llx%016llx", user, low, high);
  }
  address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int new_socket(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return fd < 0 ? -errno : fd;
}

/* 0 when the process at the other end is ours, with its number; else a negative code. */
static int check_peer(int fd, pid_t *pid) {
  struct ucred peer = {0};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -errno;
  *pid = peer.pid;
  return peer.uid == geteuid() ? 0 : -EPERM;
}

/* The later instance */

static uint64_t now(void) { return uv_hrtime() / 1000000; }

/* Waits until the socket can be read or written. 0 or a negative code. */
static int await(int fd, short events) {
  struct pollfd entry = {.fd = fd, .events = events};
  uint64_t deadline = now() + PATIENCE;
  for (;;) {
    uint64_t time = now();
    int count = time < deadline ? poll(&entry, 1, (int)(deadline - time)) : 0;
    if (count > 0) return 0;
    if (count == 0) return -ETIMEDOUT;
    if (errno != EINTR) return -errno;
  }
}

static int send_all(int fd, const void *bytes, size_t size) {
  const uint8_t *next = bytes;
  while (size > 0) {
    ssize_t sent = send(fd, next, size < WRITE_SIZE ? size : WRITE_SIZE, MSG_NOSIGNAL);
    if (sent >= 0) {
      next += sent;
      size -= (size_t)sent;
    } else if (errno == EAGAIN) {
      int error = await(fd, POLLOUT);
      if (error < 0) return error;
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return 0;
}

/* The holder's answer. One that is late is no failure: the message waits in its socket. */
static int await_answer(int fd) {
  int error = await(fd, POLLIN);
  if (error < 0) return error == -ETIMEDOUT ? 0 : error;
  uint8_t answer;
  ssize_t count = recv(fd, &answer, 1, 0);
  if (count < 0) return -errno;
  return count == 1 ? 0 : -ECONNRESET;
}

static int send_message(int fd, const void *message, size_t size) {
  uint8_t header[HEADER_SIZE];
  pid_t holder;
  int error = check_peer(fd, &holder);
  if (error < 0) return error;
  for (unsigned i = 0; i < HEADER_SIZE; i++) header[i] = (uint8_t)(size >> (8 * i));
  error = send_all(fd, header, sizeof header);
  if (error == 0) error = send_all(fd, message, size);
  if (error < 0) return error;
  /* Several hosts can live in one process; waiting for our own thread would be in vain. */
  return holder == getpid() ? 0 : await_answer(fd);
}

static int tell_holder(const Address *address, const void *message, size_t size) {
  int fd = new_socket();
  if (fd < 0) return fd;
  int error = 0;
  if (connect(fd, (const struct sockaddr *)&address->name, address->size) != 0) error = -errno;
  if (error == 0) error = send_message(fd, message, size);
  close(fd);
  return error;
}

/* The listening socket, or -EADDRINUSE when there is a holder, or another negative code. */
static int hold(const Address *address) {
  int fd = new_socket();
  if (fd < 0) return fd;
  int error = 0;
  if (bind(fd, (const struct sockaddr *)&address->name, address->size) != 0 ||
      listen(fd, BACKLOG) != 0) {
    error = -errno;
  }
  if (error == 0) return fd;
  close(fd);
  return error;
}

/* The holder has gone, does not listen yet, or has no room for one more to wait. */
static bool is_passing(int error) {
  return error == -ECONNREFUSED || error == -ECONNRESET || error == -EPIPE || error == -EAGAIN;
}

int instance_acquire(const char *id, const void *message, size_t size, int *listen_fd) {
  if (size > INSTANCE_MESSAGE_MAX) return -E2BIG;
  uint64_t deadline = now() + PATIENCE;
  Address address;
  make_address(&address, id);
  for (;;) {
    int fd = hold(&address);
    if (fd >= 0) {
      *listen_fd = fd;
      return 1;
    }
    if (fd != -EADDRINUSE) return fd;
    int error = tell_holder(&address, message, size);
    if (!is_passing(error)) return error;
    if (now() >= deadline) return -ETIMEDOUT;
    poll(NULL, 0, 1);
  }
}

/* The holder */

struct Instance {
  uv_poll_t listener;
  uv_timer_t tick; /* runs while there are clients, or the listener rests */
  int open;        /* handles whose close callback has not come */
  int fd;          /* owned; -1 once closed */
  List clients;
  int client_count;
  InstanceMessage on_message;
  void *data; /* borrowed */
};

typedef struct Client {
  uv_poll_t poll;
  List node;
  Instance *instance; /* borrowed; not touched once closed */
  Buf in;
  int fd; /* owned */
  int silent_ticks;
} Client;

static void on_client_close(uv_handle_t *handle) {
  Client *client = handle->data;
  buf_clear(&client->in);
  free(client);
}

static void on_tick(uv_timer_t *timer);
static void on_connection(uv_poll_t *listener, int status, int events);

/* With no room for another client, the listener rests: later instances wait in the backlog. */
static void update_watchers(Instance *instance, bool resting) {
  if (instance->client_count >= CLIENTS_MAX) resting = true;
  if (resting) {
    uv_poll_stop(&instance->listener);
  } else {
    uv_poll_start(&instance->listener, UV_READABLE, on_connection);
  }
  if (!resting && instance->client_count == 0) {
    uv_timer_stop(&instance->tick);
  } else if (!uv_is_active((uv_handle_t *)&instance->tick)) {
    uv_timer_start(&instance->tick, on_tick, TICK, TICK);
  }
}

static void close_client(Client *client) {
  list_remove(&client->node);
  client->instance->client_count--;
  uv_close((uv_handle_t *)&client->poll, on_client_close);
  close(client->fd);
}

static uint32_t message_size(const Client *client) {
  const uint8_t *header = buf_front(&client->in);
  return header[0] | (uint32_t)header[1] << 8 | (uint32_t)header[2] << 16 |
         (uint32_t)header[3] << 24;
}

/* Bytes that the message still lacks. Memory follows the bytes that came, not those announced. */
static size_t missing(const Client *client) {
  size_t size = buf_size(&client->in);
  if (size < HEADER_SIZE) return HEADER_SIZE - size;
  return HEADER_SIZE + (size_t)message_size(client) - size;
}

/* 1: the message is whole; 0: more will come; negative: nothing good will. */
static int read_some(Client *client) {
  Buf *in = &client->in;
  for (int i = 0; i < READS_PER_TURN; i++) {
    size_t wanted = missing(client) < READ_SIZE ? missing(client) : READ_SIZE;
    if (!buf_reserve(in, wanted)) return -ENOMEM;
    ssize_t count = recv(client->fd, in->data + in->end, wanted, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (count < 0) return -errno;
    if (count == 0) return -ECONNRESET;
    client->silent_ticks = 0;
    in->end += (size_t)count;
    if (buf_size(in) < HEADER_SIZE) continue;
    if (message_size(client) > INSTANCE_MESSAGE_MAX) return -E2BIG;
    if (missing(client) == 0) return 1;
  }
  return 0;
}

/* The callback may close the instance, so everything else is done before it. */
static void deliver(Client *client) {
  Instance *instance = client->instance;
  Buf message = client->in;
  client->in = (Buf){0};
  send(client->fd, &RECEIVED, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  close_client(client);
  update_watchers(instance, false);
  buf_consume(&message, HEADER_SIZE);
  instance->on_message(instance->data, buf_front(&message), buf_size(&message));
  buf_clear(&message);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)events;
  Client *client = poll->data;
  int result = status < 0 ? status : read_some(client);
  if (result > 0) {
    deliver(client);
  } else if (result < 0) {
    Instance *instance = client->instance;
    close_client(client);
    update_watchers(instance, false);
  }
}

/* Takes fd in any case. */
static void add_client(Instance *instance, int fd) {
  pid_t pid;
  Client *client = check_peer(fd, &pid) == 0 ? calloc(1, sizeof *client) : NULL;
  if (!client || uv_poll_init(instance->listener.loop, &client->poll, fd) < 0) {
    free(client);
    close(fd);
    return;
  }
  client->poll.data = client;
  client->instance = instance;
  client->fd = fd;
  list_init(&client->node);
  list_append(&instance->clients, &client->node);
  instance->client_count++;
  uv_unref((uv_handle_t *)&client->poll);
  uv_poll_start(&client->poll, UV_READABLE, on_readable);
}

/* One client a turn. When it cannot be accepted, mostly for lack of descriptors, trying again at
 * once would keep the loop busy: the next tick does. */
static void on_connection(uv_poll_t *listener, int status, int events) {
  (void)events;
  Instance *instance = listener->data;
  int fd = status < 0 ? -1 : accept4(instance->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  bool failed = fd < 0 && (status < 0 || (errno != EAGAIN && errno != EINTR));
  if (fd >= 0) add_client(instance, fd);
  update_watchers(instance, failed);
}

/* Ticks that came late count once, and only a client that is silent is dropped, so that it costs
 * nobody a message that our own loop was busy. */
static void on_tick(uv_timer_t *timer) {
  Instance *instance = timer->data;
  for (List *node = instance->clients.next, *next; node != &instance->clients; node = next) {
    Client *client = LIST_ENTRY(node, Client, node);
    next = node->next;
    if (++client->silent_ticks >= SILENT_TICKS) close_client(client);
  }
  update_watchers(instance, false);
}

int instance_listen(uv_loop_t *loop, int listen_fd, InstanceMessage on_message, void *data,
                    Instance **out) {
  Instance *instance = calloc(1, sizeof *instance);
  if (!instance) return UV_ENOMEM;
  int error = uv_poll_init(loop, &instance->listener, listen_fd);
  if (error < 0) {
    free(instance);
    return error;
  }
  uv_timer_init(loop, &instance->tick);
  instance->listener.data = instance->tick.data = instance;
  instance->open = 2;
  instance->fd = listen_fd;
  instance->on_message = on_message;
  instance->data = data;
  list_init(&instance->clients);
  uv_unref((uv_handle_t *)&instance->listener);
  uv_unref((uv_handle_t *)&instance->tick);
  update_watchers(instance, false);
  *out = instance;
  return 0;
}

static void on_close(uv_handle_t *handle) {
  Instance *instance = handle->data;
  if (--instance->open == 0) free(instance);
}

void instance_close(Instance *instance) {
  if (instance->fd < 0) return;
  while (!list_empty(&instance->clients)) {
    close_client(LIST_ENTRY(instance->clients.next, Client, node));
  }
  uv_close((uv_handle_t *)&instance->listener, on_close);
  uv_close((uv_handle_t *)&instance->tick, on_close);
  close(instance->fd);
  instance->fd = -1;
}
