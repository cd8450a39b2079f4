/* What a call takes, in nanoseconds: the least of many rounds, with the buffer freed. The figures of the Rust calls come
 * from token-embed's example of this name, over the same tokens and requests: `make -C tests speed` prints both. */
#define _POSIX_C_SOURCE 199309L
#include <onetoken.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECRET "an example secret of 32 bytes or more"
#define EIGHT_FACTS                                                                                                  \
  "\"ip\":\"172.98.11.23\",\"asn\":322,\"country\":\"PL\",\"interface\":\"rest\",\"consumer\":\"usr-user-id\"," \
  "\"regions\":[\"EU\"],\"service\":\"ozw-onezone\",\"groups\":[\"g1\"],"

typedef onetoken_status (*verb)(const char *, size_t, onetoken_buf *);

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void measure(const char *name, int count, verb call, const char *request) {
  double least = 1e18;
  size_t len = strlen(request);
  for (int round = 0; round < 40; round++) {
    double begun = now();
    for (int at = 0; at < 500; at++) {
      onetoken_buf answer = ONETOKEN_BUF_INIT;
      if (call(request, len, &answer) != ONETOKEN_OK) {
        fprintf(stderr, "%s: %s\n", name, (const char *)answer.data);
        exit(1);
      }
      onetoken_buf_free(&answer);
    }
    double each = (now() - begun) / 500;
    if (each < least) least = each;
  }
  printf("%s, %d caveats%*s%8.0f\n", name, count, 16 - (int)strlen(name), "", least);
}

int main(void) {
  static const char *const caveats[] = {
      "\"time < 8374891234\"",
      "\"time < 8374891234\",\"ip = 172.98.11.23/32\",\"asn = 322\",\"geo.country = PL|FR\",\"interface = rest\","
      "\"consumer = usr-user-id|grp-group-id\",\"geo.region = Asia|EU\",\"service = ozw-onezone\""};
  printf("%-28s%8s\n", "", "C");
  for (int at = 0; at < 2; at++) {
    char token[2048], request[4096];
    int count = at == 0 ? 1 : 8;
    onetoken_buf answer = ONETOKEN_BUF_INIT;
    snprintf(request, sizeof request,
             "{\"secret\":\"" SECRET "\",\"location\":\"onezone.example.com\",\"identifier\":"
             "\"2/nmd/usr-user-id/act/1234567890example-id\",\"caveats\":[%s]}",
             caveats[at]);
    if (onetoken_mint(request, strlen(request), &answer) != ONETOKEN_OK ||
        sscanf((const char *)answer.data, "{\"token\":\"%2047[^\"]", token) != 1) {
      return 1;
    }
    onetoken_buf_free(&answer);
    char minting[4096];
    strcpy(minting, request);

    snprintf(request, sizeof request, "{\"token\":\"%s\",\"secret\":\"" SECRET "\",\"context\":{%s\"now\":1700000000}}", token,
             at == 0 ? "" : EIGHT_FACTS);
    measure("verify", count, onetoken_verify, request);
    measure("mint", count, onetoken_mint, minting);
    snprintf(request, sizeof request, "{\"token\":\"%s\",\"caveats\":[\"interface = rest\"]}", token);
    measure("confine", count, onetoken_confine, request);
    snprintf(request, sizeof request, "{\"token\":\"%s\"}", token);
    measure("inspect", count, onetoken_inspect, request);
  }
  return 0;
}
