/* SPDX-License-Identifier: MIT
 * Child processes and file_read, against a real kernel. Run with the argument "parent" or "main",
 * the program plays one of its own children. */
#include "host.h"
#include "lacking.h"

#include "host/file.h"
#include "host/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Reads until the end of the stream, which must come. */
static size_t read_end(int fd, char *text, size_t room) {
  size_t size = 0;
  ssize_t count = 1;
  struct pollfd entry = {.fd = fd, .events = POLLIN};
  while (count > 0 && size + 1 < room && CHECK(poll(&entry, 1, patience()) > 0)) {
    count = read(fd, text + size, room - size - 1);
    if (count > 0) size += (size_t)count;
  }
  text[size] = 0;
  return size;
}

/* Children */

static void on_child_exit(Child *child, ChildExit how) {
  Wait *wait = child_data(child);
  wait->left--;
  wait->calls++;
  wait->how = how;
}

static int spawn_path(Wait *wait, const char *path, const char *script, char *const *env,
                      Child **child, int *link_fd) {
  char *argv[] = {(char *)path, script ? (char *)"-c" : NULL, (char *)script, NULL};
  ChildOptions options = {
      .path = path, .argv = argv, .env = env, .on_exit = on_child_exit, .data = wait};
  return child_spawn(&wait->loop, &options, child, link_fd);
}

static int spawn_script(Wait *wait, const char *script, Child **child, int *link_fd) {
  return spawn_path(wait, "/bin/sh", script, NULL, child, link_fd);
}

static void check_exit(const char *script, int code, int number, const char *reason) {
  Wait wait;
  Child *child;
  int link_fd;
  wait_init(&wait);
  if (CHECK(spawn_script(&wait, script, &child, &link_fd) == 0)) {
    CHECK(child_pid(child) > 0);
    wait_for(&wait, 1);
    close(link_fd);
  }
  CHECK(wait.calls == 1 && wait.how.known);
  CHECK(wait.how.code == code && wait.how.signal == number);
  CHECK(strcmp(child_exit_reason(wait.how), reason) == 0);
  wait_clear(&wait);
}

static void test_exits(void) {
  check_exit("exit 0", 0, 0, "clean-exit");
  check_exit("exit 3", 3, 0, "abnormal-exit");
  check_exit("exit 125", CHILD_OUT_OF_MEMORY, 0, "oom");
  check_exit("exit 127", CHILD_LAUNCH_FAILED, 0, "launch-failed");
  check_exit("kill -SEGV $$", 0, SIGSEGV, "crashed");
  check_exit("kill -ABRT $$", 0, SIGABRT, "crashed");
  check_exit("kill -SYS $$", 0, SIGSYS, "crashed");
  check_exit("kill -TERM $$", 0, SIGTERM, "killed");
  check_exit("kill -9 $$", 0, SIGKILL, "killed");
}

static void test_signal_names(void) {
  CHECK(child_signal_number("SIGTERM") == SIGTERM);
  CHECK(child_signal_number("SIGKILL") == SIGKILL);
  CHECK(child_signal_number("KILL") == 0);
  CHECK(child_signal_number("SIG") == 0);
  CHECK(child_signal_number("SIGNONE") == 0);
  CHECK(child_signal_number("") == 0);
}

static void test_launch_failures(void) {
  Wait wait;
  Child *child;
  int link_fd, before;
  wait_init(&wait);
  before = count_fds();
  CHECK(spawn_path(&wait, "/nowhere/at/all", NULL, NULL, &child, &link_fd) == UV_ENOENT);
  CHECK(spawn_path(&wait, "/etc/passwd", NULL, NULL, &child, &link_fd) == UV_EACCES);
  CHECK(count_fds() == before);
  CHECK(!has_children());
  wait_clear(&wait);
  CHECK(wait.calls == 0);
}

/* The child sees our end close, and what it writes arrives. */
static void test_link(void) {
  Wait wait;
  Child *child;
  int link_fd;
  char text[64];
  wait_init(&wait);
  if (CHECK(spawn_script(&wait, "cat <&3 >&3; exit 7", &child, &link_fd) == 0)) {
    CHECK(fcntl(link_fd, F_GETFD) & FD_CLOEXEC);
    CHECK(write(link_fd, "hello", 5) == 5);
    shutdown(link_fd, SHUT_WR);
    CHECK(read_end(link_fd, text, sizeof text) == 5 && strcmp(text, "hello") == 0);
    close(link_fd);
    wait_for(&wait, 1);
    CHECK(wait.how.code == 7);
  }
  if (CHECK(spawn_script(&wait, "cat <&3; exit 8", &child, &link_fd) == 0)) {
    close(link_fd);
    wait_for(&wait, 1);
    CHECK(wait.how.code == 8);
  }
  wait_clear(&wait);
}

