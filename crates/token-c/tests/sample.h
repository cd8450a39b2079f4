/* A token, and requests about it. */
#ifndef SAMPLE_H
#define SAMPLE_H

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

#endif
