/* What the test programs share. C99 and C++. */
#ifndef CHECK_H
#define CHECK_H

#include "json.h"
#include "onetoken.h"

typedef onetoken_status (*onetoken_verb)(const char *, size_t, onetoken_buf *);

static const struct {
  const char *name;
  onetoken_verb call;
} VERBS[] = {
    {"inspect", onetoken_inspect}, {"confine", onetoken_confine},     {"caveat", onetoken_caveat},
    {"needs", onetoken_needs},     {"preflight", onetoken_preflight}, {"mint", onetoken_mint},
    {"verify", onetoken_verify},   {"bind", onetoken_bind},           {"seal", onetoken_seal},
    {"open", onetoken_open},       {"version", onetoken_version},
};
#define VERB_COUNT (sizeof VERBS / sizeof VERBS[0])

static int failures;

/* Says what failed, and goes on: CHECK(1 == 1, "%s", name) */
#define CHECK(holds, ...)                                        \
  do {                                                           \
    if (!(holds)) {                                              \
      failures++;                                                \
      fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #holds); \
      fprintf(stderr, __VA_ARGS__);                              \
      fputc('\n', stderr);                                       \
    }                                                            \
  } while (0)

static int report(const char *what) {
  json_forget();
  if (failures == 0) printf("%s: ok\n", what);
  return failures != 0;
}

/* Checks that the document of an error has the word of the status. Returns the document. */
static json *checked(onetoken_status status, const onetoken_buf *answer) {
  CHECK(answer->data != NULL, "a status of %d without a document", (int)status);
  if (answer->data == NULL) return json_new('n');
  CHECK(answer->data[answer->len] == 0 && strlen((const char *)answer->data) == answer->len, "no C string");
  json *document = json_read((const char *)answer->data);
  const char *code = json_text(document, "code");
  if (status != ONETOKEN_OK) {
    CHECK(code != NULL && strcmp(code, onetoken_status_name(status)) == 0, "%d: %s", (int)status, (char *)answer->data);
    CHECK(json_count(document) == 2 && json_get(document, "detail") != NULL, "%s", (char *)answer->data);
  }
  return document;
}

/* Calls a verb with a text. Returns the answer, or the document of the error. */
static json *call_text(onetoken_verb verb, const char *request, onetoken_status *status) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  *status = verb(request, strlen(request), &answer);
  json *document = checked(*status, &answer);
  onetoken_buf_free(&answer);
  CHECK(answer.data == NULL && answer.len == 0 && answer.capacity == 0, "not emptied");
  return document;
}

static json *call(onetoken_verb verb, const json *request, onetoken_status *status) {
  return call_text(verb, json_write(request), status);
}

/* The answer of a call that has to succeed. */
static json *answered(onetoken_verb verb, const json *request) {
  onetoken_status status;
  json *answer = call(verb, request, &status);
  CHECK(status == ONETOKEN_OK, "%s: %s", json_write(request), json_write(answer));
  return answer;
}

/* An error without the place in the request, which depends on how the request is written. */
static json *placeless(const json *error) {
  json *detail = json_without(json_without(json_get(error, "detail"), "line"), "column");
  return json_add(json_without(error, "detail"), "detail", detail);
}

#endif
