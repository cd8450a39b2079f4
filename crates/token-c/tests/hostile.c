/* Pointers, lengths, texts and threads that nobody should pass. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "typed.h"

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

/* A call by structs. Frees the answer; `verified` is only good to compare with zero then. */
static onetoken_status call_typed(const onetoken_verify_request *request, onetoken_verified *verified) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  onetoken_status status = onetoken_verify_typed(request, verified, &answer);
  if (status != ONETOKEN_OK) checked(status, &answer);
  CHECK(answer.data != NULL && answer.data[answer.len] == 0, "%d", (int)status);
  onetoken_buf_free(&answer);
  return status;
}

static onetoken_status confine_typed(const onetoken_confine_request *request) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  onetoken_status status = onetoken_confine_typed(request, &answer);
  if (status != ONETOKEN_OK) checked(status, &answer);
  onetoken_buf_free(&answer);
  return status;
}

static void structs(void) {
  onetoken_verify_request good = sample_request(1000), request;
  onetoken_confine_request confine = {sizeof confine, good.token, {&good.token, 1}};
  onetoken_verified verified;
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  memset(&verified, 0, sizeof verified);
  verified.size = sizeof verified;
  CHECK(onetoken_verify_typed(&good, &verified, &answer) == ONETOKEN_OK && is_sample(&verified), "%s", (char *)answer.data);

  /* A filled buffer stays, and what is not answered is not there. */
  CHECK(onetoken_verify_typed(&good, &verified, &answer) == ONETOKEN_INVALID_ARGUMENT && is_zero(&verified), "filled");
  CHECK(onetoken_confine_typed(&confine, &answer) == ONETOKEN_INVALID_ARGUMENT, "filled");
  onetoken_buf_free(&answer);
  verified.expires_at = 1;
  CHECK(onetoken_verify_typed(&good, &verified, NULL) == ONETOKEN_INVALID_ARGUMENT && is_zero(&verified), "no buffer");
  CHECK(onetoken_confine_typed(&confine, NULL) == ONETOKEN_INVALID_ARGUMENT, "no buffer");
  CHECK(call_typed(NULL, &verified) == ONETOKEN_INVALID_ARGUMENT, "no request");
  CHECK(call_typed(&good, NULL) == ONETOKEN_INVALID_ARGUMENT, "no place");
  CHECK(confine_typed(NULL) == ONETOKEN_INVALID_ARGUMENT, "no request");
  request = sample_request(2000);
  verified.expires_at = 1;
  CHECK(call_typed(&request, &verified) == ONETOKEN_TOKEN_CAVEAT_UNVERIFIED && is_zero(&verified), "late");

  /* Sizes that no version has, and addresses that no struct has. */
  const size_t sizes[] = {0, 1, sizeof(size_t), sizeof request - 1, sizeof request + 1, sizeof request * 2, SIZE_MAX};
  for (size_t at = 0; at < sizeof sizes / sizeof sizes[0]; at++) {
    request = good;
    request.size = sizes[at];
    CHECK(call_typed(&request, &verified) == ONETOKEN_INVALID_ARGUMENT, "%zu", sizes[at]);
    confine.size = sizes[at];
    CHECK(confine_typed(&confine) == ONETOKEN_INVALID_ARGUMENT, "%zu", sizes[at]);
    onetoken_verified kept = verified;
    kept.size = sizes[at];
    kept.expires_at = 5;
    CHECK(call_typed(&good, &kept) == ONETOKEN_INVALID_ARGUMENT && kept.expires_at == 5, "%zu", sizes[at]);
  }
  confine.size = sizeof confine;
  char moved[sizeof request + 1];
  memcpy(moved + 1, &good, sizeof good);
  CHECK(call_typed((onetoken_verify_request *)(void *)(moved + 1), &verified) == ONETOKEN_INVALID_ARGUMENT, "not aligned");
  confine.caveats.data = (onetoken_slice *)(void *)(moved + 1);
  CHECK(confine_typed(&confine) == ONETOKEN_INVALID_ARGUMENT, "not aligned");

  /* All but the size is zero. */
  memset(&request, 0, sizeof request);
  request.size = sizeof request;
  CHECK(call_typed(&request, &verified) == ONETOKEN_INVALID_ARGUMENT, "nothing");
  memset(&confine, 0, sizeof confine);
  confine.size = sizeof confine;
  CHECK(confine_typed(&confine) == ONETOKEN_INVALID_ARGUMENT, "nothing");
  request = good;
  request.now = 0;
  CHECK(call_typed(&request, &verified) == ONETOKEN_INVALID_ARGUMENT, "no time");
}

