/* SPDX-License-Identifier: MIT
 * The single instance lock, between real processes. */
#include "host/instance.h"

#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void on_message(void *data, const void *bytes, size_t size) {
  Wait *wait = data;
  wait->left--;
  wait->calls++;
  free(wait->text);
  wait->text = malloc(size + 1);
  memcpy(wait->text, bytes, size);
  wait->text[size] = 0;
  wait->size = size;
}

static void make_id(char *id, size_t room, const char *name) {
  snprintf(id, room, "test-%ld-%s", (long)getpid(), name);
}

/* A holder that works is slow at times, as under valgrind. It got nothing then: try again. */
static int acquire(const char *id, const char *message, size_t size) {
  uint64_t end = uv_hrtime() + (unsigned)patience() * (uint64_t)1000000;
  int fd = -1, result = UV_ETIMEDOUT;
  while (result == UV_ETIMEDOUT && uv_hrtime() < end)
    result = instance_acquire(id, message, size, &fd);
  return result;
}

/* In a process of its own: acquires, expecting `expected`, and says so by its exit status. */
static pid_t fork_instance(const char *id, size_t size, int expected) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  char *message = malloc(size + 1);
  memset(message, 'm', size);
  bool as_expected = acquire(id, message, size) == expected;
  free(message);
  _exit(as_expected ? 0 : 1);
}

static bool ended_well(pid_t pid) {
  int status = -1;
  return waitpid(pid, &status, 0) == pid && status == 0;
}

static Instance *hold(Wait *wait, const char *id) {
  int fd = -1;
  Instance *instance = NULL;
  CHECK(instance_acquire(id, "", 0, &fd) == 1);
  CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  CHECK(instance_listen(&wait->loop, fd, on_message, wait, &instance) == 0);
  CHECK(wait->calls == 0);
  return instance;
}

static void test_instance(void) {
  Wait wait;
  char id[64];
  wait_init(&wait);
  int before = count_fds();
  make_id(id, sizeof id, "plain");
  Instance *instance = hold(&wait, id);
  static const size_t sizes[] = {0, 1, 5000, 8 << 20, INSTANCE_MESSAGE_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    pid_t pid = fork_instance(id, sizes[i], 0);
    wait_for(&wait, 1);
    CHECK(ended_well(pid));
    CHECK(wait.size == sizes[i] && strspn(wait.text, "m") == sizes[i]);
  }
  CHECK(ended_well(fork_instance(id, (size_t)INSTANCE_MESSAGE_MAX + 1, UV_E2BIG)));
  CHECK(wait.calls == 5);
  instance_close(instance);
  CHECK(ended_well(fork_instance(id, 3, 1)));
  CHECK(count_fds() == before);
  wait_clear(&wait);
}

/* More at once than are read at once. */
static void test_many_instances(void) {
  enum { COUNT = 20 };
  Wait wait;
  char id[64];
  pid_t pids[COUNT];
  int well = 0;
  wait_init(&wait);
  make_id(id, sizeof id, "many");
  Instance *instance = hold(&wait, id);
  for (int i = 0; i < COUNT; i++) pids[i] = fork_instance(id, 300000, 0);
  wait_for(&wait, COUNT);
  for (int i = 0; i < COUNT; i++) well += ended_well(pids[i]);
  CHECK(well == COUNT);
  CHECK(wait.calls == COUNT);
  instance_close(instance);
  wait_clear(&wait);
}

/* Ids that differ only behind what fits into a name are not the same. */
static void test_long_ids(void) {
  char first[500], second[500];
  int one, other, unused;
  memset(first, 'i', sizeof first);
  make_id(first, sizeof first, "");
  first[strlen(first)] = 'x';
  first[sizeof first - 1] = 0;
  memcpy(second, first, sizeof first);
  second[sizeof second - 2] = 'j';
  CHECK(instance_acquire(first, "", 0, &one) == 1);
  CHECK(instance_acquire(second, "", 0, &other) == 1);
  CHECK(instance_acquire(first, "", 0, &unused) == 0);
  close(one);
  close(other);
}

