/* JSON for the tests: read, build, compare, write. Everything lives until json_forget(). C99 and C++. */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct json json;
struct json {
  char kind;          /* n, t, f, 0 (a number), " or [ or { */
  const char *text;   /* of a string, unescaped, or of a number; a NUL follows */
  size_t len;         /* of the text */
  json *first, *last; /* items, or members */
  json *next;
  const char *name; /* of a member */
};

static struct json_block {
  struct json_block *next;
} *json_blocks;

static void *json_alloc(size_t size) {
  struct json_block *block = (struct json_block *)calloc(1, sizeof *block + size);
  if (block == NULL) abort();
  block->next = json_blocks;
  json_blocks = block;
  return block + 1;
}

static void json_forget(void) {
  while (json_blocks != NULL) {
    struct json_block *next = json_blocks->next;
    free(json_blocks);
    json_blocks = next;
  }
}

static json *json_new(char kind) {
  json *value = (json *)json_alloc(sizeof *value);
  value->kind = kind;
  return value;
}

static json *json_bytes(const void *text, size_t len) {
  json *value = json_new('"');
  char *copy = (char *)json_alloc(len + 1);
  memcpy(copy, text, len);
  value->text = copy;
  value->len = len;
  return value;
}

static json *json_string(const char *text) { return json_bytes(text, strlen(text)); }

static json *json_number(long long number) {
  char text[24];
  sprintf(text, "%lld", number);
  json *value = json_string(text);
  value->kind = '0';
  return value;
}

/* A copy that can have another name and other siblings. */
static json *json_copy(const json *value) {
  json *copy = json_new(value->kind);
  *copy = *value;
  copy->next = NULL;
  copy->name = NULL;
  return copy;
}

/* Appends an item, or a member if there is a name. Returns the whole. */
static json *json_add(json *whole, const char *name, const json *part) {
  json *copy = json_copy(part);
  copy->name = name == NULL ? NULL : json_string(name)->text;
  if (whole->last == NULL) {
    whole->first = copy;
  } else {
    whole->last->next = copy;
  }
  whole->last = copy;
  return whole;
}

static json *json_get(const json *object, const char *name) {
  json *member = object->kind == '{' ? object->first : NULL;
  while (member != NULL && strcmp(member->name, name) != 0) member = member->next;
  return member;
}

static const char *json_text(const json *object, const char *name) {
  json *member = json_get(object, name);
  return member == NULL || member->kind != '"' ? NULL : member->text;
}

/* The object without a member. */
static json *json_without(const json *object, const char *name) {
  json *rest = json_new('{');
  for (json *member = object->first; member != NULL; member = member->next) {
    if (strcmp(member->name, name) != 0) json_add(rest, member->name, member);
  }
  return rest;
}

static size_t json_count(const json *whole) {
  size_t count = 0;
  for (json *part = whole->first; part != NULL; part = part->next) count++;
  return count;
}

/* Whether two values are equal, members in any order and numbers as written. */
static int json_equal(const json *a, const json *b) {
  if (a == NULL || b == NULL || a->kind != b->kind) return a == b;
  switch (a->kind) {
    case '"':
    case '0':
      return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    case '[':
      for (a = a->first, b = b->first; a != NULL && b != NULL; a = a->next, b = b->next) {
        if (!json_equal(a, b)) return 0;
      }
      return a == b;
    case '{':
      if (json_count(a) != json_count(b)) return 0;
      for (json *member = a->first; member != NULL; member = member->next) {
        if (!json_equal(member, json_get(b, member->name))) return 0;
      }
      return 1;
    default:
      return 1;
  }
}

/* Whether the value has what is expected: objects may have further members. */
static int json_has(const json *value, const json *expected) {
  if (value == NULL || value->kind != expected->kind) return 0;
  if (value->kind == '{') {
    for (json *member = expected->first; member != NULL; member = member->next) {
      if (!json_has(json_get(value, member->name), member)) return 0;
    }
    return 1;
  }
  if (value->kind == '[') {
    json *a = value->first, *b = expected->first;
    for (; a != NULL && b != NULL; a = a->next, b = b->next) {
      if (!json_has(a, b)) return 0;
    }
    return a == b;
  }
  return json_equal(value, expected);
}

static void json_fail(const char *what, const char *at) {
  fprintf(stderr, "not JSON: %s at %.40s\n", what, at);
  exit(2);
}

static const char *json_space(const char *at) {
  while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') at++;
  return at;
}

static size_t json_utf8(char *to, unsigned code) {
  if (code < 0x80) return to[0] = (char)code, 1;
  if (code < 0x800) return to[0] = (char)(0xC0 | code >> 6), to[1] = (char)(0x80 | (code & 63)), 2;
  if (code < 0x10000) {
    to[0] = (char)(0xE0 | code >> 12), to[1] = (char)(0x80 | (code >> 6 & 63)), to[2] = (char)(0x80 | (code & 63));
    return 3;
  }
  to[0] = (char)(0xF0 | code >> 18), to[1] = (char)(0x80 | (code >> 12 & 63));
  to[2] = (char)(0x80 | (code >> 6 & 63)), to[3] = (char)(0x80 | (code & 63));
  return 4;
}

