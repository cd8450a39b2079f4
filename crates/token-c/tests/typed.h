/* Requests in JSON once more by structs: both have to give the same. */
#ifndef TYPED_H
#define TYPED_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <time.h>

#include "bytes.h"
#include "check.h"
#include "sample.h"

#define MEMBER(name, kind, member) {name, kind, offsetof(onetoken_verify_request, member)}
static const struct {
  const char *name;
  char kind; /* " (bytes), [ (a list of them), 8 or 4 (a number of as many bytes) */
  size_t at;
} VERIFY_MEMBERS[] = {
    MEMBER("token", '"', token),
    MEMBER("secret", '"', secret),
    MEMBER("rootKey", '"', root_key),
    MEMBER("as", '"', as),
    MEMBER("supported", '[', supported),
    MEMBER("ignored", '[', ignored),
    MEMBER("exact", '[', exact),
    MEMBER("discharges", '[', discharges),
    MEMBER("context.now", '8', now),
    MEMBER("context.ip", '"', ip),
    MEMBER("context.country", '"', country),
    MEMBER("context.regions", '[', regions),
    MEMBER("context.service", '"', service),
    MEMBER("context.consumer", '"', consumer),
    MEMBER("context.groups", '[', groups),
    MEMBER("context.interface", '"', interface),
    MEMBER("context.session", '"', session),
    MEMBER("context.scope", '"', scope),
    MEMBER("context.asn", '4', asn),
    MEMBER("context.allowDataCaveats", '4', allow_data_caveats),
};
#define VERIFY_MEMBER_COUNT (sizeof VERIFY_MEMBERS / sizeof VERIFY_MEMBERS[0])

/* Bytes, or the text of a caveat's document. Returns 0 if they are something else. */
static int fill_bytes(onetoken_slice *slice, const json *value) {
  if (value->kind == '{' && json_text(value, "hex") != NULL) value = hex_bytes(json_get(value, "hex"));
  if (value->kind == '{' && json_text(value, "base64url") != NULL) value = base64(json_text(value, "base64url"));
  if (value->kind == '{') {
    onetoken_status status;
    json *written = call(onetoken_caveat, json_add(json_new('{'), "caveat", value), &status);
    if (status != ONETOKEN_OK) return 0;
    value = json_get(written, "text");
  }
  slice->data = value->text;
  slice->len = value->len;
  return value->kind == '"';
}

static int fill_list(onetoken_slices *slices, const json *value) {
  size_t count = json_count(value), at = 0;
  onetoken_slice *items = (onetoken_slice *)json_alloc((count + 1) * sizeof *items);
  for (const json *item = value->first; item != NULL; item = item->next) {
    if (!fill_bytes(&items[at++], item)) return 0;
  }
  slices->data = items;
  slices->len = count;
  return value->kind == '[';
}

/* Fills in the members of an object. Returns 0 if no struct can say it. */
static int fill(onetoken_verify_request *request, const char *prefix, const json *object) {
  for (const json *it = object->first; it != NULL; it = it->next) {
    char name[64];
    size_t at = 0;
    snprintf(name, sizeof name, "%s%s", prefix, it->name);
    if (strcmp(name, "context") == 0) {
      if (!fill(request, "context.", it)) return 0;
      continue;
    }
    while (at < VERIFY_MEMBER_COUNT && strcmp(VERIFY_MEMBERS[at].name, name) != 0) at++;
    if (at == VERIFY_MEMBER_COUNT) return 0;
    void *member = (char *)request + VERIFY_MEMBERS[at].at;
    uint32_t number = it->kind == '0' ? (uint32_t)atoll(it->text) : it->kind == 't';
    if (it->kind == 'n') continue;
    switch (VERIFY_MEMBERS[at].kind) {
      case '"':
        if (!fill_bytes((onetoken_slice *)member, it)) return 0;
        break;
      case '[':
        if (!fill_list((onetoken_slices *)member, it)) return 0;
        break;
      case '8':
        *(uint64_t *)member = (uint64_t)atoll(it->text);
        break;
      default:
        *(uint32_t *)member = number;
    }
  }
  return 1;
}

static int is_slice(const onetoken_slice *slice, const json *text) {
  if (text == NULL || text->kind == 'n') return slice->data == NULL && slice->len == 0;
  const json *document = slice->data == NULL ? json_new('n') : as_document(json_bytes(slice->data, slice->len));
  return json_equal(document, text) && slice->data[slice->len] == 0;
}

/* Of `usr-u1` and {"type":"user","id":"u1"}. */
static int is_subject(const onetoken_slice *slice, const json *subject) {
  if (subject->kind == 'n') return slice->data == NULL;
  const char *type = json_text(subject, "type"), *id = json_text(subject, "id");
  const char *short_type = strcmp(type, "user") == 0 ? "usr" : strcmp(type, "oneprovider") == 0 ? "prv" : "grp";
  char text[256];
  snprintf(text, sizeof text, "%s-%s", short_type, id == NULL ? "" : id);
  return is_slice(slice, json_string(id == NULL ? "nobody" : text));
}

