/*
 * Signatures of URLs: HMAC-SHA-256 (RFC 2104) over the method, the expiry and the path. Whoever has
 * such a URL may do what it says, until then, and nothing else.
 */
#ifndef BATCH_ENGINE_SIGNATURE_H
#define BATCH_ENGINE_SIGNATURE_H

#include "batch.h"

/** Bytes of a signature as it stands in a URL, in hex, with the NUL. */
#define BATCH_SIGNATURE_SIZE 65

/** Random bytes of a secret that is made here. */
#define BATCH_SECRET_BYTES 32

/** What is signed. */
typedef struct batch_signed {
    const char *method;  /* "GET" or "PUT" */
    const char *path;    /* decoded, from its first slash on */
    const char *expires; /* seconds since the epoch, as it stands in the URL */
} batch_signed_t;

/** Writes the signature in lower-case hex. APR_EGENERAL if libcrypto does not do it. */
apr_status_t batch_signature_make(char signature[BATCH_SIGNATURE_SIZE], const batch_signed_t *what,
                                  const char *secret, apr_size_t secret_length);

/**
 * 1 if the signature is the right one, and *what has not expired at now. The time that this takes
 * tells nothing of how much of it was right.
 */
int batch_signature_holds(const char *signature, const batch_signed_t *what, apr_time_t now,
                          const char *secret, apr_size_t secret_length);

/** A new secret in hex, in p; NULL if there is no randomness. */
const char *batch_secret_make(apr_pool_t *p);

#endif