/* What `script` writes to its link. */
static void ask_child(const char *path, const char *script, char *const *env, char *text,
                      size_t room) {
  Wait wait;
  Child *child;
  int link_fd;
  wait_init(&wait);
  *text = 0;
  if (CHECK(spawn_path(&wait, path, script, env, &child, &link_fd) == 0)) {
    read_end(link_fd, text, room);
    wait_for(&wait, 1);
    close(link_fd);
  }
  wait_clear(&wait);
}

static void test_descriptors(void) {
  char text[256];
  int leaky = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
  int high = fcntl(leaky, F_DUPFD, 200);
  ask_child("/bin/sh", "cd /proc/$$/fd; echo * $(readlink 0) >&3", NULL, text, sizeof text);
  close(leaky);
  close(high);
  /* 10 and above: where some shells keep their own */
  CHECK(strncmp(text, "0 1 2 3 ", 8) == 0);
  CHECK(!strstr(text, " 200 "));
  CHECK(strstr(text, " /dev/null\n"));
}

static void test_signals_are_reset(void) {
  char text[256];
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &old);
  signal(SIGPIPE, SIG_IGN);
  ask_child("/bin/sh", "exec grep -E 'Sig(Blk|Ign)' /proc/self/status >&3", NULL, text,
            sizeof text);
  signal(SIGPIPE, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  unsigned long block = 1, ignore = 1 << (SIGPIPE - 1);
  CHECK(sscanf(text, "SigBlk: %lx SigIgn: %lx", &block, &ignore) == 2);
  CHECK(block == 0);
  CHECK(!(ignore & 1 << (SIGPIPE - 1)));
}

static void test_environment(void) {
  char text[256];
  char *env[] = {(char *)"LUNETTE_NEW=1", (char *)"LUNETTE_OLD=changed=x", NULL};
  setenv("LUNETTE_OLD", "old", 1);
  setenv("LUNETTE_OLDER", "kept", 1);
  ask_child("/bin/sh", "echo $LUNETTE_NEW $LUNETTE_OLD $LUNETTE_OLDER >&3", env, text, sizeof text);
  CHECK(strcmp(text, "1 changed=x kept\n") == 0);
  ask_child("/bin/sh", "echo $LUNETTE_NEW-$LUNETTE_OLD >&3", NULL, text, sizeof text);
  CHECK(strcmp(text, "-old\n") == 0);
}

static void test_kill(void) {
  Wait wait;
  Child *child;
  int link_fd;
  wait_init(&wait);
  if (CHECK(spawn_script(&wait, "exec cat <&3", &child, &link_fd) == 0)) {
    CHECK(child_kill(child, 0) == 0);
    CHECK(child_kill(child, 1000) == UV_EINVAL);
    CHECK(child_kill(child, SIGTERM) == 0);
    wait_for(&wait, 1);
    CHECK(wait.how.signal == SIGTERM);
    close(link_fd);
  }
  wait_clear(&wait);
}

static void on_exit_kill_and_close(Child *child, ChildExit how) {
  CHECK(child_kill(child, SIGKILL) == UV_ESRCH);
  on_child_exit(child, how);
  child_close(child);
}

static void test_close_in_callback(void) {
  Wait wait;
  Child *child;
  int link_fd;
  char *argv[] = {(char *)"true", NULL};
  wait_init(&wait);
  ChildOptions options = {
      .path = "/bin/true", .argv = argv, .on_exit = on_exit_kill_and_close, .data = &wait};
  if (CHECK(child_spawn(&wait.loop, &options, &child, &link_fd) == 0)) {
    wait_for(&wait, 1);
    close(link_fd);
  }
  CHECK(wait.calls == 1);
  wait_clear(&wait);
}

/* Closing leaves neither the process nor a zombie, and no callback. */
static void test_close(void) {
  Wait wait;
  Child *child;
  int link_fd;
  wait_init(&wait);
  if (CHECK(spawn_script(&wait, "trap '' TERM; exec cat <&3", &child, &link_fd) == 0)) {
    pid_t pid = child_pid(child);
    child_close(child);
    CHECK(kill(pid, 0) != 0 && errno == ESRCH);
    CHECK(!has_children());
    close(link_fd);
  }
  wait_clear(&wait);
  CHECK(wait.calls == 0);
}

