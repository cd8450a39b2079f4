/* Confines a token and verifies it without JSON, for programs that verify many.
 *
 *   cc typed.c $(pkg-config --cflags --libs onetoken) -o typed && ./typed
 */
#include <onetoken.h>
#include <stdio.h>

/* Minted under the secret, with the caveat `time < 2000000000`. */
#define SECRET "an example secret of 32 bytes or more"
#define TOKEN \
  "MDAyMWxvY2F00aW9uIG9uZXpvbmUuZXhhbXBsZS5jb200KMDAxM2lkZW500aWZpZXIgaWQxCjAwMWFjaWQgdGltZSA8IDIwM" \
  "DAwMDAwMDAKMDAyZnNpZ25hdHVyZSDnB00W029L4UreGZqfbgImb02I64RKYIEW3dHUzSFJF85bQo"

int main(void) {
  onetoken_buf confined = ONETOKEN_BUF_INIT, answer = ONETOKEN_BUF_INIT;
  onetoken_slice caveat = onetoken_text("ip = 10.0.0.0/8");
  onetoken_confine_request confine = {.size = sizeof confine, .token = onetoken_text(TOKEN), .caveats = {&caveat, 1}};
  int good = onetoken_confine_typed(&confine, &confined) == ONETOKEN_OK;

  onetoken_verify_request request = {.size = sizeof request,
                                     .token = onetoken_text((const char *)confined.data),
                                     .secret = onetoken_text(SECRET),
                                     .now = 1700000000,
                                     .ip = onetoken_text("10.1.2.3")};
  onetoken_verified verified = {.size = sizeof verified};
  if (onetoken_verify_typed(&request, &verified, &answer) == ONETOKEN_OK) {
    printf("%s, until %llu\n", verified.identifier.data, (unsigned long long)verified.expires_at);
    for (size_t at = 0; at < verified.caveats.len; at++) printf("  %s\n", verified.caveats.data[at].data);
  } else {
    good = 0;
  }
  onetoken_buf_free(&answer);

  /* From an address that the caveat does not allow: the buffer has the error as a document. */
  request.ip = onetoken_text("11.1.2.3");
  onetoken_status status = onetoken_verify_typed(&request, &verified, &answer);
  printf("%s: %s\n", onetoken_status_name(status), (const char *)answer.data);
  good = good && status == ONETOKEN_TOKEN_CAVEAT_UNVERIFIED;
  onetoken_buf_free(&answer);
  onetoken_buf_free(&confined);
  return !good;
}
