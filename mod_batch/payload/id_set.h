/*
 * The distinct ids of a request, each with the ordinal of its first appearance, in the order sent.
 *
 * A hash table with open addressing over SipHash with a random key: apr_hash's own function lets
 * a client that knows it send ids which all collide, whatever its seed.
 */
#ifndef BATCH_PAYLOAD_ID_SET_H
#define BATCH_PAYLOAD_ID_SET_H

#include "batch.h"

typedef struct batch_id_set batch_id_set_t;

/** Makes a set in p of at most max ids. Fails only if the system has no random bytes. */
apr_status_t batch_id_set_make(batch_id_set_t **set, apr_int64_t max, apr_pool_t *p);

/**
 * Adds a copy of the id unless it is there. BATCH_ETOOLARGE: it is not there, and the set has max
 * ids already; it is not added.
 */
apr_status_t batch_id_set_add(batch_id_set_t *set, const char *id, apr_size_t length,
                              apr_int64_t ordinal);

/** The ids, as batch_item_t; lives in the set's pool and grows with it. */
apr_array_header_t *batch_id_set_items(const batch_id_set_t *set);

#endif
