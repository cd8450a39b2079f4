/* A panic inside the library ends at its border. Needs a library with the feature test-panic. */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "sample.h"

extern onetoken_status onetoken_test_panic(const char *request, size_t len, onetoken_buf *answer);

static void panics(void) {
  static const char secret[] = "hunter2-hunter2";
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  onetoken_status status = onetoken_test_panic(secret, strlen(secret), &answer);
  CHECK(status == ONETOKEN_PANIC && status == 99, "%d", (int)status);
  CHECK(strcmp((char *)answer.data, "{\"code\":\"panic\",\"detail\":{}}") == 0, "%s", (char *)answer.data);
  onetoken_buf_free(&answer);
  CHECK(onetoken_verify(SAMPLE_VERIFY, strlen(SAMPLE_VERIFY), &answer) == ONETOKEN_OK, "%s", (char *)answer.data);
  onetoken_buf_free(&answer);
}

static void *often(void *nothing) {
  for (int round = 0; round < 20; round++) panics();
  return nothing;
}

int main(void) {
  /* What it says of a panic: one line with the place, and nothing of the request. */
  int ends[2], kept = dup(2);
  if (kept < 0 || pipe(ends) != 0 || dup2(ends[1], 2) < 0) return 2;
  panics();
  dup2(kept, 2);
  close(ends[1]);
  char said[4096] = {0};
  CHECK(read(ends[0], said, sizeof said - 1) > 0, "nothing was said");
  CHECK(strstr(said, "onetoken: panic at ") == said && strchr(said, '\n') == said + strlen(said) - 1, "%s", said);
  CHECK(strstr(said, "hunter2") == NULL, "%s", said);

  /* With nowhere to say it, and in many threads. */
  close(2);
  pthread_t all[64];
  for (int at = 0; at < 64; at++) CHECK(pthread_create(&all[at], NULL, often, NULL) == 0, "thread %d", at);
  for (int at = 0; at < 64; at++) pthread_join(all[at], NULL);
  dup2(kept, 2);
  return report("panic");
}
