/* What a call takes, in nanoseconds, with the buffer freed: the least of many rounds. The second column is of the verbs that
 * also take structs. The figures of the Rust calls come from token-embed's example of this name, over the same tokens and
 * requests: `make -C tests speed` prints all side by side. */
#define _POSIX_C_SOURCE 199309L
#include <onetoken.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECRET "an example secret of 32 bytes or more"
#define IDENTIFIER "2/nmd/usr-user-id/act/1234567890example-id"
#define LOCATION "onezone.example.com"
#define FACTS                                                                                                   \
  "\"ip\":\"172.98.11.23\",\"asn\":322,\"country\":\"PL\",\"interface\":\"rest\",\"consumer\":\"usr-user-id\"," \
  "\"regions\":[\"EU\"],\"service\":\"ozw-onezone\",\"groups\":[\"g1\"],"

typedef onetoken_status (*verb)(const char *, size_t, onetoken_buf *);

/* A call: of a verb with JSON, or of one that takes a struct. */
struct call {
  verb json;
  const char *request;
  size_t len;
  const onetoken_verify_request *verify;
  const onetoken_confine_request *confine;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static onetoken_status make(const struct call *call, onetoken_buf *answer) {
  if (call->verify != NULL) {
    onetoken_verified verified = {.size = sizeof verified};
    return onetoken_verify_typed(call->verify, &verified, answer);
  }
  if (call->confine != NULL) return onetoken_confine_typed(call->confine, answer);
  return call->json(call->request, call->len, answer);
}

static double measure(const struct call *call) {
  double least = 1e18;
  for (int round = 0; round < 40; round++) {
    double begun = now();
    for (int at = 0; at < 500; at++) {
      onetoken_buf answer = ONETOKEN_BUF_INIT;
      if (make(call, &answer) != ONETOKEN_OK) {
        fprintf(stderr, "%s\n", (const char *)answer.data);
        exit(1);
      }
      onetoken_buf_free(&answer);
    }
    double each = (now() - begun) / 500;
    if (each < least) least = each;
  }
  return least;
}

static void row(const char *name, int count, verb json, const char *request, const struct call *typed) {
  struct call call = {.json = json, .request = request, .len = strlen(request)};
  char label[64];
  snprintf(label, sizeof label, "%s, %d caveats", name, count);
  printf("%-28s%8.0f", label, measure(&call));
  if (typed != NULL) printf("%8.0f", measure(typed));
  putchar('\n');
}

static void mint(const char *request, char *token) {
  onetoken_buf answer = ONETOKEN_BUF_INIT;
  if (onetoken_mint(request, strlen(request), &answer) != ONETOKEN_OK ||
      sscanf((const char *)answer.data, "{\"token\":\"%2047[^\"]", token) != 1) {
    exit(1);
  }
  onetoken_buf_free(&answer);
}

int main(void) {
  static const char *const caveats[] = {
      "\"time < 8374891234\"",
      "\"time < 8374891234\",\"ip = 172.98.11.23/32\",\"asn = 322\",\"geo.country = PL|FR\",\"interface = rest\","
      "\"consumer = usr-user-id|grp-group-id\",\"geo.region = Asia|EU\",\"service = ozw-onezone\""};
  const onetoken_slice region = onetoken_text("EU"), group = onetoken_text("g1"), more = onetoken_text("interface = rest");
  for (int at = 0; at < 2; at++) {
    char token[2048], request[4096];
    int count = at == 0 ? 1 : 8;
    const char *facts = at == 0 ? "" : FACTS;
    snprintf(request, sizeof request,
             "{\"secret\":\"" SECRET "\",\"location\":\"" LOCATION "\",\"identifier\":\"" IDENTIFIER "\",\"caveats\":[%s]}",
             caveats[at]);
    mint(request, token);
    row("mint", count, onetoken_mint, request, NULL);

    onetoken_verify_request verify = {.size = sizeof verify,
                                      .token = onetoken_text(token),
                                      .secret = onetoken_text(SECRET),
                                      .now = 1700000000};
    if (at == 1) {
      verify.ip = onetoken_text("172.98.11.23");
      verify.asn = 322;
      verify.country = onetoken_text("PL");
      verify.interface = onetoken_text("rest");
      verify.consumer = onetoken_text("usr-user-id");
      verify.regions = (onetoken_slices){&region, 1};
      verify.service = onetoken_text("ozw-onezone");
      verify.groups = (onetoken_slices){&group, 1};
    }
    snprintf(request, sizeof request, "{\"token\":\"%s\",\"secret\":\"" SECRET "\",\"context\":{%s\"now\":1700000000}}", token,
             facts);
    row("verify", count, onetoken_verify, request, &(struct call){.verify = &verify});

    onetoken_confine_request confine = {.size = sizeof confine, .token = onetoken_text(token), .caveats = {&more, 1}};
    snprintf(request, sizeof request, "{\"token\":\"%s\",\"caveats\":[\"interface = rest\"]}", token);
    row("confine", count, onetoken_confine, request, &(struct call){.confine = &confine});

    snprintf(request, sizeof request, "{\"token\":\"%s\"}", token);
    row("inspect", count, onetoken_inspect, request, NULL);
    row("needs", count, onetoken_needs, request, NULL);
    snprintf(request, sizeof request, "{\"token\":\"%s\",\"context\":{%s\"now\":1700000000}}", token, facts);
    row("preflight", count, onetoken_preflight, request, NULL);
    snprintf(request, sizeof request, "{\"root\":\"%s\",\"discharge\":\"%s\"}", token, token);
    row("bind", count, onetoken_bind, request, NULL);
  }
  row("caveat", 1, onetoken_caveat, "{\"text\":\"time < 8374891234\"}", NULL);
  return 0;
}
