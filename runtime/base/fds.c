/* SPDX-License-Identifier: MIT */
#include "base/fds.h"

#include <string.h>
#include <sys/socket.h>

/* Room for the descriptors beside a message. */
typedef union Control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int[FDS_MAX]))];
} Control;

/* A message with room for `count` descriptors and no more, which CMSG_SPACE may have. */
static struct msghdr new_message(struct iovec *data, Control *control, int count) {
  return (struct msghdr){.msg_iov = data,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = CMSG_LEN((size_t)count * sizeof(int))};
}

ssize_t fds_send(int socket, const void *bytes, size_t size, const int *fds, int count, int flags) {
  Control control = {0};
  struct iovec data = {.iov_base = (void *)bytes, .iov_len = size};
  struct msghdr message = new_message(&data, &control, count);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = message.msg_controllen;
  memcpy(CMSG_DATA(&control.header), fds, (size_t)count * sizeof *fds);
  return sendmsg(socket, &message, flags);
}

/* How many descriptors came beside the message; they are put into `fds`. */
static int take(struct msghdr *message, int *fds) {
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return 0;
  size_t size = header->cmsg_len - CMSG_LEN(0);
  memcpy(fds, CMSG_DATA(header), size);
  return (int)(size / sizeof *fds);
}

ssize_t fds_receive(int socket, void *bytes, size_t size, int *fds, int *count, int flags) {
  Control control;
  struct iovec data = {.iov_base = bytes, .iov_len = size};
  struct msghdr message = new_message(&data, &control, *count);
  ssize_t got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  *count = got > 0 ? take(&message, fds) : 0;
  return got;
}
