/* A token, and requests about it. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <string.h>

#include "onetoken.h"

#define SAMPLE_SECRET "an example secret of 32 bytes or more"
/* time < 2000 */
#define SAMPLE_TOKEN                                                                             \
  "MDAxNWxvY2F00aW9uIG9uZXpvbmUKMDAxM2lkZW500aWZpZXIgaWQxCjAwMTRjaWQgdGltZSA8IDIwMDAKMDAyZnNpZ" \
  "25hdHVyZSDn5q01XKmpB02f2gSxkHN4yWQacByP01TWVaX81hwnG00Lkgo"
#define SAMPLE_VERIFY "{\"token\":\"" SAMPLE_TOKEN "\",\"secret\":\"" SAMPLE_SECRET "\",\"context\":{\"now\":1000}}"
#define SAMPLE_LATE "{\"token\":\"" SAMPLE_TOKEN "\",\"secret\":\"" SAMPLE_SECRET "\",\"context\":{\"now\":2000}}"
#define SAMPLE_CONFINE "{\"token\":\"" SAMPLE_TOKEN "\",\"caveats\":[\"interface = rest\"]}"
#define SAMPLE_INSPECT "{\"token\":\"" SAMPLE_TOKEN "\"}"
#define SAMPLE_MINT \
  "{\"secret\":\"" SAMPLE_SECRET "\",\"location\":\"onezone\",\"identifier\":\"id1\",\"caveats\":[\"time < 2000\"]}"

#define SAMPLE_VERIFIED                                                                                          \
  "{\"valid\":true,\"identifier\":\"id1\",\"subject\":null,\"type\":null,\"caveats\":[\"time < 2000\"],\"expiresAt\":" \
  "\"1970-01-01T00:33:20Z\"}"
#define SAMPLE_EXPIRED                                                                                                \
  "{\"code\":\"token_caveat_unverified\",\"detail\":{\"index\":0,\"caveat\":{\"type\":\"time\",\"validUntil\":2000}," \
  "\"reason\":\"expired\"}}"
#define SAMPLE_MINTED "{\"token\":\"" SAMPLE_TOKEN "\"}"

/* SAMPLE_VERIFY and SAMPLE_LATE by structs. */
static onetoken_verify_request sample_request(uint64_t now) {
  onetoken_verify_request request;
  memset(&request, 0, sizeof request);
  request.size = sizeof request;
  request.token = onetoken_text(SAMPLE_TOKEN);
  request.secret = onetoken_text(SAMPLE_SECRET);
  request.now = now;
  return request;
}

/* Whether this is what SAMPLE_VERIFIED says. */
static int is_sample(const onetoken_verified *verified) {
  return verified->expires_at == 2000 && verified->identifier.len == 3 && strcmp(verified->identifier.data, "id1") == 0 &&
         verified->caveats.len == 1 && verified->caveats.data[0].len == 11 &&
         strcmp(verified->caveats.data[0].data, "time < 2000") == 0 && verified->type.data == NULL;
}

#endif
