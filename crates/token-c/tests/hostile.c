/* Pointers, lengths, texts and threads that nobody should pass. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "sample.h"

#define HUGE_LEN ((size_t)100 << 20)

static onetoken_status call_len(onetoken_verb verb, const char *request, size_t len) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  onetoken_status status = verb(request, len, &answer);
  checked(status, &answer);
  onetoken_buf_free(&answer);
  return status;
}

static void null_pointers(void) {
  for (size_t at = 0; at < VERB_COUNT; at++) {
    CHECK(call_len(VERBS[at].call, NULL, 0) == ONETOKEN_INVALID_ARGUMENT, "%s", VERBS[at].name);
    CHECK(call_len(VERBS[at].call, NULL, SIZE_MAX) == ONETOKEN_INVALID_ARGUMENT, "%s", VERBS[at].name);
    CHECK(VERBS[at].call("{}", 2, NULL) == ONETOKEN_INVALID_ARGUMENT, "%s", VERBS[at].name);
    CHECK(VERBS[at].call(NULL, 1, NULL) == ONETOKEN_INVALID_ARGUMENT, "%s", VERBS[at].name);
    CHECK(call_len(VERBS[at].call, "", 0) == ONETOKEN_INVALID_ARGUMENT, "%s", VERBS[at].name);
  }
  onetoken_buf_free(NULL);
}

static void buffers(void) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  CHECK(onetoken_verify(SAMPLE_VERIFY, strlen(SAMPLE_VERIFY), &answer) == ONETOKEN_OK, "%s", (char *)answer.data);
  CHECK(strcmp((char *)answer.data, SAMPLE_VERIFIED) == 0, "%s", (char *)answer.data);

  /* A filled buffer is refused, and stays. */
  onetoken_buf kept = answer;
  CHECK(onetoken_verify(SAMPLE_LATE, strlen(SAMPLE_LATE), &answer) == ONETOKEN_INVALID_ARGUMENT, "filled");
  CHECK(memcmp(&kept, &answer, sizeof kept) == 0 && strcmp((char *)answer.data, SAMPLE_VERIFIED) == 0, "changed");

  /* Freed twice; used again; freed with a length that the caller wrote. */
  onetoken_buf_free(&answer);
  onetoken_buf_free(&answer);
  CHECK(answer.data == NULL && answer.len == 0 && answer.capacity == 0, "not emptied");
  CHECK(onetoken_verify(SAMPLE_LATE, strlen(SAMPLE_LATE), &answer) == ONETOKEN_TOKEN_CAVEAT_UNVERIFIED, "again");
  CHECK(strcmp((char *)answer.data, SAMPLE_EXPIRED) == 0, "%s", (char *)answer.data);
  answer.len = SIZE_MAX;
  onetoken_buf_free(&answer);
  CHECK(answer.data == NULL, "not emptied");
}

/* The library reads the request to its end, no further, and never writes to it. */
static void borders(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), len = strlen(SAMPLE_VERIFY);
  char *pages = (char *)mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && len < page, "no memory");
  memcpy(pages + page - len, SAMPLE_VERIFY, len);
  CHECK(mprotect(pages, page, PROT_READ) == 0 && mprotect(pages + page, page, PROT_NONE) == 0, "mprotect");
  CHECK(call_len(onetoken_verify, pages + page - len, len) == ONETOKEN_OK, "at the end of a page");
  for (size_t cut = 0; cut < len; cut++) {
    CHECK(call_len(onetoken_verify, pages + page - len + cut, len - cut) == (cut == 0 ? ONETOKEN_OK : ONETOKEN_INVALID_ARGUMENT),
          "%zu bytes are missing", cut);
  }
  munmap(pages, 2 * page);
}

