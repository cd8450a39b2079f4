/* Mints a token, lets it out narrower, and verifies it.
 *
 *   cc verify.c $(pkg-config --cflags --libs onetoken) -o verify
 */
#include <onetoken.h>
#include <stdio.h>
#include <string.h>

#define SECRET "an example secret of 32 bytes or more"

/* Prints the answer, or the error. Returns 1 if there is an answer. */
static int show(const char *verb, onetoken_status status, const onetoken_buf *answer) {
  printf("%s: %s %s\n", verb, onetoken_status_name(status), (const char *)answer->data);
  return status == ONETOKEN_OK;
}

int main(void) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  char token[1024], request[2048];
  int good = 1;

  const char *mint = "{\"secret\":\"" SECRET "\",\"location\":\"onezone.example.com\",\"identifier\":\"id1\","
                     "\"caveats\":[\"time < 2000000000\"]}";
  good &= show("mint", onetoken_mint(mint, strlen(mint), &answer), &answer);
  /* A program with a JSON library reads the answer with that. */
  good &= sscanf((const char *)answer.data, "{\"token\":\"%1023[^\"]", token) == 1;
  onetoken_buf_free(&answer);

  snprintf(request, sizeof request, "{\"token\":\"%s\",\"caveats\":[\"ip = 10.0.0.0/8\"]}", token);
  good &= show("confine", onetoken_confine(request, strlen(request), &answer), &answer);
  good &= sscanf((const char *)answer.data, "{\"token\":\"%1023[^\"]", token) == 1;
  onetoken_buf_free(&answer);

  /* From an address that the caveat allows, and from another. */
  snprintf(request, sizeof request,
           "{\"token\":\"%s\",\"secret\":\"" SECRET "\",\"context\":{\"now\":1700000000,\"ip\":\"10.1.2.3\"}}", token);
  good &= show("verify", onetoken_verify(request, strlen(request), &answer), &answer);
  onetoken_buf_free(&answer);

  snprintf(request, sizeof request,
           "{\"token\":\"%s\",\"secret\":\"" SECRET "\",\"context\":{\"now\":1700000000,\"ip\":\"11.1.2.3\"}}", token);
  onetoken_status status = onetoken_verify(request, strlen(request), &answer);
  good &= !show("verify", status, &answer) && status == ONETOKEN_TOKEN_CAVEAT_UNVERIFIED;
  onetoken_buf_free(&answer);
  return !good;
}
