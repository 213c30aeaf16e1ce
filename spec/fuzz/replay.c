/* SPDX-License-Identifier: MIT
 * The main of a fuzz target in `make test`: runs it once with each file of its corpus, and with all
 * that such a file begins with. */
#include "fuzz.h"

#include "host/file.h"

#include <dirent.h>
#include <string.h>

enum { PREFIXES = 64 }; /* of each file; all of a small one */

/* Every input in memory of its very size, so that reading too far is noticed. */
static void run(const uint8_t *bytes, size_t size) {
  uint8_t *copy = malloc(size > 0 ? size : 1);
  REQUIRE(copy);
  if (size > 0) memcpy(copy, bytes, size);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
}

static int replay(const char *path) {
  Buf buf = {0};
  REQUIRE(file_read(path, 1 << 20, &buf) == 0);
  size_t size = buf_size(&buf), step = size / PREFIXES + 1;
  int inputs = 0;
  for (size_t part = 0; part < size; part += step, inputs++) run(buf_front(&buf), part);
  run(buf_front(&buf), size);
  buf_clear(&buf);
  return inputs + 1;
}

int main(int argc, char **argv) {
  (void)argc;
  const char *slash = strrchr(argv[0], '/');
  char folder[256], path[600];
  snprintf(folder, sizeof folder, "spec/fuzz/corpus/%s", slash ? slash + 1 : argv[0]);
  DIR *files = opendir(folder);
  REQUIRE(files);
  int inputs = 0;
  for (struct dirent *entry; (entry = readdir(files));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    inputs += replay(path);
  }
  closedir(files);
  printf("%d inputs\n", inputs);
  return inputs > 0 ? 0 : 1;
}
