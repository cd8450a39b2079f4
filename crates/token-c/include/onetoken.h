/**
 * @file onetoken.h
 * @brief Mints, verifies and inspects the macaroon tokens of Onedata.
 *
 * Each verb is a function that takes a request and gives an answer, both JSON in UTF-8. Two of them also take structs:
 * onetoken_verify_typed() and onetoken_confine_typed().
 *
 * @code
 * onetoken_buf answer = ONETOKEN_BUF_INIT;
 * const char request[] = "{\"text\":\"time < 1496140144\"}";
 * if (onetoken_caveat(request, sizeof request - 1, &answer) == ONETOKEN_OK) {
 *   puts((const char *)answer.data);
 * }
 * onetoken_buf_free(&answer);
 * @endcode
 *
 * The same rules hold for every verb:
 *
 * - **Status.** 0 is success, and the answer is in the buffer. Any other number is an error of the list below, and the
 *   buffer has its document, `{"code":"token_invalid","detail":{…}}`, which shows no secret.
 * - **Request.** `len` bytes, without a NUL at the end. The library only reads them, and keeps nothing of them. More than
 *   4 MiB are refused unread. Unknown members, and members that are there twice, are refused.
 * - **Buffer.** Empty at the call, and freed with onetoken_buf_free() after it, on success and on error. If the buffer is
 *   NULL or not empty, the verb does nothing and returns ONETOKEN_INVALID_ARGUMENT.
 * - **Threads.** Every function may be called from any thread at any time, on buffers of its own. A call needs 64 KiB of
 *   stack, one of an authority 256 KiB.
 * - **Faults.** A panic inside the library ends at its border, as ONETOKEN_PANIC. Where the system refuses memory, the
 *   process ends by abort(), as Rust has it.
 *
 * docs/EMBEDDING.md lists the members of each request and answer.
 */
#ifndef ONETOKEN_H
#define ONETOKEN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Begins the declaration of each function. */
#define ONETOKEN_API extern

#if defined(__GNUC__)
#define ONETOKEN_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ONETOKEN_MUST_CHECK
#endif

/** The version that this header was written for. Compare it with onetoken_abi_version() if you load the library late. */
#define ONETOKEN_ABI_VERSION 1

/**
 * @brief What a function returns: ONETOKEN_OK, or the number of an error.
 *
 * A number never changes its meaning. Later versions may add numbers. The comments say what each means;
 * docs/EMBEDDING.md has the members of its `detail`.
 */
typedef int32_t onetoken_status;

enum {
  /** Success. */
  ONETOKEN_OK = 0,
  /** The text is not a token. The detail says what is wrong and where. */
  ONETOKEN_BAD_TOKEN = 1,
  /** The token, or the request that holds it, is longer than any that is read, or a new token would be. */
  ONETOKEN_TOKEN_TOO_LARGE = 2,
  /** The signature does not match, a discharge is missing or does not fit, or the issuer does not know the token. */
  ONETOKEN_TOKEN_INVALID = 3,
  /** The token was revoked, alone or with all temporary tokens of its subject. */
  ONETOKEN_TOKEN_REVOKED = 4,
  /** A caveat is not understood, so it cannot hold. */
  ONETOKEN_TOKEN_CAVEAT_UNKNOWN = 5,
  /** A caveat does not hold, or a token of this type must not carry it. */
  ONETOKEN_TOKEN_CAVEAT_UNVERIFIED = 6,
  /** The subject of the token does not exist or is blocked, or no token can be minted for it. */
  ONETOKEN_TOKEN_SUBJECT_INVALID = 7,
  /** The access token is for another session than that of the request. */
  ONETOKEN_TOKEN_SESSION_INVALID = 8,
  /** The service is not allowed for the subject of the token. */
  ONETOKEN_TOKEN_SERVICE_FORBIDDEN = 9,
  /** An access token was expected, and this is another one. */
  ONETOKEN_NOT_AN_ACCESS_TOKEN = 10,
  /** An identity token was expected, and this is another one. */
  ONETOKEN_NOT_AN_IDENTITY_TOKEN = 11,
  /** An invitation of a certain type was expected, and this is another token. */
  ONETOKEN_NOT_AN_INVITE_TOKEN = 12,
  /** All uses of the invitation are spent. */
  ONETOKEN_INVITE_TOKEN_USAGE_LIMIT_EXCEEDED = 13,
  /** A consumer of this kind cannot use the invitation. */
  ONETOKEN_INVITE_TOKEN_CONSUMER_INVALID = 14,
  /** The entity that the invitation is for does not exist. */
  ONETOKEN_INVITE_TOKEN_TARGET_ID_INVALID = 15,
  /** The issuer of the invitation may not, or may no longer, invite. */
  ONETOKEN_INVITE_TOKEN_SUBJECT_NOT_AUTHORIZED = 16,
  /** The store cannot be used, and nothing was written. The same call may be made again once the cause is gone. */
  ONETOKEN_STORE_UNAVAILABLE = 32,
  /** The change may or may not have been made. Make the same call again; a spend, under the same claim. */
  ONETOKEN_STORE_UNKNOWN = 33,
  /** The store holds damaged or foreign data, or the key ring does not fit it. */
  ONETOKEN_STORE_CORRUPT = 34,
  /** The request is not as the verb needs it. No part of the request is repeated, since it may hold a secret. */
  ONETOKEN_INVALID_ARGUMENT = 48,
  /** A fault in this software. Please report it. */
  ONETOKEN_PANIC = 99
};

