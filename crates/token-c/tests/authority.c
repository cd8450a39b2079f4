/* Runs the steps of token-embed with an authority, and opens and closes it: authority DIRECTORY */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

typedef onetoken_status (*authority_verb)(const onetoken_authority *, const char *, size_t, onetoken_buf *);

static const struct {
  const char *name;
  authority_verb call;
} AUTHORITY_VERBS[] = {
    {"mint", onetoken_authority_mint},         {"check", onetoken_authority_check},
    {"consume", onetoken_authority_consume},   {"refund", onetoken_authority_refund},
    {"revoke", onetoken_authority_revoke},     {"unrevoke", onetoken_authority_unrevoke},
    {"delete", onetoken_authority_delete},     {"list", onetoken_authority_list},
    {"events", onetoken_authority_events},     {"void_temporary", onetoken_authority_void_temporary},
    {"purge", onetoken_authority_purge},
};
#define AUTHORITY_VERB_COUNT (sizeof AUTHORITY_VERBS / sizeof AUTHORITY_VERBS[0])

static json *ask(const onetoken_authority *authority, authority_verb verb, const char *request, onetoken_status *status) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  *status = verb(authority, request, strlen(request), &answer);
  json *document = checked(*status, &answer);
  onetoken_buf_free(&answer);
  return document;
}

static onetoken_status open_with(const char *request, onetoken_authority **authority) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  onetoken_status status = onetoken_authority_open(request, strlen(request), authority, &answer);
  json *document = checked(status, &answer);
  CHECK(status != ONETOKEN_OK || json_equal(document, json_new('{')), "%s", (char *)answer.data);
  onetoken_buf_free(&answer);
  return status;
}

/* Puts in what was saved, for strings `$name`. */
static json *filled(const json *value, const json *saved) {
  if (value->kind == '"' && value->text[0] == '$') {
    json *found = json_get(saved, value->text + 1);
    CHECK(found != NULL, "%s was not saved", value->text);
    return found == NULL ? json_new('n') : found;
  }
  if (value->kind != '{' && value->kind != '[') return json_copy(value);
  json *whole = json_new(value->kind);
  for (const json *part = value->first; part != NULL; part = part->next) json_add(whole, part->name, filled(part, saved));
  return whole;
}

static void steps(const onetoken_authority *authority, const json *all) {
  json *saved = json_new('{');
  size_t run = 0, without_function = 0;
  for (const json *it = all->first; it != NULL; it = it->next) {
    authority_verb verb = NULL;
    for (size_t at = 0; at < AUTHORITY_VERB_COUNT; at++) {
      if (strcmp(AUTHORITY_VERBS[at].name, json_text(it, "verb")) == 0) verb = AUTHORITY_VERBS[at].call;
    }
    if (verb == NULL) {
      without_function++;
      continue;
    }
    run++;
    onetoken_status status;
    json *answer = ask(authority, verb, json_write(filled(json_get(it, "request"), saved)), &status);
    const json *error = json_get(it, "error"), *save = json_get(it, "save");
    if (status != ONETOKEN_OK) {
      CHECK(error != NULL && json_equal(placeless(answer), error), "%s: %s", json_text(it, "name"), json_write(answer));
      continue;
    }
    CHECK(error == NULL, "%s: %s", json_text(it, "name"), json_write(answer));
    for (const json *member = save == NULL ? NULL : save->first; member != NULL; member = member->next) {
      json *rest = json_without(saved, member->name);
      saved = json_add(rest, member->name, json_get(answer, member->text));
    }
    if (error == NULL) {
      CHECK(json_has(answer, filled(json_get(it, "has"), saved)), "%s: %s", json_text(it, "name"), json_write(answer));
    }
  }
  CHECK(run > 60 && without_function == 1, "%zu and %zu steps", run, without_function);
}