/* An unwatched child does not keep the loop; a watched one does. */
static void test_unref(void) {
  Wait wait;
  Child *child;
  int link_fd;
  wait_init(&wait);
  uv_unref((uv_handle_t *)&wait.deadline);
  if (CHECK(spawn_script(&wait, "exec cat <&3", &child, &link_fd) == 0)) {
    CHECK(uv_loop_alive(&wait.loop));
    child_unref(child);
    CHECK(!uv_loop_alive(&wait.loop));
    child_ref(child);
    CHECK(uv_loop_alive(&wait.loop));
    child_close(child);
    close(link_fd);
  }
  wait_clear(&wait);
}

/* The exit is told; its status, which somebody else has got, by newer kernels alone. */
static void check_reaped(const Wait *wait, int code, int number, const char *reason) {
  CHECK(wait->calls == 1);
  if (wait->how.known) {
    CHECK(wait->how.code == code && wait->how.signal == number);
    CHECK(strcmp(child_exit_reason(wait->how), reason) == 0);
  } else {
    CHECK(wait->how.code == 0 && wait->how.signal == 0);
    CHECK(strcmp(child_exit_reason(wait->how), "abnormal-exit") == 0);
  }
}

/* The script waits for its link's end: one that has ended before it can be watched tells nothing.
 */
static void check_ignored(const char *script, int code, int number, const char *reason) {
  Wait wait;
  Child *child;
  int link_fd;
  wait_init(&wait);
  if (CHECK(spawn_script(&wait, script, &child, &link_fd) == 0)) {
    close(link_fd);
    wait_for(&wait, 1);
  }
  check_reaped(&wait, code, number, reason);
  CHECK(wait.how.known == tells_of_reaped());
  wait_clear(&wait);
}

static void test_ignored_sigchld(void) {
  Wait wait;
  Child *child;
  int link_fd;
  char text[8];
  signal(SIGCHLD, SIG_IGN);
  check_ignored("cat <&3; exit 3", 3, 0, "abnormal-exit");
  check_ignored("cat <&3", 0, 0, "clean-exit");
  check_ignored("cat <&3; kill -SEGV $$", 0, SIGSEGV, "crashed");
  wait_init(&wait);
  if (CHECK(spawn_script(&wait, "exec cat <&3", &child, &link_fd) == 0)) {
    child_close(child);
    CHECK(read_end(link_fd, text, sizeof text) == 0);
    close(link_fd);
  }
  CHECK(spawn_path(&wait, "/nowhere/at/all", NULL, NULL, &child, &link_fd) == UV_ENOENT);
  wait_clear(&wait);
  signal(SIGCHLD, SIG_DFL);
}

static void test_foreign_reaper(void) {
  Wait wait;
  Child *child;
  int link_fd;
  wait_init(&wait);
  if (CHECK(spawn_script(&wait, "exit 3", &child, &link_fd) == 0)) {
    CHECK(waitpid(-1, NULL, 0) == child_pid(child));
    CHECK(child_kill(child, SIGKILL) == UV_ESRCH);
    wait_for(&wait, 1);
    close(link_fd);
  }
  check_reaped(&wait, 3, 0, "abnormal-exit");
  wait_clear(&wait);
}

static void test_hundred_children(void) {
  enum { COUNT = 100 };
  Wait wait;
  Child *children[COUNT];
  int link_fds[COUNT], before, started = 0;
  wait_init(&wait);
  before = count_fds();
  for (int i = 0; i < COUNT; i++) {
    const char *script = i % 4 == 3 ? "exec cat <&3" : "exit 0";
    if (spawn_script(&wait, script, &children[i], &link_fds[i]) == 0) started++;
  }
  CHECK(started == COUNT);
  for (int i = 3; i < COUNT; i += 4) child_close(children[i]);
  wait_for(&wait, COUNT - COUNT / 4);
  for (int i = 0; i < COUNT; i++) close(link_fds[i]);
  CHECK(wait.calls == COUNT - COUNT / 4);
  CHECK(count_fds() == before);
  CHECK(!has_children());
  wait_clear(&wait);
}

/* This program in a role, which kills itself: what it started must end with it, having said `last`.
 * The stream ends when the last of them has gone. */