static unsigned json_hex4(const char *at) {
  char digits[5] = {0};
  memcpy(digits, at, 4);
  return (unsigned)strtoul(digits, NULL, 16);
}

static json *json_read_string(const char **from) {
  const char *at = *from + 1, *end = at;
  while (*end != '"') {
    if (*end == 0) json_fail("a string without an end", *from);
    end += *end == '\\' ? 2 : 1;
  }
  json *value = json_new('"');
  char *text = (char *)json_alloc((size_t)(end - at) + 1), *to = text;
  while (at < end) {
    if (*at != '\\') {
      *to++ = *at++;
      continue;
    }
    const char *plain = "\"\\/bfnrt", *found = strchr(plain, at[1]);
    if (found != NULL) {
      *to++ = "\"\\/\b\f\n\r\t"[found - plain];
      at += 2;
    } else {
      unsigned code = json_hex4(at + 2);
      at += 6;
      if (code >= 0xD800 && code < 0xDC00) {
        code = 0x10000 + ((code - 0xD800) << 10) + (json_hex4(at + 2) - 0xDC00);
        at += 6;
      }
      to += json_utf8(to, code);
    }
  }
  value->text = text;
  value->len = (size_t)(to - text);
  *from = end + 1;
  return value;
}

static json *json_read_at(const char **from) {
  const char *at = json_space(*from);
  json *value;
  if (*at == '{' || *at == '[') {
    char end = *at == '{' ? '}' : ']';
    value = json_new(*at);
    at = json_space(at + 1);
    while (*at != end) {
      const char *name = NULL;
      if (end == '}') {
        name = json_read_string(&at)->text;
        at = json_space(at);
        if (*at++ != ':') json_fail("a member without a value", at);
      }
      json_add(value, name, json_read_at(&at));
      at = json_space(at);
      if (*at == ',') at = json_space(at + 1);
      else if (*at != end) json_fail("no comma", at);
    }
    at++;
  } else if (*at == '"') {
    value = json_read_string(&at);
  } else if (*at == 'n' || *at == 't' || *at == 'f') {
    value = json_new(*at);
    at += *at == 'f' ? 5 : 4;
  } else {
    size_t len = strspn(at, "+-.0123456789eE");
    if (len == 0) json_fail("no value", at);
    value = json_bytes(at, len);
    value->kind = '0';
    at += len;
  }
  *from = at;
  return value;
}

/* Reads a document that a NUL ends. */
static json *json_read(const char *text) {
  json *value = json_read_at(&text);
  if (*json_space(text) != 0) json_fail("something behind it", text);
  return value;
}

static char *json_file(const char *directory, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  fseek(file, 0, SEEK_END);
  size_t len = (size_t)ftell(file);
  rewind(file);
  char *text = (char *)json_alloc(len + 1);
  if (fread(text, 1, len, file) != len) exit(2);
  fclose(file);
  return text;
}

/* Reads a file of one document, or as an array one of a document in each line. */
static json *json_load(const char *directory, const char *name) {
  char *text = json_file(directory, name);
  if (strstr(name, ".jsonl") == NULL) return json_read(text);
  json *lines = json_new('[');
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    json_add(lines, NULL, json_read(line));
  }
  return lines;
}

/* Writes to `to`, or counts only if that is NULL. Returns the length. */
static size_t json_print(const json *value, char *to) {
  size_t len = 0;
#define PUT(byte) (to == NULL ? (void)0 : (void)(to[len] = (char)(byte)), len++)
  if (value->kind == '{' || value->kind == '[') {
    PUT(value->kind);
    for (json *part = value->first; part != NULL; part = part->next) {
      if (part->name != NULL) {
        len += json_print(json_string(part->name), to == NULL ? NULL : to + len);
        PUT(':');
      }
      len += json_print(part, to == NULL ? NULL : to + len);
      if (part->next != NULL) PUT(',');
    }
    PUT(value->kind == '{' ? '}' : ']');
  } else if (value->kind == '"') {
    PUT('"');
    for (size_t at = 0; at < value->len; at++) {
      unsigned char byte = (unsigned char)value->text[at];
      if (byte == '"' || byte == '\\') {
        PUT('\\');
        PUT(byte);
      } else if (byte < 0x20) {
        char escaped[8];
        sprintf(escaped, "\\u%04x", byte);
        for (char *it = escaped; *it != 0; it++) PUT(*it);
      } else {
        PUT(byte);
      }
    }
    PUT('"');
  } else {
    const char *text = value->kind == 'n' ? "null" : value->kind == 't' ? "true" : value->kind == 'f' ? "false" : value->text;
    for (; *text != 0; text++) PUT(*text);
  }
#undef PUT
  return len;
}

static const char *json_write(const json *value) {
  char *text = (char *)json_alloc(json_print(value, NULL) + 1);
  json_print(value, text);
  return text;
}

#endif