static void on_disk(const json *all) {
  char directory[] = "/tmp/onetoken-c-XXXXXX", request[512], path[512];
  CHECK(mkdtemp(directory) != NULL, "mkdtemp");
  const char *form = "{\"store\":\"redb:%s/store.redb\",\"keys\":{\"file\":\"%s/keys\"},\"create\":%s}";
  snprintf(request, sizeof request, form, directory, directory, "false");
  onetoken_authority *authority = NULL, *other = NULL;
  CHECK(open_with(request, &authority) == ONETOKEN_STORE_UNAVAILABLE && authority == NULL, "there is no store");
  snprintf(request, sizeof request, form, directory, directory, "true");
  CHECK(open_with(request, &authority) == ONETOKEN_OK && authority != NULL, "create");
  CHECK(open_with(request, &authority) == ONETOKEN_INVALID_ARGUMENT, "it is open");
  CHECK(open_with(request, &other) == ONETOKEN_STORE_UNAVAILABLE && other == NULL, "one opener at a time");
  steps(authority, all);

  /* A child must not use it: it would spend the same uses again. It is killed, since what it holds is no leak. */
  onetoken_status status, of_child = ONETOKEN_OK;
  int ends[2];
  CHECK(pipe(ends) == 0, "pipe");
  pid_t child = fork();
  if (child == 0) {
    ask(authority, onetoken_authority_purge, "{}", &status);
    if (write(ends[1], &status, sizeof status) != sizeof status) _exit(2);
    raise(SIGKILL);
  }
  close(ends[1]);
  CHECK(read(ends[0], &of_child, sizeof of_child) == sizeof of_child, "nothing from the child");
  CHECK(of_child == ONETOKEN_STORE_UNAVAILABLE, "%d", (int)of_child);
  close(ends[0]);
  waitpid(child, NULL, 0);

  json *minted = ask(authority, onetoken_authority_mint,
                     "{\"type\":\"access\",\"issuer\":\"usr-u1\",\"decision\":\"allowed\"}", &status);
  onetoken_authority_close(&authority);
  CHECK(authority == NULL, "not NULL");
  onetoken_authority_close(&authority);
  snprintf(request, sizeof request, form, directory, directory, "false");
  CHECK(open_with(request, &authority) == ONETOKEN_OK, "again");
  json *token = json_add(json_new('{'), "token", json_get(minted, "token"));
  json *kept = ask(authority, onetoken_authority_check, json_write(token), &status);
  CHECK(status == ONETOKEN_OK && strcmp(json_text(kept, "type"), "access") == 0, "%s", json_write(kept));
  onetoken_authority_close(&authority);

  static const char *const names[] = {"store.redb", "keys"};
  for (int at = 0; at < 2; at++) {
    snprintf(path, sizeof path, "%s/%s", directory, names[at]);
    CHECK(unlink(path) == 0, "%s", path);
  }
  CHECK(rmdir(directory) == 0, "something else is in %s", directory);
}

static void null_pointers(void) {
  static const char request[] = "{\"store\":\"memory:\"}";
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  onetoken_authority *authority = NULL;
  CHECK(onetoken_authority_open(request, strlen(request), NULL, &answer) == ONETOKEN_INVALID_ARGUMENT, "no place");
  onetoken_buf_free(&answer);
  CHECK(onetoken_authority_open(request, strlen(request), &authority, NULL) == ONETOKEN_INVALID_ARGUMENT, "no buffer");
  CHECK(onetoken_authority_open(NULL, 5, &authority, &answer) == ONETOKEN_INVALID_ARGUMENT, "no request");
  CHECK(authority == NULL, "opened");
  onetoken_buf_free(&answer);
  onetoken_authority_close(NULL);
  for (size_t at = 0; at < AUTHORITY_VERB_COUNT; at++) {
    onetoken_status status;
    json *error = ask(NULL, AUTHORITY_VERBS[at].call, "{}", &status);
    CHECK(status == ONETOKEN_INVALID_ARGUMENT, "%s: %d", AUTHORITY_VERBS[at].name, (int)status);
    CHECK(strcmp(json_text(json_get(error, "detail"), "member"), "authority") == 0, "%s", json_write(error));
    CHECK(AUTHORITY_VERBS[at].call(NULL, "{}", 2, NULL) == ONETOKEN_INVALID_ARGUMENT, "%s", AUTHORITY_VERBS[at].name);
  }
}

static const onetoken_authority *shared;
static const char *invitation;
static int granted, refused;

static void *consume(void *claim) {
  char request[2048];
  snprintf(request, sizeof request,
           "{\"token\":\"%s\",\"expect\":\"space-support\",\"context\":{\"consumer\":\"prv-p1\"},\"decision\":\"allowed\","
           "\"claim\":\"%d\"}",
           invitation, *(int *)claim);
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  onetoken_status status = onetoken_authority_consume(shared, request, strlen(request), &answer);
  __atomic_add_fetch(status == ONETOKEN_OK ? &granted : &refused,
                     status == ONETOKEN_OK || status == ONETOKEN_INVITE_TOKEN_USAGE_LIMIT_EXCEEDED, __ATOMIC_SEQ_CST);
  onetoken_buf_free(&answer);
  return NULL;
}

/* Of 64 threads that want one use, one gets it. Each has as little stack as the header promises to need. */
static void race(const onetoken_authority *authority) {
  onetoken_status status;
  json *minted = ask(authority, onetoken_authority_mint,
                     "{\"type\":\"space-support\",\"target\":\"s1\",\"issuer\":\"usr-u1\",\"decision\":\"allowed\"}", &status);
  CHECK(status == ONETOKEN_OK, "%s", json_write(minted));
  shared = authority;
  invitation = json_text(minted, "token");
  pthread_t all[64];
  int claims[64];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, 256 << 10) == 0, "256 KiB");
  for (int at = 0; at < 64; at++) {
    claims[at] = at;
    CHECK(pthread_create(&all[at], &attributes, consume, &claims[at]) == 0, "thread %d", at);
  }
  for (int at = 0; at < 64; at++) pthread_join(all[at], NULL);
  pthread_attr_destroy(&attributes);
  CHECK(granted == 1 && refused == 63, "%d and %d", granted, refused);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  json *all = json_load(argv[1], "authority.json");
  null_pointers();
  onetoken_authority *authority = NULL;
  CHECK(open_with("{\"store\":\"memory:\"}", &authority) == ONETOKEN_OK, "memory");
  steps(authority, all);
  race(authority);
  onetoken_authority_close(&authority);
  on_disk(all);
  return report("authority");
}