/* Each member of the structs in turn, with what nobody should pass. */
static void members(void) {
  onetoken_verified verified;
  memset(&verified, 0, sizeof verified);
  verified.size = sizeof verified;
  char *unreadable = (char *)mmap(NULL, HUGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(unreadable != MAP_FAILED, "no memory");
  const size_t lens[] = {((size_t)4 << 20) + 1, HUGE_LEN, SIZE_MAX / 16, SIZE_MAX / 16 + 2, SIZE_MAX / 2 + 2, SIZE_MAX};
  for (size_t at = 0; at < VERIFY_MEMBER_COUNT; at++) {
    onetoken_verify_request request = sample_request(1000);
    const char *name = VERIFY_MEMBERS[at].name;
    void *member = (char *)&request + VERIFY_MEMBERS[at].at;
    onetoken_slice *bytes = (onetoken_slice *)member;
    if (VERIFY_MEMBERS[at].kind == '[') {
      onetoken_slice items[2] = {{"\xff", 1}, {NULL, 0}};
      onetoken_slices *list = (onetoken_slices *)member;
      list->data = items;
      list->len = 1;
      onetoken_status status = call_typed(&request, &verified);
      int is_bytes = strcmp(name, "exact") == 0;
      CHECK(status == (is_bytes ? ONETOKEN_OK : ONETOKEN_INVALID_ARGUMENT), "%s: %d", name, (int)status);
      list->len = 2;
      CHECK(call_typed(&request, &verified) == ONETOKEN_INVALID_ARGUMENT, "%s: NULL in a list", name);
      items[1].len = 5;
      CHECK(call_typed(&request, &verified) == ONETOKEN_INVALID_ARGUMENT, "%s: NULL with a length in a list", name);
      items[1].data = unreadable;
      items[1].len = SIZE_MAX;
      CHECK(call_typed(&request, &verified) == ONETOKEN_TOKEN_TOO_LARGE, "%s: too long in a list", name);
      items[1].len = (size_t)4 << 20;
      CHECK(call_typed(&request, &verified) == ONETOKEN_TOKEN_TOO_LARGE, "%s: too long together", name);
    } else if (VERIFY_MEMBERS[at].kind == '"') {
      bytes->data = "\xff\xfe";
      bytes->len = 2;
      onetoken_status status = call_typed(&request, &verified);
      int is_bytes = strcmp(name, "secret") == 0;
      CHECK(status == (is_bytes ? ONETOKEN_TOKEN_INVALID : ONETOKEN_INVALID_ARGUMENT), "%s: %d", name, (int)status);
    } else {
      continue;
    }
    bytes->data = NULL;
    bytes->len = 5;
    CHECK(call_typed(&request, &verified) == ONETOKEN_INVALID_ARGUMENT, "%s: NULL with a length", name);
    bytes->data = unreadable;
    for (size_t it = 0; it < sizeof lens / sizeof lens[0]; it++) {
      bytes->len = lens[it];
      CHECK(call_typed(&request, &verified) == ONETOKEN_TOKEN_TOO_LARGE, "%s: %zu", name, lens[it]);
    }
  }
  munmap(unreadable, HUGE_LEN);

  /* 2 MB and 100 MB of token; a million items. */
  char *text = (char *)malloc(HUGE_LEN);
  onetoken_slice *items = (onetoken_slice *)malloc(1000000 * sizeof *items);
  CHECK(text != NULL && items != NULL, "no memory");
  if (text == NULL || items == NULL) return;
  memset(text, 'M', HUGE_LEN);
  onetoken_verify_request request = sample_request(1000);
  request.token.data = text;
  const size_t tokens[] = {1 << 20, 2000000, HUGE_LEN};
  for (size_t at = 0; at < 3; at++) {
    request.token.len = tokens[at];
    CHECK(call_typed(&request, &verified) == (at == 0 ? ONETOKEN_BAD_TOKEN : ONETOKEN_TOKEN_TOO_LARGE), "%zu", tokens[at]);
  }
  for (size_t at = 0; at < 1000000; at++) items[at] = onetoken_text("g");
  request = sample_request(1000);
  request.groups.data = items;
  request.groups.len = 1000000;
  CHECK(call_typed(&request, &verified) == ONETOKEN_TOKEN_TOO_LARGE, "a million groups");
  request.groups.len = 200000;
  CHECK(call_typed(&request, &verified) == ONETOKEN_OK, "many groups");
  onetoken_confine_request confine = {sizeof confine, request.token, {items, 200000}};
  CHECK(confine_typed(&confine) == ONETOKEN_TOKEN_TOO_LARGE, "many caveats");
  free(items);
  free(text);
}

/* Answers of every length: the list of caveats is aligned, and nothing lies beyond the memory. */
static void answers(void) {
  char caveat[64] = "", token[8192];
  snprintf(token, sizeof token, "%s", SAMPLE_TOKEN);
  for (size_t count = 1; count < 40; count++) {
    onetoken_verify_request request = sample_request(1000);
    onetoken_slice any = {"time < 2000", 11}, exact[40];
    char texts[40][64];
    exact[0] = any;
    for (size_t at = 1; at < count; at++) {
      snprintf(texts[at], sizeof texts[at], "%.*s", (int)at, "x = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
      exact[at] = onetoken_text(texts[at]);
    }
    request.token = onetoken_text(token);
    request.exact.data = exact;
    request.exact.len = count;
    onetoken_verified verified;
    onetoken_buf answer = ONETOKEN_BUF_INIT;
    memset(&verified, 0, sizeof verified);
    verified.size = sizeof verified;
    CHECK(onetoken_verify_typed(&request, &verified, &answer) == ONETOKEN_OK, "%zu: %s", count, (char *)answer.data);
    CHECK(verified.caveats.len == count && (uintptr_t)verified.caveats.data % sizeof(void *) == 0, "%zu", count);
    for (size_t at = 0; at < verified.caveats.len; at++) {
      const onetoken_slice *it = &verified.caveats.data[at];
      CHECK(it->len == exact[at].len && memcmp(it->data, exact[at].data, it->len + 1) == 0, "%zu of %zu", at, count);
      CHECK((uint8_t *)it->data >= answer.data && (uint8_t *)it->data + it->len < answer.data + answer.len, "%zu", at);
    }
    CHECK((uint8_t *)(verified.caveats.data + count) == answer.data + answer.len, "%zu", count);
    onetoken_buf_free(&answer);

    snprintf(caveat, sizeof caveat, "%.*s", (int)count, "x = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    onetoken_slice more = onetoken_text(caveat);
    onetoken_confine_request confine = {sizeof confine, request.token, {&more, 1}};
    CHECK(onetoken_confine_typed(&confine, &answer) == ONETOKEN_OK, "%zu: %s", count, (char *)answer.data);
    snprintf(token, sizeof token, "%s", (char *)answer.data);
    onetoken_buf_free(&answer);
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
    onetoken_verify_request request = sample_request(1000);
    onetoken_verified verified;
    onetoken_buf answer = ONETOKEN_BUF_INIT;
    memset(&verified, 0, sizeof verified);
    verified.size = sizeof verified;
    same &= onetoken_verify_typed(&request, &verified, &answer) == ONETOKEN_OK && is_sample(&verified);
    onetoken_buf_free(&answer);
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
  structs();
  members();
  answers();
  damaged(rounds * 100);
  threads(rounds);
  small_stack();
  return report("hostile");
}