/* A process that holds the lock until somebody connects, and ends without reading. */
static pid_t fork_deaf_holder(const char *id) {
  int held[2];
  char byte;
  CHECK(pipe(held) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct pollfd entry = {.events = POLLIN};
    if (instance_acquire(id, "", 0, &entry.fd) != 1) _exit(1);
    if (write(held[1], "", 1) != 1) _exit(1);
    _exit(poll(&entry, 1, patience()) == 1 ? 0 : 1);
  }
  close(held[1]);
  CHECK(read(held[0], &byte, 1) == 1);
  close(held[0]);
  return pid;
}

/* A holder that ends without having read makes the later instance the first. */
static void test_dying_holder(void) {
  char id[64];
  int fd = -1;
  make_id(id, sizeof id, "dying");
  pid_t pid = fork_deaf_holder(id);
  CHECK(instance_acquire(id, "text", 4, &fd) == 1);
  close(fd);
  CHECK(ended_well(pid));
}

/* A connection to the lock, for peers that break its protocol. */
static int connect_raw(const char *id, const char *bytes, size_t size) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "lunette/%lu/%s",
                        (unsigned long)geteuid(), id);
  socklen_t name_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(connect(fd, (struct sockaddr *)&name, name_size) == 0);
  if (size > 0) CHECK(write(fd, bytes, size) == (ssize_t)size);
  return fd;
}

/* True when the holder closes the connection, without an answer, while its loop runs. */
static bool is_dropped(Wait *wait, int fd) {
  char byte;
  ssize_t count = -1;
  for (;;) {
    count = recv(fd, &byte, 1, MSG_DONTWAIT);
    if (count >= 0 || errno != EAGAIN) break;
    if (!wait_may_last(wait)) break;
    uv_run(&wait->loop, UV_RUN_ONCE);
  }
  close(fd);
  return count == 0 || (count < 0 && errno == ECONNRESET);
}

static void test_bad_instances(void) {
  Wait wait;
  char id[64];
  wait_init(&wait);
  make_id(id, sizeof id, "bad");
  Instance *instance = hold(&wait, id);
  int before = count_fds();
  CHECK(is_dropped(&wait, connect_raw(id, "\xff\xff\xff\xff", 4)));  /* too much announced */
  CHECK(is_dropped(&wait, connect_raw(id, "\x01\x00\x00\x02?", 5))); /* 32 MiB and 1 byte */
  int silent = connect_raw(id,
                           "\x05\x00\x00\x00"
                           "hal",
                           7);           /* and then nothing */
  close(connect_raw(id, "\x05\x00", 2)); /* gone in the header */
  close(connect_raw(id,
                    "\x05\x00\x00\x00"
                    "ha",
                    6)); /* gone in the message */
  pid_t pid = fork_instance(id, 9, 0);
  wait_for(&wait, 1);
  CHECK(ended_well(pid));
  CHECK(wait.calls == 1 && wait.size == 9);
  CHECK(is_dropped(&wait, silent));
  CHECK(count_fds() == before);
  int open_fd = connect_raw(id, "\x05\x00\x00\x00", 4);
  uv_run(&wait.loop, UV_RUN_NOWAIT);
  instance_close(instance);
  CHECK(is_dropped(&wait, open_fd));
  wait_clear(&wait);
  CHECK(wait.calls == 1);
}

/* Two hosts in one process do not wait for each other; and the lock does not keep the loop. */
static void test_instance_in_one_process(void) {
  Wait wait;
  char id[64];
  int unused;
  wait_init(&wait);
  make_id(id, sizeof id, "one");
  Instance *instance = hold(&wait, id);
  uv_unref((uv_handle_t *)&wait.deadline);
  CHECK(!uv_loop_alive(&wait.loop));
  uv_ref((uv_handle_t *)&wait.deadline);
  CHECK(instance_acquire(id, "mmm", 3, &unused) == 0);
  wait_for(&wait, 1);
  CHECK(wait.calls == 1 && wait.size == 3);
  instance_close(instance);
  wait_clear(&wait);
}

static void test_all(void) {
  test_many_instances();
  test_instance();
  test_long_ids();
  test_dying_holder();
  test_bad_instances();
  test_instance_in_one_process();
}

int main(void) { return run_test(test_all); }
