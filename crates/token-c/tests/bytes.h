/* Bytes in documents, base64 and hex. */
#ifndef BYTES_H
#define BYTES_H

#include "json.h"

static json *object(void) { return json_new('{'); }

static int digit(const char *alphabet, char it) {
  const char *found = it == 0 ? NULL : strchr(alphabet, it);
  return found == NULL ? -1 : (int)(found - alphabet);
}

/* Decodes base64 of either alphabet. */
static json *base64(const char *text) {
  const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *bytes = (char *)json_alloc(strlen(text) + 1);
  size_t len = 0;
  unsigned bits = 0;
  for (int have = 0; *text != 0 && *text != '='; text++) {
    bits = bits << 6 | (unsigned)digit(alphabet, *text == '-' ? '+' : *text == '_' ? '/' : *text);
    if ((have += 6) >= 8) bytes[len++] = (char)(bits >> (have -= 8) & 255);
  }
  return json_bytes(bytes, len);
}

static int is_utf8(const unsigned char *at, size_t len) {
  const unsigned char *end = at + len;
  while (at < end) {
    int more = *at < 0x80 ? 0 : *at >= 0xC2 && *at < 0xE0 ? 1 : *at >= 0xE0 && *at < 0xF0 ? 2 : *at >= 0xF0 && *at < 0xF5 ? 3 : -1;
    if (more < 0 || at + more >= end) return 0;
    for (at++; more > 0; more--, at++) {
      if ((*at & 0xC0) != 0x80) return 0;
    }
  }
  return 1;
}

/* Bytes as a request and an answer have them: text, or base64url where they are no UTF-8. */
static json *as_document(const json *bytes) {
  if (is_utf8((const unsigned char *)bytes->text, bytes->len)) return json_bytes(bytes->text, bytes->len);
  const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  char *text = (char *)json_alloc(bytes->len * 2 + 4);
  size_t len = 0;
  for (size_t at = 0; at < bytes->len; at += 3) {
    unsigned bits = 0;
    for (size_t it = 0; it < 3; it++) bits = bits << 8 | (at + it < bytes->len ? (unsigned char)bytes->text[at + it] : 0);
    size_t digits = bytes->len - at >= 3 ? 4 : bytes->len - at + 1;
    for (size_t it = 0; it < digits; it++) text[len++] = alphabet[bits >> (18 - 6 * it) & 63];
  }
  return json_add(object(), "base64url", json_bytes(text, len));
}

static json *hex_bytes(const json *text) {
  char *bytes = (char *)json_alloc(text->len / 2 + 1);
  for (size_t at = 0; at + 1 < text->len; at += 2) {
    bytes[at / 2] = (char)(digit("0123456789abcdef", text->text[at]) << 4 | digit("0123456789abcdef", text->text[at + 1]));
  }
  return json_bytes(bytes, text->len / 2);
}

#endif