static void check_family_ends(const char *role, const char *last) {
  Wait wait;
  Child *child;
  int link_fd;
  char text[32], self[PATH_MAX];
  size_t size = sizeof self;
  uv_exepath(self, &size);
  char *argv[] = {self, (char *)role, NULL};
  wait_init(&wait);
  ChildOptions options = {.path = self, .argv = argv, .on_exit = on_child_exit, .data = &wait};
  if (CHECK(child_spawn(&wait.loop, &options, &child, &link_fd) == 0)) {
    read_end(link_fd, text, sizeof text);
    CHECK(strcmp(text, last) == 0);
    wait_for(&wait, 1);
    CHECK(wait.how.signal == SIGKILL);
    close(link_fd);
  }
  wait_clear(&wait);
}

/* A grandchild whose parent ends before, or after, it asks to die with it. */
static void test_die_with_parent(void) {
  check_family_ends("parent", "alive");
  pid_t orphan = fork();
  if (orphan == 0) {
    child_die_with_parent(1 << 30);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(orphan, &status, 0) == orphan);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == CHILD_LAUNCH_FAILED);
}

/* A zygote and its spare, which are stopped as soon as the spare is there. */
static void test_die_stopped(void) { check_family_ends("main", ""); }

static void on_counted(uv_poll_t *watcher, int status, int events) {
  Wait *wait = watcher->data;
  CHECK(status == 0 && events == UV_READABLE);
  wait->left--;
  wait->calls++;
  uv_close((uv_handle_t *)watcher, NULL);
}

/* What is opened after a zygote's end, and has its number, is heard of also when that is closed. */
static void test_dead_zygote(void) {
  enum { COUNT = 4 };
  char *argv[] = {(char *)"/bin/true", NULL};
  int fds[COUNT];
  uv_poll_t watchers[COUNT];
  Zygote *zygote;
  Wait wait;
  wait_init(&wait);
  CHECK(zygote_open(&wait.loop, argv[0], argv, &zygote) == 0);
  while (zygote_is_alive(zygote) && wait_may_last(&wait)) uv_run(&wait.loop, UV_RUN_ONCE);
  for (int i = 0; i < COUNT; i++) {
    fds[i] = eventfd(0, EFD_CLOEXEC);
    CHECK(uv_poll_init(&wait.loop, &watchers[i], fds[i]) == 0);
    watchers[i].data = &wait;
    uv_poll_start(&watchers[i], UV_READABLE, on_counted);
  }
  uv_run(&wait.loop, UV_RUN_NOWAIT); /* takes them into its set */
  zygote_close(zygote);
  for (int i = 0; i < COUNT; i++) eventfd_write(fds[i], 1);
  wait_for(&wait, COUNT);
  CHECK(wait.calls == COUNT);
  for (int i = 0; i < COUNT; i++) {
    if (!uv_is_closing((uv_handle_t *)&watchers[i])) uv_close((uv_handle_t *)&watchers[i], NULL);
    close(fds[i]);
  }
  wait_clear(&wait);
}

