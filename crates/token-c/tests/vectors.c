/* Runs the shared vectors through the library: vectors DIRECTORY */
#include "typed.h"

static const json *either(const json *object, const char *name, const char *other) {
  const json *found = json_get(object, name);
  return found != NULL ? found : json_get(object, other);
}

/* Tokens of Onedata: minted byte for byte, and inspected. */
static void golden(const json *tokens, int expected) {
  static const char *const encodings[] = {"base62", "base64url"};
  int count = 0;
  for (const json *it = tokens->first; it != NULL; it = it->next) {
    const char *name = json_text(it, "name");
    const json *secret = json_get(it, "secret"), *identifier = json_get(it, "identifier"), *caveats = json_get(it, "caveats");
    json *key = secret != NULL ? json_copy(secret) : json_add(object(), "hex", json_get(it, "secret_hex"));
    for (int at = 0; at < 2; at++) {
      const json *text = json_get(it, at == 0 ? "serialized_base62" : "serialized_base64url");
      json *request = json_add(json_add(object(), "secret", key), "location", either(it, "onezone_domain", "location"));
      json_add(json_add(request, "identifier", identifier), "caveats", caveats);
      json_add(request, "encoding", json_string(encodings[at]));
      CHECK(json_equal(json_get(answered(onetoken_mint, request), "token"), text), "%s", name);

      request = json_add(json_add(object(), "token", text), "signature", json_new('t'));
      json *inspected = answered(onetoken_inspect, request);
      CHECK(json_equal(json_get(inspected, "encoding"), json_string(encodings[at])), "%s", name);
      CHECK(json_equal(json_get(inspected, "identifier"), identifier), "%s", name);
      CHECK(json_equal(json_get(inspected, "signature"), json_get(it, "signature_hex")), "%s", name);
      CHECK(json_count(json_get(inspected, "caveats")) == json_count(caveats), "%s", name);
      const json *caveat = caveats->first;
      for (json *shown = json_get(inspected, "caveats")->first; shown != NULL && caveat != NULL; shown = shown->next) {
        CHECK(json_equal(json_get(shown, "text"), caveat), "%s", name);
        caveat = caveat->next;
      }
      count++;
    }
  }
  CHECK(count == expected, "%d texts", count);
}

/* Macaroons of every format, good and bad, and the verdict on those with a key. */
static void macaroons(const json *vectors) {
  int judged = 0, damaged = 0;
  for (const json *it = vectors->first; it != NULL; it = it->next) {
    const char *name = json_text(it, "name");
    const json *text = json_get(it, "serialized"), *verify = json_get(it, "verify"), *key = json_get(it, "key");
    if (text == NULL || text->kind != '"' || text->len == 0) continue;
    onetoken_status status;
    json *inspected = call(onetoken_inspect, json_add(object(), "token", text), &status);
    CHECK((status == ONETOKEN_OK) == (json_get(it, "valid_parse")->kind == 't'), "%s", name);
    if (status != ONETOKEN_OK) {
      const json *detail = json_get(inspected, "detail");
      CHECK(status == ONETOKEN_BAD_TOKEN, "%s: %d", name, (int)status);
      CHECK(json_text(detail, "stage") != NULL && json_get(detail, "offset") != NULL, "%s", name);
      damaged++;
      continue;
    }
    const json *identifier = json_get(it, "identifier");
    if (identifier == NULL || identifier->kind != '"') identifier = hex_bytes(json_get(it, "identifier_hex"));
    CHECK(json_equal(json_get(inspected, "identifier"), as_document(identifier)), "%s", name);
    /* No verb accepts an empty secret. */
    if (verify == NULL || verify->kind != '{' || key == NULL || key->kind != '"' || key->len == 0) continue;
    json *request = json_add(json_add(object(), "token", text), "context", json_read("{\"now\":1400000000}"));
    json_add(json_add(request, "exact", json_get(verify, "exact")), "discharges", json_get(it, "discharges"));
    const json *raw = json_get(it, "key_is_raw_32_bytes");
    json_add(request, raw != NULL && raw->kind == 't' ? "rootKey" : "secret", as_document(key));
    json *answer = call(onetoken_verify, request, &status);
    CHECK((status == ONETOKEN_OK) == (strcmp(json_text(verify, "expect"), "ok") == 0), "%s: %s", name, json_write(answer));
    CHECK(verify_agrees(name, request), "%s does not fit", name);
    judged++;
  }
  CHECK(judged > 70 && damaged > 60, "%d and %d", judged, damaged);
}

