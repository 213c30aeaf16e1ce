/* SPDX-License-Identifier: MIT
 * The environment changes under the eyes of those who read it. */
#include "host.h"

#include "host/environment.h"

#include <pthread.h>
#include <unistd.h>

static Environment kept;

static bool has(const char *name, const char *value) {
  const char *found = getenv(name);
  return value ? found && strcmp(found, value) == 0 : !found;
}

static void test_values(void) {
  CHECK(environment_set(&kept, "LUNETTE_A", "1") == 0 && has("LUNETTE_A", "1"));
  CHECK(environment_set(&kept, "LUNETTE_AB", "2") == 0 && has("LUNETTE_A", "1"));
  CHECK(environment_set(&kept, "LUNETTE_A", "") == 0 && has("LUNETTE_A", ""));
  CHECK(environment_set(&kept, "LUNETTE_", NULL) == 0 && has("LUNETTE_AB", "2"));
  CHECK(environment_set(&kept, "LUNETTE_A", NULL) == 0 && has("LUNETTE_A", NULL));
  CHECK(has("LUNETTE_AB", "2"));
  setenv("LUNETTE_A", "by the C library", 1); /* another program's part may use that */
  CHECK(environment_set(&kept, "LUNETTE_C", "3") == 0 && has("LUNETTE_C", "3"));
  CHECK(has("LUNETTE_A", "by the C library") && has("LUNETTE_AB", "2"));
  CHECK(environment_set(&kept, "LUNETTE_A", "4") == 0 && has("LUNETTE_A", "4"));
  unsetenv("LUNETTE_AB");
  CHECK(environment_set(&kept, "LUNETTE_AB", "5") == 0 && has("LUNETTE_AB", "5"));
  CHECK(has("HOME", getenv("HOME")));
}

static void set_number(int number) {
  char name[32];
  snprintf(name, sizeof name, "LUNETTE_%d", number);
  CHECK(environment_set(&kept, name, "x") == 0);
}

/* What somebody may be reading stays: see the address sanitizer. */
static void test_old_lists(void) {
  set_number(0);
  char **list = environ;
  size_t count = 0;
  while (list[count]) count++;
  char *last = list[count - 1];
  for (int i = 1; i < 2000; i++) set_number(i);
  CHECK(environment_set(&kept, "LUNETTE_0", "changed") == 0);
  CHECK(environment_set(&kept, "LUNETTE_0", NULL) == 0);
  CHECK(list != environ && strcmp(last, "LUNETTE_0=x") == 0);
  for (size_t i = 0; i + 1 < count; i++) CHECK(strchr(list[i], '='));
}

/* What stands there all the time is found all the time. */
static void *read_on(void *data) {
  bool *goes_on = data;
  long missed = 0;
  while (__atomic_load_n(goes_on, __ATOMIC_RELAXED)) missed += !has("LUNETTE_STAYS", "here");
  CHECK(missed == 0);
  return NULL;
}

static void test_reader(void) {
  pthread_t reader;
  bool goes_on = true;
  environment_set(&kept, "LUNETTE_STAYS", "here");
  pthread_create(&reader, NULL, read_on, &goes_on);
  for (int i = 0; i < 3000; i++) {
    set_number(i % 500);
    if (i % 10 == 0) environment_set(&kept, "LUNETTE_7", NULL);
  }
  __atomic_store_n(&goes_on, false, __ATOMIC_RELAXED);
  pthread_join(reader, NULL);
}

static void test(void) {
  test_values();
  test_old_lists();
  test_reader();
}

int main(void) { return run_test(test); }