/* What is too long is refused unread. */
static void lengths(void) {
  char *unreadable = (char *)mmap(NULL, HUGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(unreadable != MAP_FAILED, "no memory");
  const size_t lens[] = {((size_t)4 << 20) + 1, HUGE_LEN, SIZE_MAX / 2, SIZE_MAX / 2 + 2, SIZE_MAX};
  for (size_t at = 0; at < VERB_COUNT; at++) {
    for (size_t it = 0; it < sizeof lens / sizeof lens[0]; it++) {
      CHECK(call_len(VERBS[at].call, unreadable, lens[it]) == ONETOKEN_TOKEN_TOO_LARGE, "%s, %zu", VERBS[at].name, lens[it]);
    }
  }
  munmap(unreadable, HUGE_LEN);

  /* Tokens of many lengths, the last of 100 MB. */
  static const size_t tokens[] = {1000, 65536, 1 << 20, (1 << 20) + 1, 2000000, 4000000, 5000000, HUGE_LEN};
  char *text = (char *)malloc(HUGE_LEN + 100);
  CHECK(text != NULL, "no memory");
  if (text == NULL) return;
  for (size_t at = 0; at < sizeof tokens / sizeof tokens[0]; at++) {
    size_t len = (size_t)sprintf(text, "{\"token\":\"");
    memset(text + len, 'M', tokens[at]);
    len += tokens[at];
    strcpy(text + len, "\",\"secret\":\"s\",\"context\":{\"now\":0}}");
    onetoken_status expected = tokens[at] <= 1 << 20 ? ONETOKEN_BAD_TOKEN : ONETOKEN_TOKEN_TOO_LARGE;
    CHECK(call_len(onetoken_verify, text, strlen(text)) == expected, "%zu", tokens[at]);
  }
  free(text);
}

static void deep(void) {
  static const char *const begins[] = {"[", "{\"token\":", "{\"caveat\":{\"whitelist\":[", "{\"context\":{\"groups\":["};
  for (size_t it = 0; it < sizeof begins / sizeof begins[0]; it++) {
    size_t one = strlen(begins[it]), count = ((size_t)4 << 20) / one;
    char *text = (char *)malloc(one * count);
    if (text == NULL) exit(2);
    for (size_t at = 0; at < count; at++) memcpy(text + at * one, begins[it], one);
    for (size_t at = 0; at < VERB_COUNT; at++) {
      CHECK(call_len(VERBS[at].call, text, one * count) == ONETOKEN_INVALID_ARGUMENT, "%s", VERBS[at].name);
    }
    free(text);
  }
}

static void invalid_utf8(void) {
  static const char *const texts[] = {"\xff", "{\"token\":\"\xff\"}", "{\"token\":\"\xc0\xaf\"}", "{\"token\":\"\xed\xa0\x80\"}",
                                      "{\"token\":\"\\ud800\"}", "{\"\xff\":1}", "{\"text\":\"\xf8\x88\x80\x80\x80\"}"};
  for (size_t it = 0; it < sizeof texts / sizeof texts[0]; it++) {
    for (size_t at = 0; at < VERB_COUNT; at++) {
      CHECK(call_len(VERBS[at].call, texts[it], strlen(texts[it])) == ONETOKEN_INVALID_ARGUMENT, "%s: %zu", VERBS[at].name, it);
    }
  }
  CHECK(call_len(onetoken_inspect, "{\"token\":\"M\0\"}", 14) == ONETOKEN_INVALID_ARGUMENT, "a NUL");
  CHECK(call_len(onetoken_inspect, "{\"token\":\"M\\u0000\"}", 19) == ONETOKEN_BAD_TOKEN, "a NUL in the token");
}

/* Good requests with a byte changed: any answer, but one that is a document. No other token passes. */
static void damaged(int rounds) {
  char request[sizeof SAMPLE_VERIFY];
  unsigned seed = 1;
  for (int round = 0; round < rounds; round++) {
    memcpy(request, SAMPLE_VERIFY, sizeof request);
    seed = seed * 1664525 + 1013904223;
    size_t at = (seed >> 8) % (sizeof request - 1);
    request[at] = (char)(request[at] ^ (1 + (seed >> 3 & 127)));
    onetoken_buf answer = ONETOKEN_BUF_INIT;
    onetoken_status status = onetoken_verify(request, sizeof request - 1, &answer);
    checked(status, &answer);
    size_t token = strlen("{\"token\":\""), signed_from = token + 30;
    if (at >= signed_from && at < token + strlen(SAMPLE_TOKEN)) {
      CHECK(status != ONETOKEN_OK, "accepted with a change at %zu: %s", at, request);
    }
    onetoken_buf_free(&answer);
    if (round % 1000 == 0) json_forget();
  }
}

static int worked;

static void *work(void *rounds) {
  int good = 0, all = *(int *)rounds;
  for (int round = 0; round < all; round++) {
    static const struct {
      onetoken_verb verb;
      const char *request;
      onetoken_status status;
      const char *answer;
    } calls[] = {{onetoken_verify, SAMPLE_VERIFY, ONETOKEN_OK, SAMPLE_VERIFIED},
                 {onetoken_verify, SAMPLE_LATE, ONETOKEN_TOKEN_CAVEAT_UNVERIFIED, SAMPLE_EXPIRED},
                 {onetoken_mint, SAMPLE_MINT, ONETOKEN_OK, SAMPLE_MINTED}};
    int same = 1;
    for (size_t at = 0; at < sizeof calls / sizeof calls[0]; at++) {
      onetoken_buf answer = ONETOKEN_BUF_INIT;
      onetoken_status status = calls[at].verb(calls[at].request, strlen(calls[at].request), &answer);
      same &= status == calls[at].status && strcmp((char *)answer.data, calls[at].answer) == 0;
      onetoken_buf_free(&answer);
    }
    good += same;
  }
  __atomic_add_fetch(&worked, good, __ATOMIC_SEQ_CST);
  return NULL;
}

static void threads(int rounds) {
  pthread_t all[64];
  worked = 0;
  for (int at = 0; at < 64; at++) CHECK(pthread_create(&all[at], NULL, work, &rounds) == 0, "thread %d", at);
  for (int at = 0; at < 64; at++) pthread_join(all[at], NULL);
  CHECK(worked == 64 * rounds, "%d of %d", worked, 64 * rounds);
}

static void *all_of_it(void *nothing) {
  (void)nothing;
  int rounds = 1;
  work(&rounds);
  deep();
  return NULL;
}

/* As little stack as the header promises to need. */
static void small_stack(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, 64 << 10) == 0, "64 KiB");
  CHECK(pthread_create(&thread, &attributes, all_of_it, NULL) == 0, "thread");
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 200;
  CHECK(onetoken_abi_version() == ONETOKEN_ABI_VERSION, "%u", (unsigned)onetoken_abi_version());
  CHECK(strcmp(onetoken_status_name(-1), "unknown") == 0 && strcmp(onetoken_status_name(1000000), "unknown") == 0, "names");
  null_pointers();
  buffers();
  borders();
  lengths();
  deep();
  invalid_utf8();
  damaged(rounds * 100);
  threads(rounds);
  small_stack();
  return report("hostile");
}
