/* libmacaroons. The arguments are those of rust/src/lib.rs. */
#include <macaroons.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT = 4096 };

static const char *location, *identifier, *caveat, *further;
static char token[TEXT];
static const char *secret;
static unsigned long long now;

#define BYTES(text) (const unsigned char *)(text), strlen(text)

static void stop(const char *what)
{
    fprintf(stderr, "wrong result: %s\n", what);
    exit(1);
}

static int holds(void *at, const unsigned char *predicate, size_t len)
{
    char text[64];
    char *end;
    static const char prefix[] = "time < ";
    if (len < sizeof prefix || len >= sizeof text || memcmp(predicate, prefix, sizeof prefix - 1) != 0)
        return -1;
    memcpy(text, predicate, len);
    text[len] = '\0';
    unsigned long long expires = strtoull(text + sizeof prefix - 1, &end, 10);
    return *end == '\0' && *(unsigned long long *)at < expires ? 0 : -1;
}

static int write_text(const struct macaroon *from, char *to)
{
    enum macaroon_returncode code;
    return macaroon_serialize(from, to, TEXT, &code);
}

static struct macaroon *add(struct macaroon *to, const char *predicate)
{
    enum macaroon_returncode code;
    struct macaroon *narrower = to ? macaroon_add_first_party_caveat(to, BYTES(predicate), &code) : NULL;
    macaroon_destroy(to);
    return narrower;
}

static int mint(char *to)
{
    enum macaroon_returncode code;
    struct macaroon *made = add(macaroon_create(BYTES(location), BYTES(secret), BYTES(identifier), &code), caveat);
    int failed = !made || write_text(made, to);
    macaroon_destroy(made);
    return failed;
}

/* 0 for a good token. */
static int verify(const char *text)
{
    enum macaroon_returncode code;
    struct macaroon *read = macaroon_deserialize(text, &code);
    if (!read)
        return -1;
    struct macaroon_verifier *verifier = macaroon_verifier_create();
    macaroon_verifier_satisfy_general(verifier, holds, &now, &code);
    int refused = macaroon_verify(verifier, read, BYTES(secret), NULL, 0, &code);
    macaroon_verifier_destroy(verifier);
    macaroon_destroy(read);
    return refused;
}

static int attenuate(const char *text, char *to)
{
    enum macaroon_returncode code;
    struct macaroon *made = add(macaroon_deserialize(text, &code), further);
    int failed = !made || write_text(made, to);
    macaroon_destroy(made);
    return failed;
}

static char result[TEXT];
static int once_mint(void) { return mint(result); }
static int once_verify(void) { return verify(token); }
static int once_attenuate(void) { return attenuate(token, result); }

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double batch(int (*once)(void), unsigned count)
{
    double start = seconds();
    for (unsigned i = 0; i < count; i++)
        if (once())
            stop("it fails now and then");
    return seconds() - start;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *work, const char *text, int (*once)(void), double time)
{
    enum { MOST = 1 << 20 };
    static double times[MOST];
    size_t len = 0;
    unsigned count = 1;
    while (batch(once, count) < 1e-4)
        count *= 2;
    for (double start = seconds(); seconds() - start < time / 4;)
        batch(once, count);
    for (double start = seconds(); seconds() - start < time && len < MOST;)
        times[len++] = batch(once, count) * 1e9 / count;
    qsort(times, len, sizeof *times, by_value);
    printf("{\"work\": \"%s\", \"ns\": %f, \"median_ns\": %f, \"text\": \"%s\"}\n", work, times[0], times[len / 2], text);
}

int main(int argc, char **argv)
{
    if (argc != 8)
        stop("an argument is missing");
    double time = atof(argv[1]);
    secret = argv[2], location = argv[3], identifier = argv[4];
    caveat = argv[5], further = argv[6], now = strtoull(argv[7], NULL, 10);

    char narrower[TEXT], forged[TEXT];
    if (mint(token) || attenuate(token, narrower))
        stop("nothing is minted");
    strcpy(forged, token);
    char *at = forged + strlen(forged) - 12;
    *at = *at == 'A' ? 'B' : 'A';
    if (verify(token) || verify(narrower))
        stop("a good token is refused");
    if (!verify(forged))
        stop("a forged token is accepted");
    const char *ours = secret;
    secret = "another";
    if (!verify(token))
        stop("another secret is accepted");
    secret = ours;
    unsigned long long then = now;
    now = strtoull(caveat + strlen("time < "), NULL, 10);
    if (!verify(token))
        stop("an expired token is accepted");
    now = then;

    measure("mint", token, once_mint, time);
    measure("verify", "", once_verify, time);
    measure("attenuate", narrower, once_attenuate, time);
    return 0;
}