static int is_type(const onetoken_verified *verified, const json *type) {
  if (type->kind == 'n') return verified->type.data == NULL && verified->session.data == NULL && verified->target.data == NULL;
  const json *access = json_get(type, "accessToken"), *invite = json_get(type, "inviteToken");
  const json *name = json_string(access != NULL ? "access" : "identity"), *target = NULL;
  if (invite != NULL) {
    name = json_get(invite, "inviteType");
    for (const json *it = invite->first; it != NULL; it = it->next) {
      if (strcmp(it->name, "inviteType") != 0 && strcmp(it->name, "parameters") != 0) target = it;
    }
  }
  return is_slice(&verified->type, name) && is_slice(&verified->target, target) &&
         is_slice(&verified->session, access == NULL ? NULL : json_get(access, "sessionId"));
}

/* Of Unix seconds and RFC 3339. */
static int is_time(uint64_t time, const json *text) {
  if (text->kind == 'n') return time == 0;
  if (text->kind == '0') return time == strtoull(text->text, NULL, 10);
  struct tm parts;
  memset(&parts, 0, sizeof parts);
  char end;
  if (sscanf(text->text, "%d-%d-%dT%d:%d:%d%c", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min,
             &parts.tm_sec, &end) != 7 ||
      end != 'Z') {
    return 0;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return time == (uint64_t)timegm(&parts);
}

static int is_answer(const onetoken_verified *verified, const json *answer) {
  const json *caveats = json_get(answer, "caveats"), *caveat = caveats->first;
  if (verified->caveats.data == NULL || verified->caveats.len != json_count(caveats)) return 0;
  for (size_t at = 0; at < verified->caveats.len; at++, caveat = caveat->next) {
    if (!is_slice(&verified->caveats.data[at], caveat)) return 0;
  }
  return is_slice(&verified->identifier, json_get(answer, "identifier")) &&
         is_subject(&verified->subject, json_get(answer, "subject")) && is_type(verified, json_get(answer, "type")) &&
         is_time(verified->expires_at, json_get(answer, "expiresAt"));
}

static int is_zero(const onetoken_verified *verified) {
  onetoken_verified zero;
  memset(&zero, 0, sizeof zero);
  zero.size = sizeof zero;
  return memcmp(verified, &zero, sizeof zero) == 0;
}

/* In a struct the time 0 is absent. */
static const json *not_at_0(const json *request) {
  const json *context = json_get(request, "context"), *now = json_get(context, "now");
  if (now == NULL || strcmp(now->text, "0") != 0) return request;
  json *later = json_add(json_without(context, "now"), "now", json_number(1));
  return json_add(json_without(request, "context"), "context", later);
}

/* Whether a struct can say it; then it has to give what the JSON gives. */
static int verify_agrees(const char *name, const json *original) {
  const json *request = not_at_0(original);
  onetoken_verify_request typed;
  memset(&typed, 0, sizeof typed);
  typed.size = sizeof typed;
  if (!fill(&typed, "", request)) return 0;

  onetoken_status expected, status;
  json *document = call(onetoken_verify, request, &expected);
  onetoken_verified verified;
  memset(&verified, 0xAA, sizeof verified);
  verified.size = sizeof verified;
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  status = onetoken_verify_typed(&typed, &verified, &answer);
  CHECK(status == expected, "%s: %d and %d", name, (int)status, (int)expected);
  if (status == ONETOKEN_OK) {
    CHECK(is_answer(&verified, document), "%s: not %s", name, json_write(document));
  } else {
    CHECK(is_zero(&verified), "%s: not zeroed", name);
    CHECK(json_equal(checked(status, &answer), placeless(document)), "%s: not %s: %s", name, json_write(document),
          (char *)answer.data);
  }
  onetoken_buf_free(&answer);
  return 1;
}

static int confine_agrees(const char *name, const json *request) {
  onetoken_confine_request typed;
  memset(&typed, 0, sizeof typed);
  typed.size = sizeof typed;
  const json *caveats = json_get(request, "caveats");
  if (!fill_bytes(&typed.token, json_get(request, "token"))) return 0;
  if (caveats != NULL && !fill_list(&typed.caveats, caveats)) return 0;

  onetoken_status expected, status;
  json *document = call(onetoken_confine, request, &expected);
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  status = onetoken_confine_typed(&typed, &answer);
  CHECK(status == expected, "%s: %d and %d", name, (int)status, (int)expected);
  if (status == ONETOKEN_OK) {
    const char *token = json_text(document, "token");
    CHECK(strlen(token) == answer.len && strcmp(token, (char *)answer.data) == 0, "%s: %s", name, (char *)answer.data);
  } else {
    CHECK(json_equal(checked(status, &answer), placeless(document)), "%s: not %s: %s", name, json_write(document),
          (char *)answer.data);
  }
  onetoken_buf_free(&answer);
  return 1;
}

#endif