/* The samples of the API documents: all but one are damaged, at a place. */
static void samples(const json *documents) {
  int good = 0;
  for (const json *it = documents->first; it != NULL; it = it->next) {
    onetoken_status status;
    json *answer = call(onetoken_inspect, json_add(object(), "token", json_get(it, "text")), &status);
    if (status == ONETOKEN_OK) {
      CHECK(json_get(it, "packets") != NULL, "%s", json_text(it, "id"));
      good++;
    } else {
      const json *detail = json_get(answer, "detail");
      CHECK(json_get(it, "why") != NULL, "%s", json_text(it, "id"));
      CHECK(json_text(detail, "stage") != NULL && json_get(detail, "offset") != NULL && json_text(detail, "unit") != NULL,
            "%s", json_write(answer));
    }
  }
  CHECK(good == 1, "%d", good);
}

/* Texts of caveats, and what Onedata made of each. docs/spec/deviations.md lists seven that differ. */
static void caveats(const json *cases) {
  int count = 0, deviations = 0;
  for (const json *it = cases->first; it != NULL; it = it->next) {
    json *text = as_document(base64(json_text(it, "text")));
    json *answer = answered(onetoken_caveat, json_add(object(), "text", text));
    json *expected = object();
    if (json_get(it, "reads")->kind == 't') {
      const char *writes = json_text(it, "writes");
      json_add(expected, "text", writes == NULL ? json_new('n') : as_document(base64(writes)));
      json_add(expected, "caveat", json_get(it, "json") == NULL ? json_new('n') : json_get(it, "json"));
    } else {
      json_add(json_add(expected, "text", text), "caveat", json_new('n'));
    }
    count++;
    deviations += !json_equal(answer, expected);
    json *request = json_add(object(), "token", json_string(SAMPLE_TOKEN));
    json_add(request, "caveats", json_add(json_new('['), NULL, text));
    CHECK(confine_agrees(json_text(it, "text"), request), "%s does not fit", json_text(it, "text"));
  }
  CHECK(count == 142 && deviations == 7, "%d caveats, %d differ", count, deviations);
}

/* Tokens, and Onedata's verdict on each. */
static void verdicts(const json *lines) {
  int count = 0, forged = 0;
  for (const json *it = lines->first; it != NULL; it = it->next) {
    json *context = json_without(json_get(it, "ctx"), "data_caveats_allowed");
    json_add(context, "allowDataCaveats", json_get(json_get(it, "ctx"), "data_caveats_allowed"));
    json *inspected = answered(onetoken_inspect, json_add(object(), "token", json_get(it, "token")));
    const char *type = json_get(json_get(inspected, "token"), "type")->first->name;
    json *request = json_add(json_add(object(), "token", json_get(it, "token")), "secret", json_get(it, "secret"));
    json_add(json_add(request, "context", context), "as", json_bytes(type, strlen(type) - strlen("Token")));

    onetoken_status status;
    json *answer = call(onetoken_verify, request, &status), *verdict = object();
    if (status == ONETOKEN_OK) {
      const json *access = json_get(json_get(answer, "type"), "accessToken");
      const json *session = access == NULL ? NULL : json_get(access, "sessionId");
      json_add(json_add(verdict, "ok", json_new('t')), "session", session == NULL ? json_new('n') : session);
    } else if (status == ONETOKEN_TOKEN_CAVEAT_UNVERIFIED) {
      json_add(verdict, "unverified", json_get(json_get(answer, "detail"), "caveat"));
    } else {
      json_add(verdict, "error", json_get(answer, "code"));
    }
    const json *expected = json_get(it, "verdict");
    /* Onedata judges caveats before the signature. Nothing is said of a forged token here. */
    if (!json_equal(json_get(it, "secret"), json_get(it, "minted_with")) && json_get(expected, "unverified") != NULL) {
      expected = json_read("{\"error\":\"token_invalid\"}");
      forged++;
    }
    CHECK(json_equal(verdict, expected), "%s: %s", json_text(it, "token"), json_write(verdict));
    CHECK(verify_agrees(json_text(it, "token"), request), "%s does not fit", json_text(it, "token"));
    count++;
  }
  CHECK(count == 640 && forged == 64, "%d verdicts, %d of forged tokens", count, forged);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  golden(json_load(argv[1], "onedata.json"), 22);
  golden(json_load(argv[1], "onedata-legacy.json"), 16);
  macaroons(json_load(argv[1], "macaroons.json"));
  samples(json_load(argv[1], "api-documents.json"));
  caveats(json_load(argv[1], "ctool-caveats.jsonl"));
  verdicts(json_load(argv[1], "ctool-verdicts.jsonl"));
  return report("vectors");
}
