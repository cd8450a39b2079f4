/* Calls by the million, after which the process is no larger; memory that the system refuses; and what is left in memory
 * that is freed. Needs glibc. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "sample.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

/* The allocations until one fails; less than 0: none does. */
static long until_failure = -1;

static int fails(void) { return until_failure >= 0 && until_failure-- == 0; }

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails() ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return fails() ? NULL : __libc_realloc(old, size); }

/* Memory to look at when it is freed, and how many of its bytes are not zero then; less than 0: it was not freed. */
static const volatile uint8_t *watched;
static size_t watched_len;
static long left = -1;

void free(void *memory) {
  if (memory != NULL && memory == (const void *)watched) {
    left = 0;
    for (size_t at = 0; at < watched_len; at++) left += watched[at] != 0;
    watched = NULL;
  }
  __libc_free(memory);
}

/* Calls by structs, as verbs whose request is the time, or a caveat. */
static onetoken_status verify_typed(const char *now, size_t len, onetoken_buf *answer) {
  (void)len;
  onetoken_verify_request request = sample_request((uint64_t)atol(now));
  onetoken_verified verified;
  memset(&verified, 0, sizeof verified);
  verified.size = sizeof verified;
  onetoken_status status = onetoken_verify_typed(&request, &verified, answer);
  return status != ONETOKEN_OK || is_sample(&verified) ? status : -1;
}

static onetoken_status confine_typed(const char *caveat, size_t len, onetoken_buf *answer) {
  const onetoken_slice caveats = {caveat, len};
  onetoken_confine_request request = {sizeof request, onetoken_text(SAMPLE_TOKEN), {&caveats, 1}};
  return onetoken_confine_typed(&request, answer);
}

static const struct {
  onetoken_verb verb;
  const char *request;
  const char *answer;
} CALLS[] = {{onetoken_verify, SAMPLE_VERIFY, SAMPLE_VERIFIED},   {onetoken_verify, SAMPLE_LATE, SAMPLE_EXPIRED},
             {onetoken_mint, SAMPLE_MINT, SAMPLE_MINTED},         {onetoken_confine, SAMPLE_CONFINE, NULL},
             {onetoken_inspect, SAMPLE_INSPECT, NULL},            {onetoken_inspect, "{\"token\":\"M\"}", NULL},
             {onetoken_needs, SAMPLE_INSPECT, NULL},              {onetoken_caveat, "{\"text\":\"time < 5\"}", NULL},
             {verify_typed, "1000", NULL},                        {verify_typed, "2000", SAMPLE_EXPIRED},
             {confine_typed, "ip = 10.0.0.1", NULL},              {confine_typed, "", NULL},
             {onetoken_version, "{}", NULL},                      {onetoken_verify, "{\"token\":", NULL}};
#define CALL_COUNT (sizeof CALLS / sizeof CALLS[0])

/* Whether the call gives the expected answer, where one is noted. */
static int right(size_t at) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  onetoken_status status = CALLS[at].verb(CALLS[at].request, strlen(CALLS[at].request), &answer);
  int same = answer.data != NULL && status >= 0 && (CALLS[at].answer == NULL || strcmp((char *)answer.data, CALLS[at].answer) == 0);
  onetoken_buf_free(&answer);
  return same;
}

/* The resident memory in bytes. */
static long resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1) exit(2);
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

static void by_the_million(long calls) {
  long before = 0;
  for (long call = 0; call < calls; call++) {
    if (call == calls / 10) before = resident();
    CHECK(right((size_t)call % CALL_COUNT), "call %ld", call);
  }
  long grown = resident() - before;
  printf("%ld calls: %ld bytes more\n", calls, grown);
  CHECK(grown < 256 << 10, "%ld bytes in %ld calls", grown, calls);
}

/* Fails each allocation of a call in turn. The answer is right, or the process ends by abort(): never anything else. */
static void refused(void) {
  for (size_t at = 0; at < CALL_COUNT; at++) {
    long allocations = 0, aborted = 0;
    for (int hit = 1; hit; allocations++) {
      CHECK(allocations < 1000, "no end");
      if (allocations >= 1000) break;
      fflush(NULL);
      pid_t child = fork();
      if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(3);
        until_failure = allocations;
        int same = right(at);
        _exit(!same ? 2 : until_failure < 0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      hit = WIFSIGNALED(status) || WEXITSTATUS(status) == 1;
      if (WIFSIGNALED(status)) {
        CHECK(WTERMSIG(status) == SIGABRT, "call %zu, allocation %ld: signal %d", at, allocations, WTERMSIG(status));
        aborted++;
      } else {
        CHECK(WEXITSTATUS(status) < 2, "call %zu, allocation %ld: %d", at, allocations, WEXITSTATUS(status));
      }
    }
    CHECK(aborted > 0, "call %zu allocates nothing", at);
  }
}

/* An answer of any length is wiped before its memory is freed. */
static void wiped(void) {
  for (int length = 1; length < 200; length++) {
    char request[512];
    sprintf(request, "{\"secret\":\"s\",\"location\":\"%0*d\",\"identifier\":\"i\"}", length, 1);
    onetoken_buf answer = ONETOKEN_BUF_INIT;
    CHECK(onetoken_mint(request, strlen(request), &answer) == ONETOKEN_OK, "%s", (char *)answer.data);
    watched_len = answer.capacity;
    left = -1;
    watched = answer.data;
    onetoken_buf_free(&answer);
    CHECK(left == 0, "%ld bytes of %zu", left, watched_len);
  }
}

int main(int argc, char **argv) {
  long calls = argc > 1 ? atol(argv[1]) : 1000000;
  by_the_million(calls);
  refused();
  wiped();
  return report("memory");
}
