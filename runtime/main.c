/* SPDX-License-Identifier: MIT
 * The executable: its command line and its exit status. */
#include "lunette.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* By which renderers on threads are stopped. It is ignored as a rule, so that one too many does no
 * harm. The thread sanitizer keeps signals back until the thread calls something. */
#ifdef __SANITIZE_THREAD__
enum { STOP_SIGNAL = 0 };
#else
enum { STOP_SIGNAL = SIGURG };
#endif

static const char help[] =
    "usage: lunette APP [arguments]      run an app: a Lua file, or a folder with main.lua\n"
    "                                    or lunette.json (main, name, version)\n"
    "       lunette -e CODE [arguments]  run a piece of Lua as the main script\n"
    "       lunette test [busted's options] [--jobs N|auto] [--shard I/N] [--timeout MS] [paths]\n"
    "                                    run busted specs; lunette test --help tells more\n"
    "       lunette --help | --version\n";

static int usage_error(const char *text, const char *what) {
  fprintf(stderr, "lunette: %s%s\n%s", text, what, help);
  return EXIT_USAGE;
}

/* Fills in what to run. Returns -1, or the status to exit with at once. */
static int parse(int argc, char **argv, LunetteOptions *options) {
  *options = (LunetteOptions){.size = sizeof *options,
                              .argc = argc,
                              .argv = argv,
                              .flags = LUNETTE_STANDALONE,
                              .stop_signal = STOP_SIGNAL};
  if (argc < 2) return usage_error("an app is missing", "");
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    fputs(help, stdout);
    return EXIT_OK;
  }
  if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0) {
    puts("Lunette " LUNETTE_VERSION);
    return EXIT_OK;
  }
  if (strcmp(argv[1], "-e") == 0) {
    if (argc < 3) return usage_error("-e needs a piece of code", "");
    options->code = argv[2];
    options->argc = argc - 1; /* argv[1] is the code, as it would be the app */
    options->argv = argv + 1;
    return -1;
  }
  if (strcmp(argv[1], "test") == 0) return -1; /* neither app nor code: argv says what */
  if (argv[1][0] == '-') return usage_error("unknown option ", argv[1]);
  options->app = argv[1];
  return -1;
}

/* Large strings come and go, a few megabytes between two collections. The C library's own settings
 * give as much back to the system each time, and fetch it again with a fault a page; and what they
 * keep instead after one very large block, they keep for good. */
static void set_heap_limits(void) {
#ifdef __GLIBC__
  mallopt(M_TRIM_THRESHOLD, 3 << 20); /* bytes that may lie free at the end of the heap */
  mallopt(M_MMAP_THRESHOLD, 8 << 20); /* bytes of a block that is given back at once */
#endif
}

int main(int argc, char **argv) {
  set_heap_limits();
  int status = lunette_child_main(argc, argv);
  if (status >= 0) return status;
  LunetteOptions options;
  status = parse(argc, argv, &options);
  if (status >= 0) return status;
  signal(SIGPIPE, SIG_IGN); /* a write to a closed pipe is an error to handle, not the end */
  signal(SIGCHLD, SIG_DFL); /* whoever started us may ignore it: then no exit status is told */
  LunetteHost *host;
  if (lunette_open(&options, &host) == LUNETTE_OK) {
    status = lunette_run(host);
  } else {
    fprintf(stderr, "lunette: %s\n", host ? lunette_error(host) : "not enough memory");
    status = host ? EXIT_USAGE : EXIT_FAILED;
  }
  lunette_close(host);
  return status;
}
