/* SPDX-License-Identifier: MIT
 * Which executable renderers are started from, when this process's own is somebody else's program.
 */
#include "embed/host.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* FOLDER/REST as a new string, if that can be run; else NULL. `size` is the folder's. */
static char *try_path(const char *folder, size_t size, const char *rest) {
  char *path = NULL;
  if (asprintf(&path, "%.*s/%s", (int)size, folder, rest) < 0) return NULL;
  if (size > 0 && access(path, X_OK) == 0) return path;
  free(path);
  return NULL;
}

/* The folder that a file lies in: its size in the path. */
static size_t folder_size(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) : 0;
}

/* Beside this library, as in the tree it was built in; or in the bin beside its lib, where that may
 * have a folder for the architecture. */
static char *near_library(void) {
  static const char *const places[] = {"lunette", "../lunette", "../bin/lunette",
                                       "../../bin/lunette"};
  Dl_info info;
  char *found = NULL;
  if (dladdr((const void *)&folder_size, &info) == 0 || !info.dli_fname) return NULL;
  size_t size = folder_size(info.dli_fname);
  for (size_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
    found = try_path(info.dli_fname, size, places[i]);
  }
  return found;
}

static char *in_search_path(void) {
  const char *entry = getenv("PATH");
  char *found = NULL;
  while (entry && *entry && !found) {
    size_t size = strcspn(entry, ":");
    if (*entry == '/') found = try_path(entry, size, "lunette");
    entry += size + (entry[size] == ':');
  }
  return found;
}

int helper_find(const LunetteOptions *options, char **path) {
  *path = NULL;
  if (options->executable) {
    *path = strdup(options->executable);
    return *path ? LUNETTE_OK : LUNETTE_NO_MEMORY;
  }
  if (options->flags & (LUNETTE_CALLS_CHILD_MAIN | LUNETTE_STANDALONE)) return LUNETTE_OK;
  *path = near_library();
  if (!*path) *path = in_search_path();
  if (!*path) *path = strdup("lunette"); /* it is not there, as its start will tell */
  return *path ? LUNETTE_OK : LUNETTE_NO_MEMORY;
}
