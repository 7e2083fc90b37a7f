/*
 * The keys that are there, of a scope: for a large batch it is quicker to walk over them once than
 * to look for the row of each of its items.
 *
 * What is kept is a digest a key. It says that a row was there a moment ago, which is as much as
 * any look before processing can say; that a key is not in the set says nothing.
 */
#ifndef BATCH_ENGINE_KNOWN_KEYS_H
#define BATCH_ENGINE_KNOWN_KEYS_H

#include "batch.h"
#include "store/store.h"

typedef struct batch_known_keys batch_known_keys_t;

/**
 * Makes the set of the scope's keys in p, with transactions of its own that only read. *known is
 * NULL where there is none to be had, and rows have to be looked for: the scope has more than
 * limit rows, its keys cannot be walked quickly, or the database is not available. Fails only if
 * there is no memory or randomness.
 */
apr_status_t batch_known_keys_make(batch_known_keys_t **known, batch_store_t *store,
                                   const batch_row_scope_t *scope, apr_int64_t limit,
                                   apr_pool_t *p);

/** 1 if a row with this key is known to be there. */
int batch_known_keys_have(const batch_known_keys_t *known, const char *key, apr_size_t length);

#endif
