/*
 * What a request says that its body should sum up to: Content-MD5 (RFC 1864), Content-Digest and
 * Repr-Digest (RFC 9530). Of a request that is no part all three are about the same bytes: those of
 * the body as it was sent, with its Content-Encoding.
 */
#ifndef BATCH_PAYLOAD_BODY_DIGEST_H
#define BATCH_PAYLOAD_BODY_DIGEST_H

#include "batch.h"

/** The values of the headers; NULL = there is none. */
typedef struct batch_digest_headers {
    const char *content_md5;
    const char *content_digest;
    const char *repr_digest;
} batch_digest_headers_t;

typedef struct batch_digests batch_digests_t;

/**
 * Reads the headers. *digests is NULL where there is nothing to be compared: no header, or only
 * algorithms that are not known, which RFC 9530 lets a recipient ignore. Known ones: sha-256,
 * sha-512, and of the deprecated ones sha and md5. Returns NULL, or what is wrong with a header:
 * one sentence for a 400. Strings and digests in p.
 */
const char *batch_digests_read(batch_digests_t **digests, const batch_digest_headers_t *headers,
                               apr_pool_t *p);

/** Takes the next bytes of the body. */
void batch_digests_update(batch_digests_t *digests, const char *bytes, apr_size_t length);

/**
 * Ends the body. Returns NULL, or which header it does not match: one sentence for a 400. May be
 * called once.
 */
const char *batch_digests_check(batch_digests_t *digests, apr_pool_t *p);

#endif
