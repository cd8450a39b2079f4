/* An authority over a store on disk: mints an invitation, asks the host, takes the one use, and refuses a second.
 *
 *   cc invite.c $(pkg-config --cflags --libs onetoken) -o invite && ./invite
 *
 * The store and its keys are made in the current directory at the first run.
 */
#include <onetoken.h>
#include <stdio.h>
#include <string.h>

typedef onetoken_status (*verb)(const onetoken_authority *, const char *, size_t, onetoken_buf *);

static onetoken_status ask(const onetoken_authority *authority, const char *name, verb call, const char *request,
                           onetoken_buf *answer) {
  onetoken_status status = call(authority, request, strlen(request), answer);
  printf("%s: %s %s\n", name, onetoken_status_name(status), (const char *)answer->data);
  return status;
}

int main(void) {
  onetoken_authority *authority = NULL;
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  char token[1024], request[2048];
  int good = 1;

  const char *open = "{\"store\":\"redb:tokens.redb\",\"keys\":{\"file\":\"keys\"},\"create\":true}";
  if (onetoken_authority_open(open, strlen(open), &authority, &answer) != ONETOKEN_OK) {
    fprintf(stderr, "%s\n", (const char *)answer.data);
    onetoken_buf_free(&answer);
    return 1;
  }
  onetoken_buf_free(&answer);

  /* The host has looked whether user u1 may have space s1 supported. */
  const char *mint = "{\"type\":\"space-support\",\"target\":\"s1\",\"issuer\":\"usr-u1\",\"decision\":\"allowed\"}";
  good &= ask(authority, "mint", onetoken_authority_mint, mint, &answer) == ONETOKEN_OK;
  good &= sscanf((const char *)answer.data, "{\"token\":\"%1023[^\"]", token) == 1;
  onetoken_buf_free(&answer);

  /* Provider p1 presents the token. What is to be decided now? */
  snprintf(request, sizeof request,
           "{\"token\":\"%s\",\"expect\":\"space-support\",\"context\":{\"consumer\":\"prv-p1\"}}", token);
  good &= ask(authority, "check", onetoken_authority_check, request, &answer) == ONETOKEN_OK;
  onetoken_buf_free(&answer);

  /* The claim names this request of the provider: a retry under it gets the same answer and costs nothing. */
  for (int claim = 1; claim <= 2; claim++) {
    snprintf(request, sizeof request,
             "{\"token\":\"%s\",\"expect\":\"space-support\",\"context\":{\"consumer\":\"prv-p1\"},"
             "\"decision\":\"allowed\",\"claim\":\"request %d\"}",
             token, claim);
    onetoken_status expected = claim == 1 ? ONETOKEN_OK : ONETOKEN_INVITE_TOKEN_USAGE_LIMIT_EXCEEDED;
    good &= ask(authority, "consume", onetoken_authority_consume, request, &answer) == expected;
    onetoken_buf_free(&answer);
  }
  onetoken_authority_close(&authority);
  return !good;
}