/* Plays the parent of test_die_with_parent: it is killed once its child is ready. */
static int play_parent(void) {
  int ready[2];
  pid_t self = getpid();
  if (pipe(ready) != 0) return 1;
  if (fork() == 0) {
    close(ready[0]);
    child_die_with_parent(self);
    if (write(CHILD_LINK_FD, "alive", 5) != 5 || write(ready[1], "", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte;
  close(ready[1]);
  if (read(ready[0], &byte, 1) == 1) raise(SIGKILL);
  return 1;
}

static void test_relaunch(void) {
  char name[] = "/tmp/lunette-relaunch-XXXXXX", script[PATH_MAX];
  int pipe_fd[2];
  int fd = mkstemp(name);
  CHECK(pipe2(pipe_fd, O_CLOEXEC) == 0);
  close(fd);
  unlink(name);
  mkfifo(name, 0600);
  fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  snprintf(script, sizeof script, "exec >%s; cut -d ' ' -f 6 /proc/$$/stat; ls /proc/$$/fd", name);
  char *argv[] = {(char *)"/bin/sh", (char *)"-c", script, NULL};
  char *missing[] = {(char *)"/nowhere/at/all", NULL};
  char text[256];
  CHECK(child_relaunch(missing) == UV_ENOENT);
  CHECK(child_relaunch(argv) == 0);
  read_end(fd, text, sizeof text);
  close(fd);
  unlink(name);
  close(pipe_fd[0]);
  close(pipe_fd[1]);
  int status = -1;
  pid_t pid = wait(&status);
  CHECK(status == 0);
  CHECK(atoi(text) == pid); /* the leader of a session of its own */
}

/* Plays the main process of test_die_stopped: it is killed when all others of the family stand. */
static int play_main(void) {
  int pair[2];
  pid_t self = getpid();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return 1;
  pid_t zygote = fork();
  if (zygote == 0) {
    setpgid(0, 0);
    child_die_with_parent(self);
    zygote_serve(pair[1], self);
    _exit(1);
  }
  char byte;
  if (recv(pair[0], &byte, 1, 0) == 1) kill(-zygote, SIGSTOP);
  return raise(SIGKILL);
}

/* Files */

static void test_file_read(void) {
  enum { LARGE = 8 << 20 };
  char name[] = "/tmp/lunette-file-XXXXXX";
  Buf buf = {0};
  int before = count_fds();
  int fd = mkstemp(name);
  CHECK(write(fd, "contents\0more", 13) == 13);
  close(fd);
  CHECK(file_read(name, 100, &buf) == 0);
  CHECK(buf_size(&buf) == 13 && memcmp(buf_front(&buf), "contents\0more", 13) == 0);
  CHECK(file_read(name, 13, &buf) == 0 && buf_size(&buf) == 26);
  CHECK(file_read(name, 12, &buf) == UV_EFBIG && buf_size(&buf) == 26);
  CHECK(file_read(name, 0, &buf) == UV_EFBIG && buf_size(&buf) == 26);
  CHECK(file_read(name, SIZE_MAX, &buf) == 0 && buf_size(&buf) == 39);
  buf_clear(&buf);
  CHECK(truncate(name, LARGE) == 0);
  CHECK(file_read(name, SIZE_MAX, &buf) == 0 && buf_size(&buf) == LARGE);
  CHECK(buf.capacity <= 2 * LARGE);
  buf_clear(&buf);
  CHECK(truncate(name, 0) == 0);
  CHECK(file_read(name, 0, &buf) == 0 && buf_size(&buf) == 0);
  unlink(name);
  CHECK(file_read(name, 100, &buf) == UV_ENOENT);
  CHECK(file_read("/tmp", 100, &buf) == UV_EISDIR);
  CHECK(file_read("/dev/zero", 100, &buf) == UV_EINVAL);
  CHECK(mkfifo(name, 0600) == 0);
  CHECK(file_read(name, 100, &buf) == UV_EINVAL);
  unlink(name);
  CHECK(buf_size(&buf) == 0);
  /* files that say they are empty */
  CHECK(file_read("/proc/self/status", 1 << 20, &buf) == 0 && buf_size(&buf) > 100);
  size_t had = buf_size(&buf);
  CHECK(file_read("/proc/self/status", 10, &buf) == UV_EFBIG && buf_size(&buf) == had);
  buf_clear(&buf);
  CHECK(file_read("/proc/sys/kernel/ostype", 100, &buf) == 0 && buf_size(&buf) == 6);
  buf_clear(&buf);
  CHECK(count_fds() == before);
}

static void test_all(void) {
  test_exits();
  test_signal_names();
  test_launch_failures();
  test_link();
  test_descriptors();
  test_signals_are_reset();
  test_environment();
  test_kill();
  test_close_in_callback();
  test_close();
  test_unref();
  test_ignored_sigchld();
  test_foreign_reaper();
  test_hundred_children();
  test_die_with_parent();
  test_die_stopped();
  test_dead_zygote();
  test_relaunch();
  test_file_read();
}

/* Runs the program of the command line, or the tests, as on a kernel without pidfds. */
static int run_without_pidfds(char **command) {
  take_away((const int[]){SYS_pidfd_open}, 1);
  if (!command[0]) return run_test(test_all);
  execv(command[0], command);
  return 1;
}

/* Tests with what the kernel has, and in a process of its own without pidfds. */
static int test_both(void) {
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) return run_without_pidfds((char *[]){NULL});
  waitpid(pid, &status, 0);
  return run_test(test_all) == 0 && status == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "parent") == 0) return play_parent();
  if (argc > 1 && strcmp(argv[1], "main") == 0) return play_main();
  if (argc > 1 && strcmp(argv[1], "without-pidfds") == 0) return run_without_pidfds(argv + 2);
  return test_both();
}