/**
 * @brief An answer, or the document of an error. Its memory belongs to the library.
 *
 * Initialize it with ONETOKEN_BUF_INIT or with zeros. Read `data` and `len`, and change nothing.
 */
typedef struct onetoken_buf {
  /** The document, and one NUL behind it, so that it is a C string. NULL in an empty buffer. */
  uint8_t *data;
  /** The length of the document in bytes, without the NUL. */
  size_t len;
  /** For the library. */
  size_t capacity;
} onetoken_buf;

/** An empty buffer. */
#define ONETOKEN_BUF_INIT {NULL, 0, 0}

/** @name Verbs that need no store
 * They keep nothing and read no clock. A member with `?` may be left out or null.
 * @{ */

/**
 * @brief Reads a token without its key. Proves nothing.
 *
 * Request: `token`, `now?` (Unix seconds), `signature?` (true shows it), `compat?` (true reads loosely, as other libraries).
 * Answer: the inspection: `format`, `location`, `identifier`, `caveats`, `expiresAt` and more.
 */
ONETOKEN_API onetoken_status onetoken_inspect(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Appends caveats to a token. Needs no key.
 *
 * Request: `token`, `caveats` (texts or documents).
 * Answer: `token`.
 */
ONETOKEN_API onetoken_status onetoken_confine(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Reads the text of a caveat, or writes one from its document.
 *
 * Request: `text` or `caveat`.
 * Answer: `text`, and `caveat`, which is null where the text is not understood.
 */
ONETOKEN_API onetoken_status onetoken_caveat(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Says which facts to look up before a token is verified.
 *
 * Request: `token`.
 * Answer: `asn`, `country`, `region` (booleans), `groups`.
 */
ONETOKEN_API onetoken_status onetoken_needs(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Says whether the issuer would refuse a token, without its key.
 *
 * Request: `token`, `context`, `as?`.
 * Answer: `refuted` with `index`, `caveat` and `reason`; or `undecided`.
 */
ONETOKEN_API onetoken_status onetoken_preflight(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Makes a token under a secret or a root key.
 *
 * Request: `secret` or `rootKey`, `location`, `identifier`, `caveats?`, `format?`, `encoding?`.
 * Answer: `token`.
 */
ONETOKEN_API onetoken_status onetoken_mint(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Verifies a token by its secret or its root key and the facts of a request.
 *
 * Request: `token`, `secret` or `rootKey`, `context`, `as?`, `supported?`, `ignored?`, `exact?`, `discharges?`.
 * Answer: `valid`, `identifier`, `subject`, `type`, `caveats`, `expiresAt`.
 */
ONETOKEN_API onetoken_status onetoken_verify(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Binds a discharge to the macaroon that it is presented with.
 *
 * Request: `root`, `discharge`.
 * Answer: `token`.
 */
ONETOKEN_API onetoken_status onetoken_bind(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Seals a root key under a key ring, for a host that keeps its own records.
 *
 * Request: `keys`, `owner`, `secret` or `rootKey`.
 * Answer: `sealed`.
 */
ONETOKEN_API onetoken_status onetoken_seal(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Opens a sealed root key, for its owner alone. The answer is a secret.
 *
 * Request: `keys`, `owner`, `sealed`.
 * Answer: `rootKey`.
 */
ONETOKEN_API onetoken_status onetoken_open(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Says what this library is.
 *
 * Request: `{}`.
 * Answer: `package`, `abi`, `formats`.
 */
ONETOKEN_API onetoken_status onetoken_version(const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/** @} */

/**
 * @name Without JSON
 * `verify` and `confine` once more, by structs, for programs to which writing and reading JSON takes too long. They judge
 * as onetoken_verify() and onetoken_confine() do, and give the same errors, as documents in the buffer.
 *
 * Zero a struct and set its `size` to its sizeof. What is zero is absent. Later versions of the library append members, and
 * take the smaller structs of programs that were compiled with this one.
 *
 * @code
 * onetoken_confine_request request = {.size = sizeof request, .token = onetoken_text(token)};
 * onetoken_slice caveats[] = {onetoken_text("interface = rest")};
 * request.caveats = (onetoken_slices){caveats, 1};
 * if (onetoken_confine_typed(&request, &answer) == ONETOKEN_OK) puts((const char *)answer.data);
 * @endcode
 * @{ */

/**
 * @brief Bytes. Absent if `data` is NULL; empty if only `len` is 0.
 *
 * In a request the caller owns them, and the library only reads them. Together they may have 4 MiB. In an answer they lie in
 * the buffer, and a NUL follows them.
 */
typedef struct onetoken_slice {
  const char *data;
  size_t len;
} onetoken_slice;

/** A list of texts or bytes. Absent if `data` is NULL; empty if only `len` is 0. */
typedef struct onetoken_slices {
  const onetoken_slice *data;
  size_t len;
} onetoken_slices;

/** Returns the text without its NUL; what is absent, for NULL. */
static inline onetoken_slice onetoken_text(const char *text) {
  onetoken_slice slice;
  slice.data = text;
  slice.len = text == NULL ? 0 : strlen(text);
  return slice;
}

/** The request of onetoken_verify_typed(): the members of `verify` and of its `context`. */
typedef struct onetoken_verify_request {
  /** sizeof(onetoken_verify_request) */
  size_t size;
  onetoken_slice token;
  /** Bytes. Either this or `root_key`. */
  onetoken_slice secret;
  /** 32 bytes. */
  onetoken_slice root_key;
  /** `access`, `identity` or `invite`. */
  onetoken_slice as;
  /** Types of caveats, such as `time` or `geo.country`. */
  onetoken_slices supported;
  onetoken_slices ignored;
  /** Caveats that hold, as bytes. */
  onetoken_slices exact;
  onetoken_slices discharges;
  /** Unix seconds. Needed: 0 is refused, as it is absent. */
  uint64_t now;
  onetoken_slice ip;
  onetoken_slice country;
  onetoken_slices regions;
  onetoken_slice service;
  /** `usr-ID`, `prv-ID`, `grp-ID` or `nobody`. */
  onetoken_slice consumer;
  /** Ids. An empty list says that the consumer is in no group; an absent one, that this is not known. */
  onetoken_slices groups;
  onetoken_slice interface;
  /** An id, or `any`. */
  onetoken_slice session;
  onetoken_slice scope;
  uint32_t asn;
  /** Any number but 0 allows them. */
  uint32_t allow_data_caveats;
} onetoken_verify_request;

/** The answer of onetoken_verify_typed(). Its slices are valid until the buffer is freed. */
typedef struct onetoken_verified {
  /** sizeof(onetoken_verified) */
  size_t size;
  onetoken_slice identifier;
  /** Whom the token acts for or invites for, such as `usr-ID`. With the next three, absent unless the identifier says so. */
  onetoken_slice subject;
  /** `access`, `identity`, or the type of the invitation, such as `supportSpace`. */
  onetoken_slice type;
  /** The session that an access token is bound to. */
  onetoken_slice session;
  /** The id of what an invitation is for. */
  onetoken_slice target;
  /** The texts of the token's own caveats. */
  onetoken_slices caveats;
  /** Unix seconds, from which on the token is not valid; 0 if it does not expire. */
  uint64_t expires_at;
} onetoken_verified;

/** The request of onetoken_confine_typed(). */
typedef struct onetoken_confine_request {
  /** sizeof(onetoken_confine_request) */
  size_t size;
  onetoken_slice token;
  /** Texts or bytes. Needed, but may be empty. */
  onetoken_slices caveats;
} onetoken_confine_request;

/**
 * @brief Verifies a token, as onetoken_verify().
 *
 * `*verified` is zeroed but for its size, and filled on success. Its slices point into the buffer, which has nothing else to
 * read then; on error the buffer has the document of the error.
 */
ONETOKEN_API onetoken_status onetoken_verify_typed(const onetoken_verify_request *request, onetoken_verified *verified, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Appends caveats to a token, as onetoken_confine(). The answer is the text of the token, not JSON.
 */
ONETOKEN_API onetoken_status onetoken_confine_typed(const onetoken_confine_request *request, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/** @} */

/**
 * @brief An authority over a store: it mints, checks, spends and revokes tokens, which it knows by their records.
 *
 * The library never calls the host. onetoken_authority_check() says what the host has to decide, and
 * onetoken_authority_mint() and onetoken_authority_consume() take its `decision`: `allowed`, `resource_gone`,
 * `no_longer_allowed`, `subject_gone`, `subject_blocked` or `service_forbidden`.
 *
 * Any number of threads may use an authority at once. Each call may wait for a disk or a server, and needs 256 KiB of stack.
 */
typedef struct onetoken_authority onetoken_authority;

/** @name An authority over a store
 * A call whose authority is NULL is refused.
 * @{ */

/**
 * @brief Opens a store.
 *
 * Request: `store` (`memory:`, `redb:PATH`; if built in `sled:PATH`, `postgres://…`), `keys` (one of `file`, `variable`,
 * `text`), `create?`, `location?`, `domain?`, `dialect?`, `lifetime?`, `maxTemporaryLifetime?`.
 * Answer: an empty object, and the authority in `*authority`, which has to be NULL before.
 */
ONETOKEN_API onetoken_status onetoken_authority_open(const char *request, size_t len, onetoken_authority **authority, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Closes the store, frees the authority and makes `*authority` NULL. Does nothing if it is NULL.
 *
 * No call may be using the authority, and none may use it later.
 */
ONETOKEN_API void onetoken_authority_close(onetoken_authority **authority);

/**
 * @brief Mints a token, as the host decided.
 *
 * Request: `type`, `issuer`, `decision`; `target?`, `lifetime?`, `uses?`, `caveats?`, `name?` and more.
 * Answer: `token`, `id`, `expiresAt`.
 */
ONETOKEN_API onetoken_status onetoken_authority_mint(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Verifies a token, and says what the host has to decide before it acts.
 *
 * Request: `token`, `expect?`, `context?`, `decision?`.
 * Answer: `id`, `type`, `resource`, `issuer`, `expiresAt`, `usesLeft`, `caveats`, `questions` and more.
 */
ONETOKEN_API onetoken_status onetoken_authority_check(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Takes one use of a token, as the host decided. Call it before you act.
 *
 * A retry under the same `claim` gets the same answer and costs nothing.
 *
 * Request: `token`, `expect`, `context` with a `consumer`, `decision`, `claim`.
 * Answer: `consumed`, `id`, `type`, `resource`, `issuer`, `usesLeft`, `repeated`, `refund`.
 */
ONETOKEN_API onetoken_status onetoken_authority_consume(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Gives back a use, if the action failed.
 *
 * Request: `refund`, as `consume` answered.
 * Answer: `id`, `outcome`.
 */
ONETOKEN_API onetoken_status onetoken_authority_refund(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Makes a token worthless, for good or reversibly.
 *
 * Request: `id` or `token`; `reversible?`, `by?`, `reason?`.
 * Answer: `id`, `outcome`.
 */
ONETOKEN_API onetoken_status onetoken_authority_revoke(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Undoes a reversible revocation.
 *
 * Request: `id` or `token`.
 * Answer: `id`, `outcome`.
 */
ONETOKEN_API onetoken_status onetoken_authority_unrevoke(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Deletes the record of a token, which then is not valid.
 *
 * Request: `id` or `token`.
 * Answer: `id`, `outcome`.
 */
ONETOKEN_API onetoken_status onetoken_authority_delete(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Lists tokens, page by page.
 *
 * Request: one of `resource?`, `issuer?` (with a `name?`), `expiresBefore?`; `after?`, `limit?`.
 * Answer: `tokens`, `damaged`, `next`.
 */
ONETOKEN_API onetoken_status onetoken_authority_list(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Revokes all temporary tokens of a subject.
 *
 * Request: `subject`.
 * Answer: `generation`.
 */
ONETOKEN_API onetoken_status onetoken_authority_void_temporary(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Reads the changes that make verdicts obsolete.
 *
 * Request: `after?`, `limit?`.
 * Answer: `events`, `next`, `missed`.
 */
ONETOKEN_API onetoken_status onetoken_authority_events(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;

/**
 * @brief Removes expired tokens.
 *
 * Request: `before?`, `limit?`.
 * Answer: `purged`.
 */
ONETOKEN_API onetoken_status onetoken_authority_purge(const onetoken_authority *authority, const char *request, size_t len, onetoken_buf *answer) ONETOKEN_MUST_CHECK;
/** @} */

/**
 * @brief Wipes the bytes of a buffer, frees them and empties it.
 *
 * Does nothing for NULL and for an empty buffer, so a second call is harmless. A copy of a filled buffer must not be
 * freed as well.
 */
ONETOKEN_API void onetoken_buf_free(onetoken_buf *buf);

/** Returns the word for a status, such as `token_invalid`: a static string. `unknown` for numbers that are no status. */
ONETOKEN_API const char *onetoken_status_name(onetoken_status status);

/** Returns the version of the functions and documents of the library: ONETOKEN_ABI_VERSION, if the header is its own. */
ONETOKEN_API uint32_t onetoken_abi_version(void);

#ifdef __cplusplus
}
#endif

#endif
