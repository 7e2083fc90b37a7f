/*
 * A set of digests, each with a small number: what a batch remembers of each of its items, however
 * large they are. 16 bytes an item, in a table that is at most four fifths full. It grows part by
 * part: what a batch takes at most is hardly more than the table that it has in the end.
 *
 * A digest has 96 bits of SipHash with a random key: a client can neither find two texts with the
 * same one nor make many that meet in one place of the table.
 */
#ifndef BATCH_ENGINE_DIGEST_SET_H
#define BATCH_ENGINE_DIGEST_SET_H

#include "batch.h"

typedef struct batch_digest_set batch_digest_set_t;

typedef struct batch_digest {
    apr_uint64_t high;
    apr_uint32_t low;
} batch_digest_t;

/** Makes an empty set; its table goes with p. Fails only if the system has no random bytes. */
apr_status_t batch_digest_set_make(batch_digest_set_t **set, apr_pool_t *p);

/**
 * Makes room for so many digests in all, once, so that none of them has to be moved. More may
 * follow. APR_ENOMEM
 */
apr_status_t batch_digest_set_reserve(batch_digest_set_t *set, apr_int64_t count);

/**
 * Says how many there will be in all, as far as is known: where a part becomes too small it gets
 * the size for its share of them, if that is not more than four times what it has. 0: who knows.
 */
void batch_digest_set_expect(batch_digest_set_t *set, apr_int64_t count);

/** The digest of length bytes, in this set; another tag gives another digest. */
batch_digest_t batch_digest_make(const batch_digest_set_t *set, char tag, const void *bytes,
                                 apr_size_t length);

/** Where the number of a digest is that is in the set, else NULL. Holds until the next put. */
apr_uint32_t *batch_digest_set_find(batch_digest_set_t *set, batch_digest_t digest);

/** Puts a digest that is not in the set, with its number, which is not 0. APR_ENOMEM */
apr_status_t batch_digest_set_put(batch_digest_set_t *set, batch_digest_t digest,
                                  apr_uint32_t number);

#endif
