/* Runs the table of cases of token-embed: cases DIRECTORY */
#include "typed.h"

static onetoken_verb verb_of(const char *name) {
  for (size_t at = 0; at < VERB_COUNT; at++) {
    if (strcmp(VERBS[at].name, name) == 0) return VERBS[at].call;
  }
  return NULL;
}

static void run_cases(const json *cases) {
  int run = 0, without_function = 0, agreed = 0, unfit = 0;
  for (const json *it = cases->first; it != NULL; it = it->next) {
    onetoken_verb verb = verb_of(json_text(it, "verb"));
    if (verb == NULL) {
      without_function++;
      continue;
    }
    run++;
    const char *raw = json_text(it, "json");
    if (raw == NULL && (verb == onetoken_verify || verb == onetoken_confine)) {
      int fits = (verb == onetoken_verify ? verify_agrees : confine_agrees)(json_text(it, "name"), json_get(it, "request"));
      *(fits ? &agreed : &unfit) += 1;
    }
    const json *error = json_get(it, "error");
    onetoken_status status;
    json *document = call_text(verb, raw != NULL ? raw : json_write(json_get(it, "request")), &status);
    if (status != ONETOKEN_OK && raw == NULL) document = placeless(document);
    CHECK((status == ONETOKEN_OK) == (error == NULL), "%s: %s", json_text(it, "name"), json_write(document));
    CHECK(json_equal(document, error != NULL ? error : json_get(it, "answer")), "%s: %s", json_text(it, "name"),
          json_write(document));
  }
  /* No struct can have an unknown member, nor a document as a caveat. */
  CHECK(agreed >= 37 && unfit == 3, "%d and %d cases by structs", agreed, unfit);
  CHECK(run > 80 && without_function == 1, "%d and %d cases", run, without_function);
}

/* What is sealed opens for its owner, and for no other. */
static void seal_and_open(void) {
  json *keys = json_string("onetoken-keys-v1\n1:0707070707070707070707070707070707070707070707070707070707070707:d4a60bfb\n");
  json *owner = json_read("{\"subject\":\"usr-u1\",\"generation\":1}");
  json *other = json_read("{\"subject\":\"usr-u1\",\"generation\":2}");
  json *key = json_read("{\"hex\":\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}");
  json *seal = json_add(json_add(json_add(json_new('{'), "keys", keys), "owner", owner), "rootKey", key);
  json *sealed = json_get(answered(onetoken_seal, seal), "sealed");

  json *open = json_add(json_add(json_new('{'), "keys", keys), "sealed", sealed);
  json *opened = answered(onetoken_open, json_add(json_copy(open), "owner", owner));
  CHECK(json_equal(json_get(opened, "rootKey"), key), "%s", json_write(opened));
  open = json_add(json_add(json_new('{'), "keys", keys), "sealed", sealed);
  onetoken_status status;
  call(onetoken_open, json_add(open, "owner", other), &status);
  CHECK(status == ONETOKEN_STORE_CORRUPT, "%d", (int)status);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  run_cases(json_load(argv[1], "cases.json"));
  seal_and_open();
  return report("cases");
}
